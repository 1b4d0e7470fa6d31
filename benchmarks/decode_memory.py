"""Memory that decoding large images takes: this package beside plain Pillow.

    python benchmarks/decode_memory.py [--megapixels 25] [--threads 4]

Each run is a process of its own. Its peak is the largest resident size, less the size after the imports and the reading
of the file; Linux only. The image is a grey ramp, so that the PNG is small: the file's size says nothing of the memory.
Prints one line per format, and one for several threads under the budget of `images.decode_memory_mb`.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

_MIB = 1 << 20
_KINDS = {"PNG": {}, "TIFF": {"compression": "tiff_lzw"}, "JPEG": {}, "JPEG in passes": {"progressive": True}}


def resident(name: str) -> float:
    """A size of this process by its name in /proc/self/status, MiB: VmRSS is the present one, VmHWM the largest."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def naive(data: bytes) -> int:
    """What a script does: open, turn, convert, and make an array."""
    from PIL import ImageOps

    Image.MAX_IMAGE_PIXELS = None
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))).shape[0]


def ours(data: bytes) -> int:
    """The pipeline's decoder."""
    from bioscan_etl.images.decode import decode

    return decode(data, 1 << 30).shape[0]


def in_threads(data: bytes, threads: int, budget: int) -> int:
    """The pipeline's decoder in several threads at once, under a budget in MiB."""
    from concurrent.futures import ThreadPoolExecutor

    from bioscan_etl.freed_memory import return_freed_memory
    from bioscan_etl.images.decode import read_header
    from bioscan_etl.images.memory import MemoryBudget

    shared = MemoryBudget(budget * _MIB)

    def one(_: int) -> int:
        image = read_header(data, 1 << 30)
        with shared.taking(image.memory):
            rows = image.decode().shape[0]
            return_freed_memory()
        return rows

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, range(2 * threads)))


def measure(way: str, path: Path, threads: int) -> float:
    """MiB that a way takes, in a process of its own."""
    command = [sys.executable, __file__, "--one", way, str(path), "--threads", str(threads)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run_one(way: str, path: Path, threads: int) -> None:
    """Decode in this process and print the memory that it took."""
    import bioscan_etl.images.decode  # noqa: F401 - so that both ways have imported the same

    data = path.read_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from here
    before = resident("VmRSS")
    if way == "naive":
        naive(data)
    elif way == "ours":
        ours(data)
    else:
        in_threads(data, threads, int(way))
    print(resident("VmHWM") - before)


def main() -> None:
    """Make the images, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=25)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        run_one(asked.one[0], Path(asked.one[1]), asked.threads)
        return
    side = round((asked.megapixels * 1e6) ** 0.5)
    ramp = (np.arange(side) * 255 // side).astype(np.uint8)
    picture = Image.fromarray(np.broadcast_to(ramp[None, :, None], (side, side, 3)).copy())
    with tempfile.TemporaryDirectory() as folder:
        for kind, options in _KINDS.items():
            path = Path(folder) / kind.replace(" ", "-")
            picture.save(path, kind.split()[0], **options)
            old, new = measure("naive", path, 1), measure("ours", path, 1)
            print(
                f"{kind}, {path.stat().st_size / 1024:,.0f} KiB, {side * side / 1e6:.0f} megapixels: "
                f"Pillow {old:,.0f} MiB, ours {new:,.0f} MiB, ratio {new / old:.2f}"
            )
        path = Path(folder) / "PNG"
        for budget in (100_000, 256):
            used = measure(str(budget), path, asked.threads)
            print(f"PNG in {asked.threads} threads, budget {budget:,} MiB: {used:,.0f} MiB")


if __name__ == "__main__":
    main()
