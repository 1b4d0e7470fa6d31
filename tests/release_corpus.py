"""A small corpus for the release's tests: curated rows, partitions, logs, and crops with real JPEGs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.images.crop import crop as cut
from bioscan_etl.release.build import build_parts
from bioscan_etl.release.parts import Logs
from bioscan_etl.release.ship.version import publish
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ImageSettings, ReleaseSettings, Settings, SplitSettings

DIGEST = "0123456789abcdef" * 4
SPECIES_TYPES = {
    None: "NO_NAME",
    "Aedes vexans": "SCIENTIFIC",
    "Apis mellifera": "SCIENTIFIC",
    "Apis sp. 3ON": "INFORMAL",
    "Megaselia BOLD:ACN5814": "OTU",
}
PER_SPLIT = {
    "pretrain": 8,
    "train": 8,
    "val": 2,
    "test": 3,
    "key_unseen": 3,
    "val_unseen": 2,
    "test_unseen": 2,
    "other_heldout": 4,
}
LINEAGES = {
    "Aedes vexans": ("Insecta", "Diptera", "Culicidae", "Culicinae", "Aedes"),
    "Apis mellifera": ("Insecta", "Hymenoptera", "Apidae", "Apinae", "Apis"),
    "Apis sp. 3ON": ("Insecta", "Hymenoptera", "Apidae", "Apinae", "Apis"),
    "Megaselia BOLD:ACN5814": ("Insecta", "Diptera", "Phoridae", "Metopininae", "Megaselia"),
}
SPECIES = {
    "pretrain": (None,),
    "train": ("Aedes vexans", "Apis mellifera"),
    "val": ("Aedes vexans",),
    "test": ("Apis mellifera",),
    "key_unseen": ("Apis sp. 3ON",),
    "val_unseen": ("Apis sp. 3ON",),
    "test_unseen": ("Apis sp. 3ON",),
    "other_heldout": ("Megaselia BOLD:ACN5814",),
}


def filled(table: schema.Table, rows: list[dict]) -> pl.DataFrame:
    """Rows of a table; columns not given are null, or the least value where null is not allowed."""
    frame = pl.DataFrame(rows, schema_overrides={n: t for n, t in table.schema().items() if n in rows[0]}, strict=False)
    defaults = {
        column.name: pl.lit(None, dtype=column.dtype)
        if column.nullable
        else pl.lit([] if column.dtype == pl.List(pl.String) else 0 if column.dtype.is_numeric() else False)
        if column.dtype != pl.String
        else pl.lit(column.allowed[0] if column.allowed else "x")
        for column in table.columns
        if column.name not in frame.columns
    }
    return table.conform(frame.with_columns(**defaults))


@dataclass(frozen=True)
class Corpus:
    """What a release is made from."""

    curated: pl.DataFrame
    partitions: pl.DataFrame
    logs: Logs
    crops: list[tuple[str, Path]]
    rows_read: int

    def build(self, releases: Path, settings: Settings | None = None, digest: str = DIGEST, extra=None) -> Path:
        """Build all parts and publish."""
        settings = settings or Settings()
        staging = Staging(releases, digest)
        self.parts(staging, settings.release)
        if settings.splits.protocol == "stable":
            extra = self.memory() | (extra or {})
        return publish(staging, settings, rows_read=self.rows_read, inputs=[INPUT], extra=extra)

    def memory(self) -> dict[str, Path]:
        """What `stable` leaves: every specimen, and one that an earlier release had."""
        rows = self.curated.select("processid", "genus", "species", "dna_bin", barcode_identity(pl.col("dna_barcode")))
        rows = rows.join(self.partitions, on="processid")
        gone = {"processid": "GONE-23", "split": "pretrain", "dna_barcode": "ACGT"}
        memory = pl.concat([rows, pl.DataFrame([gone])], how="diagonal").sort("processid")
        found = {}
        for table, frame in (
            (schema.PARTITION_MEMORY, memory),
            (schema.PARTITION_MOVES, schema.PARTITION_MOVES.empty()),
        ):
            name = f"{table.name}.parquet"
            found[name] = self.crops[0][1].parent / name
            table.conform(frame).write_parquet(found[name])
        return found

    def parts(self, staging: Staging, settings: ReleaseSettings) -> None:
        """Build all parts."""
        build_parts(staging, self.curated, self.partitions, self.logs, self.crops, settings)


# Eight partitions of 32 specimens are no work of `bioscan-5m`, and the check finds that out: a release that is to pass
# says that it grew out of earlier ones.
GROWN = SplitSettings(protocol="stable")
INPUT = {"name": "bold.tsv", "sha256": "0" * 64}


def encode(image: np.ndarray) -> bytes:
    """An RGB array as a baseline JPEG."""
    ok, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 75])
    assert ok
    return jpeg.tobytes()


def box_of(number: int) -> tuple[int, int, int, int]:
    """The box of one specimen, in an original of 1024 x 768 px."""
    return 300 + number, 200, 500 + number, 480


@cache
def picture(number: int) -> dict[str, bytes]:
    """The three packages of one specimen; no two look alike."""
    noise = np.random.default_rng(number)
    small = noise.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    original = cv2.resize(small, (1024, 768), interpolation=cv2.INTER_CUBIC)
    crop = cut(original, box_of(number), ImageSettings())
    return {
        "original_256": encode(cv2.resize(original, (341, 256), interpolation=cv2.INTER_AREA)),
        "cropped": encode(crop),
        "cropped_256": encode(cv2.resize(crop, (341, 256), interpolation=cv2.INTER_AREA)),
    }


def corpus(folder: Path, **values: list) -> Corpus:
    """Make a corpus of 32 specimens in two batches below `folder`; `values` replace columns of the curated rows."""
    chance = random.Random(5)
    rows, partitions = [], []
    for split, count in PER_SPLIT.items():
        for number in range(count):
            species = SPECIES[split][number % len(SPECIES[split])]
            lineage = LINEAGES[species] if species else ("Insecta", "Diptera" if number % 2 else None) + (None,) * 3
            barcode = "".join(chance.choices("ACGT", k=300)) + "N" + "".join(chance.choices("ACGT", k=300))
            # No stop codon, so that the reading frame is open.
            barcode = barcode.replace("TA", "TC")
            processid = f"DEMO{len(rows):03d}-24"
            x0, y0, x1, y1 = box_of(len(rows))
            rows.append(
                {
                    "processid": processid,
                    "sampleid": f"BIOUG{len(rows):05d}-A01",
                    "record_id": f"{processid}.COI-5P",
                    "batch": "one" if len(rows) % 3 else "two",
                    "source_file": "bold.tsv",
                    "source_line": len(rows) + 2,
                    "nuc": f"--{barcode}-",
                    "dna_barcode": barcode,
                    "dna_bin": f"BOLD:AAA{len(rows):04d}",
                    "country": "Canada",
                    "country_iso": "CA",
                    "province_state": "Ontario",
                    "coord-lat": 43.5 + len(rows) / 8,
                    "coord-lon": -80.25,
                    "phylum": "Arthropoda",
                    **dict(zip(vocabulary.RANKS[1:], (*lineage, species), strict=True)),
                    "taxon": species or lineage[1] or "Insecta",
                    "image_batch": "one" if len(rows) % 3 else "two",
                    "image_file": f"{processid}.jpg",
                    "image_status": "detected",
                    "confidence": 0.9,
                    "width_original": 1024,
                    "height_original": 768,
                    "x0": x0,
                    "y0": y0,
                    "x1": x1,
                    "y1": y1,
                    "area_fraction": round((x1 - x0) * (y1 - y0) / (1024 * 768), 4),
                    "scale_factor": round(min(x1 - x0, y1 - y0) / 256, 4),
                    "image_measurement_value": 8605,
                    "measurement_source": "mask",
                    "genus_name_type": "SCIENTIFIC" if species else "NO_NAME",
                    "species_name_type": SPECIES_TYPES[species],
                    "flags": [],
                }
            )
            partitions.append({"processid": processid, "split": split})
    rows[8]["flags"] = ["NAME_CASE"]
    for name, column in values.items():
        for row, value in zip(rows, column, strict=False):
            row[name] = value
    curated = filled(schema.CURATED, rows)
    crops = []
    for batch in ("one", "two"):
        place = folder / batch
        (place / "crops").mkdir(parents=True)
        numbered = [(n, row["processid"]) for n, row in enumerate(rows) if row["image_batch"] == batch]
        images = [(processid, picture(n)) for n, processid in [*numbered, (99, f"OTHER-{batch}")]]
        images.sort(key=lambda image: image[0])
        for package in ("original_256", "cropped", "cropped_256"):
            for shard in range(0, len(images), 5):
                pl.DataFrame(
                    [(processid, made[package]) for processid, made in images[shard : shard + 5]],
                    schema=schema.CROPS.schema(),
                    orient="row",
                ).write_parquet(place / "crops" / f"{package}-{shard // 5:05d}.parquet")
        crops.append((batch, place))
    logs = Logs(
        filled(schema.QUARANTINE, [{"processid": "Q1-24", "source_line": 90, "gates": ["NO_BARCODE", "NO_IMAGE"]}]),
        filled(schema.SET_ASIDE, [{"processid": "DEMO001-24", "source_line": 91, "reason": "superseded"}]),
        filled(
            schema.REJECTS, [{"source_line": 93, "reason": "field_count"}, {"source_line": 92, "reason": "field_count"}]
        ),
        filled(
            schema.CHANGES,
            [
                {
                    "processid": "DEMO008-24",
                    "field": "species",
                    "step": 0,
                    "before": "AEDES VEXANS",
                    "after": "Aedes vexans",
                    "rule": "NAME_CASE",
                    "ruleset": "1",
                }
            ],
        ),
        schema.DECISION_LOG.empty(),
        "1",
    )
    return Corpus(curated, pl.DataFrame(partitions, schema=schema.PARTITIONS.schema()), logs, crops, len(rows) + 4)
