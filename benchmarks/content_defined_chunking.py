"""What share of `data/` a hub that stores by content gets anew when a batch comes in.

Run: `python benchmarks/content_defined_chunking.py [--rows 300000] [--batch 10000]`

Two releases are written with the product's own writer: one without a batch, one with it. The rows are synthetic: with
barcodes, labels, places and sizes as a release has them, sorted as it is. Rows of the new batch come in between the
others. The stored unit is a chunk as Xet cuts it, the store of the Hugging Face hub: where a gear hash of the last 64
bytes has 16 zero bits, 8 KiB to 128 KiB long, 64 KiB on average. A chunk that the first release has not is sent. What
Xet compresses beyond that is left out.

200,000 specimens and a batch of 5,000: 77 % of 84 MB is sent; with content_defined_chunking, 53 % of 85 MB. Of 377,000
in pretrain alone, 9,200 of them new: 77 % of 153 MB, and 40 % of 155 MB. Smaller chunks than pyarrow's (64 to 256 KiB
instead of 256 KiB to 1 MiB) bring the share down by another fifth, but the files are 11 % larger, so that the bytes
sent are nearly the same: pyarrow's are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.settings import ReleaseSettings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from shards import write_shards

_LEAST, _MOST, _MASK_BITS, _WINDOW = 8 << 10, 128 << 10, 16, 64
_ORDERS, _FAMILIES = 24, 600


def rows(count: int, seed: int, batch: str) -> pl.DataFrame:
    """Released rows of one batch (`schema.METADATA_EXTENDED`), unsorted."""
    random = np.random.default_rng(seed)
    # Few families have most of the specimens, as in nature.
    family = np.minimum(random.zipf(1.3, count) - 1, _FAMILIES - 1)
    order = family % _ORDERS
    species = random.geometric(0.002, count)
    letters = np.frombuffer(b"ACGT", np.uint8)
    # A species has one barcode, of which a specimen differs in a few bases.
    of_species = letters[np.random.default_rng(0).integers(0, 4, (species.max() + 1, 658))]
    codes = of_species[species]
    place = random.integers(0, 658, (count, 4))
    codes[np.arange(count)[:, None], place] = letters[random.integers(0, 4, (count, 4))]
    barcode = pl.Series([row.tobytes().decode() for row in codes])
    numbers = random.permutation(count)
    share = pl.Series(random.integers(100, 9000, count) / 10_000)
    frame = pl.DataFrame(
        {
            "processid": [f"{batch}{number:07d}-24" for number in numbers],
            "sampleid": [f"BIOUG{number:07d}-{batch}" for number in numbers],
            "split": np.array(vocabulary.SPLITS)[random.choice(len(vocabulary.SPLITS), count, p=_shares())],
            "order": [f"Order{number:02d}" for number in order],
            "family": [f"Family{one:03d}" for one in family],
            "species": [f"Genus{one % 500:03d} species{one:05d}" for one in species],
            "dna_barcode": barcode,
            "dna_barcode_verbatim": barcode,
            "dna_bin": [f"BOLD:AAA{one:04d}" for one in species % 10_000],
            "country": np.array(["Canada", "Costa Rica", "Pakistan"])[random.integers(0, 3, count)],
            "coord-lat": (random.integers(-60_000, 60_000, count) / 1000),
            "coord-lon": (random.integers(-180_000, 180_000, count) / 1000),
            "batch": batch,
            "area_fraction": share,
            "scale_factor": random.integers(2000, 90_000, count) / 10_000,
            "image_measurement_value": random.integers(1000, 900_000, count),
        }
    )
    filled = []
    for column in schema.METADATA_EXTENDED.columns:
        if column.name in frame.columns:
            filled.append(pl.col(column.name).cast(column.dtype))
        elif column.nullable:
            filled.append(pl.lit(None, column.dtype).alias(column.name))
        elif isinstance(column.dtype, pl.List):
            filled.append(pl.lit([], column.dtype).alias(column.name))
        elif column.dtype == pl.String():
            filled.append(pl.lit(column.allowed[0] if column.allowed else "").alias(column.name))
        else:
            filled.append(pl.lit(0).cast(column.dtype).alias(column.name))
    return frame.select(filled)


def _shares() -> list[float]:
    """Share of each partition, as in BIOSCAN-5M: nearly all is for pretraining."""
    return [0.92, *[0.08 / (len(vocabulary.SPLITS) - 1)] * (len(vocabulary.SPLITS) - 1)]


def chunks(data: bytes) -> list[tuple[bytes, int]]:
    """Digest and length of the chunks of a file, cut where the content says."""
    values = np.frombuffer(data, np.uint8)
    gear = np.random.default_rng(1).integers(0, 1 << 63, 256, dtype=np.uint64)[values]
    # A gear hash of the last 64 bytes: each byte's number, shifted by its distance; by doubling, in six steps.
    hashes = gear.copy()
    step = 1
    while step < _WINDOW:
        shifted = np.zeros_like(hashes)
        shifted[step:] = hashes[:-step] << np.uint64(step)
        hashes = hashes + shifted
        step *= 2
    cuts = np.flatnonzero(hashes >> np.uint64(64 - _MASK_BITS) == 0) + 1
    found, start = [], 0
    while start < len(data):
        place = np.searchsorted(cuts, start + _LEAST)
        end = min(int(cuts[place]) if place < len(cuts) else len(data), start + _MOST, len(data))
        found.append((hashlib.sha256(data[start:end]).digest(), end - start))
        start = end
    return found


def sent(before: Path, after: Path) -> tuple[int, int]:
    """Bytes of the files of a folder, and those of chunks that another folder does not have."""
    known = {digest for path in sorted(before.iterdir()) for digest, _ in chunks(path.read_bytes())}
    total = new = 0
    for path in sorted(after.iterdir()):
        for digest, length in chunks(path.read_bytes()):
            total += length
            new += 0 if digest in known else length
            known.add(digest)
    return total, new


def main() -> None:
    """Print the shares, with pages cut by size and by content."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=300_000, help="specimens of the first release")
    parser.add_argument("--batch", type=int, default=10_000, help="specimens of the batch that comes in")
    asked = parser.parse_args()
    parts = [rows(asked.rows // 10, number, f"B{number}") for number in range(10)]
    order = ["split", "order", "family", "processid"]
    place = pl.col("split").replace_strict(
        {name: at for at, name in enumerate(vocabulary.SPLITS)}, return_dtype=pl.Int8
    )
    first = pl.concat(parts).sort(place, *order[1:], nulls_last=True)
    second = pl.concat([*parts, rows(asked.batch, 99, "NEW")]).sort(place, *order[1:], nulls_last=True)
    print(f"{first.height:,} specimens, then {second.height:,}: {asked.batch / second.height:.1%} are new")
    for by_content in (False, True):
        settings = ReleaseSettings(content_defined_chunking=by_content)
        with tempfile.TemporaryDirectory() as folder:
            places = [Path(folder) / name for name in ("before", "after")]
            for where, frame in zip(places, (first, second), strict=True):
                where.mkdir()
                write_shards(frame, where, settings)
            total, new = sent(*places)
        print(
            f"content_defined_chunking = {str(by_content).lower()}: {new / total:.0%} of {total / 1e6:.0f} MB is sent"
        )


if __name__ == "__main__":
    main()
