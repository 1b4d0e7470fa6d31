"""Random access to the specimens of a release: `bioscan_etl.torch.Release` beside the published loader.

    .venv/bin/bioscan-etl demo --output out --specimens 1000
    .venv/bin/bioscan-etl run --output out --settings settings.toml      # hdf5_packages, packed_packages: cropped_256
    .venv-clients/bin/python benchmarks/random_access.py out/releases/latest

The same release, the same random specimens and the same crop, in one process:

- bioscan-dataset on the image files, as its documentation shows it, with a transform to a tensor;
- bioscan-dataset with its images from `hdf5/cropped_256.hdf5`, the published layout: a data set per image;
- ours on the packed HDF5, and on the image files.

All hand out the image as uint8 tensor, the barcode and the number of the species. They are compared first. Then each
way is timed in turn, several rounds over the same specimens, so that another load on the machine strikes all of them.
Both are shown: seconds on the clock, and seconds of all processors, which another load changes less. A number is the
median over the rounds; a ratio is the median of the ratios of a round. The files are in the page cache, so the work of
the processor is measured, not the disk. `dataset[i]` is the whole image; batches need one size, so there it is cropped.
"""

import argparse
import io
import os
import re
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from bioscan_etl.release.opened import open_release
from bioscan_etl.torch import Release

PACKAGE = "cropped_256"
BATCH = 64
CROP = 224
OURS = ("packed", "files")
NAME = "bioscan-etl"
FILES, PUBLISHED = "bioscan-dataset, image files", "bioscan-dataset, published HDF5"


def published_loader(root: Path):
    """The subclass of the published loader that the release's README shows."""
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.S)
    scope = {}
    exec(next(block for block in blocks if "BIOSCAN5M" in block).split("\n\n\ndataset = ")[0], scope)
    return scope["Release"]


def ways(root: Path, crop: int | None) -> dict[str, torch.utils.data.Dataset]:
    """The four data sets, by name; images are cropped to a square, or whole."""
    loader = published_loader(root)
    arguments = {"split": "all", "modality": ("image", "dna"), "target_type": "species", "image_package": PACKAGE}
    cropped = [] if crop is None else [v2.CenterCrop(crop)]
    to_tensor = v2.Compose([v2.PILToTensor(), *cropped])

    class FromHDF5(loader):
        """The published loader, but for where the image comes from."""

        file = None

        def __getitem__(self, index):
            if self.file is None:  # one handle a process
                self.file = h5py.File(root / f"hdf5/{PACKAGE}.hdf5")["bioscan_dataset"]
            sample = self.metadata.iloc[index]
            data = self.file[f"{sample['processid']}.jpg"][()]
            image = self.transform(Image.open(io.BytesIO(data)))
            return image, sample["dna_barcode"], sample["species_index"]

    found = {
        FILES: loader(str(root), transform=to_tensor, **arguments),
        PUBLISHED: FromHDF5(str(root), transform=to_tensor, **arguments),
    }
    for source in OURS:
        transform = cropped[0] if cropped else None
        found[f"{NAME}, {source}"] = Release(root, transform=transform, images_from=source, **arguments)
    return found


def compare(found: dict[str, torch.utils.data.Dataset], places: list[int]) -> None:
    """Require the same image and barcode from all, and a species where the others have one."""
    for place in places:
        first, *others = (dataset[place] for dataset in found.values())
        for other in others:
            if not torch.equal(first[0], other[0]) or first[1] != other[1] or (first[2] < 0) != (other[2] < 0):
                raise SystemExit(f"specimen {place} differs between the ways")


def items(dataset, places: list[int]) -> None:
    """One sample after the other."""
    for place in places:
        dataset[place]


def batches(workers: int) -> Callable[..., None]:
    """What reads batches through a loader."""

    def read(dataset, places: list[int]) -> None:
        for _ in DataLoader(dataset, BATCH, sampler=places, num_workers=workers):
            pass

    return read


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """What work takes: on the clock, and of all processors, those of ended children too."""
    clock, own = time.perf_counter(), os.times()
    work()
    done = os.times()
    return time.perf_counter() - clock, sum(done[:4]) - sum(own[:4])


def measure(found, places: list[int], workers: int | None, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Microseconds a sample, on the clock and of all processors, by way, of each round.

    Starting workers costs all ways the same, and once an epoch: a loader of one sample a worker is taken off.
    """
    read = items if workers is None else batches(workers)
    taken = {name: [] for name in found}
    for _ in range(rounds):
        for name, dataset in found.items():
            first = seconds(partial(read, dataset, places[: workers or 0])) if workers else (0.0, 0.0)
            whole = seconds(partial(read, dataset, places))
            taken[name].append(tuple((a - b) / len(places) * 1e6 for a, b in zip(whole, first, strict=True)))
    return taken


def report(title: str, taken: dict[str, list[tuple[float, float]]]) -> None:
    """Print the medians and, for ours, the ratios."""
    print(f"\n{title}: µs a sample\n  {'':32s} {'clock':>7s} {'processors':>10s}   as often as files, published HDF5")
    for name, rounds in taken.items():
        middle = [statistics.median(each) for each in zip(*rounds, strict=True)]
        shown = []
        for kind in (0, 1):
            for reference in (FILES, PUBLISHED):
                pairs = zip(taken[reference], rounds, strict=True)
                shown.append(statistics.median(base[kind] / own[kind] for base, own in pairs))
        ratios = "clock {:.1f}, {:.1f}; processors {:.1f}, {:.1f}".format(*shown) if NAME in name else ""
        print(f"  {name:32s} {middle[0]:7.0f} {middle[1]:10.0f}   {ratios}")


def main() -> None:
    """Compare the ways, then time them."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("release", type=Path)
    arguments.add_argument("--images", type=int, default=2000, help="samples of a round, drawn at random")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--workers", type=int, default=2, help="workers of the last measurement")
    asked = arguments.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    root = open_release(asked.release).root
    whole, cropped = ways(root, None), ways(root, CROP)
    size = len(whole[FILES])
    print(
        f"{size:,} specimens; {asked.images:,} at random, {asked.rounds} rounds; batches of {BATCH}, cropped to {CROP}"
    )
    generator = np.random.default_rng(0)
    places = generator.integers(0, size, asked.images).tolist()
    for found in (whole, cropped):
        compare(found, generator.permutation(size)[:200].tolist())
    report("dataset[i]", measure(whole, places, None, asked.rounds))
    report("DataLoader without workers", measure(cropped, places, 0, asked.rounds))
    report(f"DataLoader with {asked.workers} workers", measure(cropped, places, asked.workers, asked.rounds))


if __name__ == "__main__":
    main()
