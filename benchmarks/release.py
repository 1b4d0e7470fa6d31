"""What a release costs: its metadata forms at the size of BIOSCAN-5M, and its image forms beside a plain copy.

    .venv/bin/python benchmarks/release.py                              # 5.15 M rows, then 20,000 images
    .venv/bin/python benchmarks/release.py --rows 500000 --images 2000  # a quick look at both

Metadata: all forms but images, from the curated table and the partitions as the lake holds them to the descriptors and
the manifest. Images: each form against `cp -r` of the same bytes; and what it costs to open a file and to read one
image at random, for a data set per image and for the packed layout. Rows and images are synthetic, with a fixed seed.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pyarrow as pa
from alone import alone

from bioscan_etl import schema, vocabulary
from bioscan_etl.release import parts
from bioscan_etl.release.forms.registry import build_form, forms
from bioscan_etl.release.layout import image_path
from bioscan_etl.release.metadata import chunk
from bioscan_etl.release.parts import Logs
from bioscan_etl.release.ship import version as publish
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings, Settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from shards import write_shards

FULL = 5_150_000
LENGTH = 658
SHARES = {
    "pretrain": 0.908,
    "train": 0.056,
    "val": 0.003,
    "test": 0.008,
    "key_unseen": 0.007,
    "val_unseen": 0.002,
    "test_unseen": 0.001,
    "other_heldout": 0.015,
}
FORMS = forms()
METADATA = ReleaseSettings(
    image_packages=(),
    hdf5_packages=(),
    forms=("jsonld", "partitioned", "splits", "bbox", "croissant", "datapackage", "barcodebert"),
)
_JPEG_BYTES = 7_600  # what an image of BIOSCAN-5M's cropped_256 has on average


def write_lake(folder: Path, rows: int, seed: int = 0) -> None:
    """Write curated.parquet, partitions.parquet and changes.parquet of `rows` specimens, a barcode for two of them."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    species_count = max(rows // 230, 50)
    genus_of = np.arange(species_count) // 3
    family_of = genus_of // 20
    order_of = family_of % 25
    split = rng.choice(len(SHARES), rows, p=np.array(list(SHARES.values())) / sum(SHARES.values()))
    # Species of train are those of val and test; the genera of the others are too.
    species = rng.integers(0, species_count // 2, rows)
    names = list(SHARES)
    unseen = np.isin(split, [names.index(name) for name in ("key_unseen", "val_unseen", "test_unseen")])
    for number, name in enumerate(names):
        if name == "train":
            first = np.flatnonzero(split == number)[: species_count // 2]
            species[first] = np.arange(len(first))
    parts_of = []
    for start in range(0, rows, 250_000):
        block = slice(start, min(start + 250_000, rows))
        parts_of.append(
            _curated(rng, start, species[block], unseen[block], split[block], genus_of, family_of, order_of)
        )
        parts_of[-1].write_parquet(folder / f"curated-{start:09d}.parquet", row_group_size=100_000)
        parts_of[-1] = parts_of[-1].select("processid")
    pl.scan_parquet(folder / "curated-*.parquet").sink_parquet(folder / "curated.parquet", row_group_size=100_000)
    for path in folder.glob("curated-*.parquet"):
        path.unlink()
    processids = pl.concat(parts_of)["processid"]
    pl.DataFrame({"processid": processids, "split": pl.Series(names).gather(split)}).write_parquet(
        folder / "partitions.parquet"
    )
    changed = processids.gather_every(2)
    values = {"field": "species", "step": 0, "before": "Aus buss", "after": "Aus bus", "rule": "TYPO"}
    _filled(
        schema.CHANGES, pl.DataFrame({"processid": changed}).with_columns(**{k: pl.lit(v) for k, v in values.items()})
    ).write_parquet(folder / "changes.parquet")


def _curated(rng, start, species, unseen, split, genus_of, family_of, order_of) -> pl.DataFrame:
    count = len(species)
    names = list(SHARES)
    labelled = split != names.index("pretrain")
    to_species = pl.Series(labelled)
    to_genus = to_species | pl.Series(rng.random(count) < 0.2)
    letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, (count // 2 + 1, LENGTH), dtype=np.uint8)]
    letters = letters[rng.integers(0, len(letters), count)]
    barcode = _texts(letters)
    genus = genus_of[species]
    text = {
        "processid": pl.format("BENCH{}-24", pl.int_range(start, start + count)),
        "sampleid": pl.format("BIOUG{}-A01", pl.int_range(start, start + count)),
        "species": pl.when(to_species).then(
            pl.format("Genus{} {}us{}", pl.Series(genus), pl.Series(species), pl.Series(np.where(unseen, "x", "")))
        ),
        "genus": pl.when(to_genus).then(pl.format("Genus{}", pl.Series(genus))),
        "family": pl.format("Family{}idae", pl.Series(family_of[genus])),
        "order": pl.when(pl.Series(rng.random(count) > 0.01)).then(
            pl.format("Order{}ptera", pl.Series(order_of[family_of[genus] % len(order_of)]))
        ),
        "dna_bin": pl.format("BOLD:AAA{}", pl.Series(1000 + species % 9000)),
    }
    x0, y0 = rng.integers(0, 400, count), rng.integers(0, 300, count)
    width, height = rng.integers(100, 600, count), rng.integers(100, 400, count)
    frame = pl.select(**text).with_columns(
        nuc=barcode,
        dna_barcode=barcode,
        barcode=barcode,
        taxon=pl.coalesce("species", "genus", "family"),
        phylum=pl.lit("Arthropoda"),
        country=pl.lit("Costa Rica"),
        country_iso=pl.lit("CR"),
        province_state=pl.lit("Guanacaste"),
        image_status=pl.lit("detected"),
        image_batch=pl.lit("one"),
        width_original=pl.lit(1024),
        height_original=pl.lit(768),
        confidence=pl.Series(rng.random(count).round(6)),
        image_measurement_value=pl.Series(rng.integers(500, 90_000, count)),
        flags=pl.lit([], dtype=pl.List(pl.String)),
        x0=pl.Series(x0),
        y0=pl.Series(y0),
        x1=pl.Series(x0 + width),
        y1=pl.Series(y0 + height),
        area_fraction=pl.Series((width * height / (1024 * 768)).round(4)),
        scale_factor=pl.Series((np.minimum(width, height) / 256).round(4)),
        **{"class": pl.lit("Insecta")},
        **{f"coord-{axis}": pl.Series((10 + rng.random(count)).round(5)) for axis in ("lat", "lon")},
    )
    return _filled(schema.CURATED, frame)


def _texts(letters) -> pl.Series:
    """(n, width) letters as n texts."""
    offsets = pa.array(np.arange(len(letters) + 1, dtype=np.int64) * letters.shape[1]).buffers()[1]
    data = pa.py_buffer(np.ascontiguousarray(letters))
    return pl.Series(pa.LargeStringArray.from_buffers(len(letters), offsets, data))


def _filled(table: schema.Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of a table; those not given are null, or the least value where null is not allowed."""
    rest = {
        column.name: pl.lit(None, dtype=column.dtype)
        if column.nullable
        else pl.lit(column.allowed[0] if column.allowed else "x")
        if column.dtype == pl.String
        else pl.lit(0)
        if column.dtype.is_numeric()
        else pl.lit(value=False)
        for column in table.columns
        if column.name not in frame.columns
    }
    return frame.with_columns(**rest).select(pl.col(c.name).cast(c.dtype) for c in table.columns)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _metadata(lake: Path, out: Path, answer) -> None:
    """Build and publish; report the seconds of each step."""
    settings = Settings(release=METADATA)
    staging = Staging(out, "0" * 64)
    steps = []

    def step(name, function, *arguments, **named):
        begun, worked = time.perf_counter(), time.process_time()
        result = function(*arguments, **named)
        steps.append((name, time.perf_counter() - begun, time.process_time() - worked, _peak()))
        return result

    def from_lake():
        curated = pl.read_parquet(lake / "curated.parquet", columns=list(parts.CURATED_COLUMNS))
        logs = Logs(
            schema.QUARANTINE.empty(),
            schema.SET_ASIDE.empty(),
            schema.REJECTS.empty(),
            pl.read_parquet(lake / "changes.parquet"),
            schema.DECISION_LOG.empty(),
            "1",
        )
        assigned = pl.read_parquet(lake / "partitions.parquet")
        parts.build_metadata(staging, curated, assigned, logs, METADATA)
        return curated.height

    rows = step("CSV, data/, boxes, logs", from_lake)
    for name, form in FORMS.items():
        if form.build is not None and not form.images:
            step(name, build_form, form, staging, METADATA)
    step("verify, sums, descriptors, card, manifests", publish.publish, staging, settings, rows_read=rows, inputs=[])
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file() and not path.is_symlink())
    answer.put((steps, size))


def _lake(folder: Path, rows: int, answer) -> None:
    write_lake(folder, rows)
    answer.put(True)


def metadata(folder: Path, rows: int) -> None:
    """Print the seconds and the peak of memory of each step of a release of `rows` specimens without images."""
    alone(_lake, folder / "lake", rows)
    steps, size = alone(_metadata, folder / "lake", folder / "releases")
    wall, worked = (sum(step[number] for step in steps) for number in (1, 2))
    print(f"{rows:,} rows, all forms but images: {wall:.1f} s, {worked:.1f} s of CPU, {size / 1e9:.2f} GB")
    for name, seconds, cpu, peak in steps:
        print(f"  {name:44} {seconds:7.1f} s, {cpu:7.1f} s of CPU, peak so far {peak:5.2f} GiB", flush=True)
    shutil.rmtree(folder / "releases")


def write_images(root: Path, count: int) -> pl.DataFrame:
    """Write `count` files of random bytes, framed as JPEG, laid out as a package; and return the released rows."""
    rng = np.random.default_rng(1)
    split = pl.Series(list(SHARES)).gather(rng.choice(len(SHARES), count, p=list(SHARES.values())))
    processid = pl.select(pl.format("BENCH{}-24", pl.int_range(count))).to_series()
    rows = pl.DataFrame({"processid": processid, "split": split, "chunk": chunk(processid, split)})
    rows = rows.with_columns(path=image_path(pl.col("split"), pl.col("chunk"), pl.col("processid")))
    for path, size in zip(rows["path"], rng.normal(_JPEG_BYTES, 1500, count).clip(2000), strict=True):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"\xff\xd8" + rng.bytes(int(size)) + b"\xff\xd9")
    return rows


def images(folder: Path, count: int) -> None:
    """Print what each form of an image package costs, beside a copy of its files."""
    settings = ReleaseSettings(
        image_packages=("cropped_256",),
        forms=("data_images", "clibd"),
        hdf5_packages=(),
        packed_packages=(),
    )
    staging = Staging(folder / "images", "0" * 64)
    root = staging.tree / "bioscan5m/images/cropped_256"
    rows = write_images(root, count)
    order = pl.col("split").cast(pl.Enum(vocabulary.SPLITS))
    released = _filled(
        schema.METADATA_EXTENDED,
        rows.sort(order, "processid").with_columns(
            dna_barcode=pl.lit("A" * LENGTH), area_fraction=0.1, flags=pl.lit([], dtype=pl.List(pl.String))
        ),
    )
    with staging.building("metadata", ()):
        write_shards(released, staging.tree / "data", settings)
    with staging.building("images", (), resumable=True):
        pass
    size = sum(path.stat().st_size for path in root.rglob("*.jpg"))
    os.sync()
    begun = time.perf_counter()
    subprocess.run(["cp", "-r", root, folder / "copy"], check=True)
    os.sync()
    copy = time.perf_counter() - begun
    print(f"{count:,} images, {size / 1e6:.0f} MB; cp -r and sync: {copy:.2f} s")
    cases: dict[str, tuple[str, dict]] = {
        "zips": ("archives", {"zip_packages": ("cropped_256",)}),
        "WebDataset tars": ("archives", {"webdataset_packages": ("cropped_256",)}),
        "data_images/": ("data_images", {}),
        "HDF5, a data set per image": ("hdf5", {"hdf5_packages": ("cropped_256",)}),
        "HDF5, packed": ("hdf5", {"packed_packages": ("cropped_256",)}),
        "HDF5 of CLIBD": ("clibd", {}),
    }
    for name, (part, more) in cases.items():
        chosen = settings.model_copy(update=more)
        begun = time.perf_counter()
        build_form(FORMS[part], staging, chosen)
        os.sync()
        seconds = time.perf_counter() - begun
        made = sum(
            path.stat().st_size
            for place in FORMS[part].owns(chosen)
            for path in (
                [staging.tree / place] if (staging.tree / place).is_file() else (staging.tree / place).rglob("*")
            )
            if path.is_file()
        )
        print(f"  {name:28} {seconds:6.2f} s, {seconds / copy:5.2f} times the copy, {made / size:.2f} times the bytes")
        (staging.folder / "parts" / f"{part}.json").unlink()
        if part == "archives":  # zips and tars share a folder
            shutil.rmtree(staging.tree / "packages")
    _reading(staging.tree / "hdf5", rows["processid"].to_list())


def _reading(folder: Path, processids: list[str]) -> None:
    """Print what opening and random reads cost in both HDF5 layouts."""
    chance = np.random.default_rng(2)
    chosen = chance.integers(0, len(processids), 2000)

    def per_image(file):
        group = file["bioscan_dataset"]
        return lambda number: group[f"{processids[number]}.jpg"][()]

    def packed(file):
        jpeg, offsets = file["jpeg"], file["offsets"][:]
        return lambda number: jpeg[offsets[number] : offsets[number + 1]]

    for name, path, prepare in (
        ("a data set per image", "cropped_256.hdf5", per_image),
        ("packed", "cropped_256.packed.hdf5", packed),
    ):
        begun = time.perf_counter()
        with h5py.File(folder / path) as file:
            read = prepare(file)
            read(0)
            opened = time.perf_counter()
            for number in chosen:
                read(number)
            done = time.perf_counter()
        each = (done - opened) / len(chosen) * 1e6
        print(
            f"  reading {name:22} open and first image {(opened - begun) * 1e3:7.1f} ms, then {each:6.0f} µs an image"
        )


def main() -> None:
    """Run both and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=FULL, help="specimens of the metadata; 0 leaves it out")
    parser.add_argument("--images", type=int, default=20_000, help="images; 0 leaves them out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.rows:
            metadata(Path(folder), options.rows)
        if options.images:
            images(Path(folder), options.images)


if __name__ == "__main__":
    main()
