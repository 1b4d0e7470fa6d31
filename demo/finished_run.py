"""What a finished run reports about a demo corpus, in the terms of the truth table.

Belongs here: reading the lake. Does not belong here: comparing it with the truth (`bioscan_etl.demo.score`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl import landing
from bioscan_etl.demo.kinds import Report
from bioscan_etl.io.tables import read_csv, read_parquet
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.vocabulary import RANKS

_DETECTOR = ("detected", "low_confidence", "empty", "multiple")
_SAME_BOX = 0.5
"""Intersection over union from which a box counts as the true one."""
_IMAGE, _BOX = ("batch", "image_file", "processid"), ("x0", "y0", "x1", "y1")
_AT = ("batch", "source_file", "source_line", "image_file", "processid")
FINAL = {
    "nuc": "dna_barcode",
    "bin_uri": "dna_bin",
    "country/ocean": "country",
    "province/state": "province_state",
    "country_iso": "country_iso",
    "collection_date_end": "collection_date_end",
    **{rank: rank for rank in RANKS},
}
"""Column that holds the value after curation, by BCDM column as the truth names it."""
_AS_READ = ("habitat", "notes", "collectors", "site")


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """Tables of a finished run: `specimens` with final labels, `records` as read, images, and the change log."""

    specimens: pl.DataFrame
    records: pl.DataFrame
    rejects: pl.DataFrame
    set_aside: pl.DataFrame
    index: pl.DataFrame
    boxes: pl.DataFrame
    changes: pl.DataFrame


def load(home: Lake) -> FinishedRun:
    """Read the tables of a run.

    Raises:
        LakeError: the run has not finished.
    """
    held, labels = get(home, "specimens"), get(home, "curated_taxonomy")
    specimens = read_parquet(held.path("specimens.parquet"))
    curated = read_parquet(labels.path("curated.parquet"), columns=["processid", "flags", *RANKS])
    # Curated labels may be null, so they replace the others row by row, not value by value.
    final = curated.with_columns(accepted=pl.lit(True))
    specimens = specimens.join(final, on="processid", how="left", suffix="_curated").with_columns(
        pl.col("accepted").fill_null(False),
        *(pl.when("accepted").then(f"{name}_curated").otherwise(name).alias(name) for name in ("flags", *RANKS)),
    )

    def of_batches(stage: str, table: str, *columns: str) -> pl.DataFrame:
        names = landing.landed(home)
        return pl.concat(read_parquet(get(home, stage, name).path(table), columns=list(columns)) for name in names)

    records = of_batches("raw_records", "records.parquet", "processid", "batch", *_AS_READ)
    return FinishedRun(
        specimens=specimens,
        records=records.join(specimens, on=["processid", "batch"], how="semi"),
        rejects=read_parquet(held.path("rejects.parquet")),
        set_aside=read_parquet(held.path("set_aside.parquet")),
        index=of_batches("specimen_images", "image_index.parquet", *_IMAGE, "status"),
        boxes=of_batches("specimen_boxes", "boxes.parquet", *_IMAGE, "status", *_BOX),
        changes=read_parquet(labels.path("changes.parquet")),
    )


def reported_by(run: FinishedRun) -> pl.DataFrame:
    """Everything the run reports about rows, images and specimens: report, expected, and where (`_AT`)."""
    specimens = run.specimens
    of_specimens = {
        Report.FLAG: specimens.select("processid", expected="flags").explode("expected"),
        Report.GATE: specimens.select("processid", expected="gates").explode("expected"),
        Report.NAME_TYPE: specimens.select("processid", expected="species_name_type"),
        Report.CANDIDATE: specimens.filter(pl.col("flags").list.contains("NAME_TYPO_CANDIDATE")).select(
            "processid", expected=pl.lit("listed")
        ),
        Report.VALUE: run.changes.select("processid", expected="rule"),
    }
    some = run.boxes.filter(pl.col("status").is_in(_DETECTOR)).with_columns(status=pl.lit("any"))
    tables = {
        Report.REJECT: run.rejects.rename({"reason": "expected"}),
        Report.SET_ASIDE: run.set_aside.rename({"reason": "expected"}),
        Report.IMAGE_INDEX: run.index.rename({"status": "expected"}),
        Report.BOX: pl.concat([run.boxes, some]).rename({"status": "expected"}),
        **of_specimens,
    }
    empty = pl.DataFrame(schema=dict.fromkeys(("expected", *_AT), pl.String) | {"source_line": pl.Int64})
    return pl.concat(
        [
            pl.concat([empty.clear(), table], how="diagonal_relaxed").select(
                "expected", *_AT, report=pl.lit(str(report))
            )
            for report, table in tables.items()
        ]
    ).drop_nulls("expected")


def final_values(run: FinishedRun) -> pl.DataFrame:
    """Final values as text: processid, field (as the truth names it), value."""
    proposed = pl.format("{} {}", "proposed-lat", "proposed-lon").alias("coord")
    own = run.specimens.select(
        "processid", proposed, *(pl.col(name).cast(pl.String).alias(field) for field, name in FINAL.items())
    )
    tables = (own, run.records.select("processid", *_AS_READ))
    return pl.concat(table.unpivot(index="processid", variable_name="field", value_name="value") for table in tables)


def same_boxes(run: FinishedRun, truth: Path) -> pl.DataFrame:
    """batch, image_file of pictures that were decoded upright: the box found is the true one."""
    true = read_csv(
        truth / "boxes.csv", schema_overrides=dict.fromkeys(("batch", "image_file", "processid"), pl.String)
    )
    both = run.boxes.filter(pl.col("x0").is_not_null()).join(
        true, on=["batch", "image_file"], how="inner", suffix="_true"
    )
    sides = [
        (pl.min_horizontal(f"{axis}1", f"{axis}1_true") - pl.max_horizontal(f"{axis}0", f"{axis}0_true")).clip(0)
        for axis in "xy"
    ]
    shared = sides[0] * sides[1]
    areas = [
        (pl.col(f"x1{end}") - pl.col(f"x0{end}")) * (pl.col(f"y1{end}") - pl.col(f"y0{end}")) for end in ("", "_true")
    ]
    return both.filter(shared >= _SAME_BOX * (areas[0] + areas[1] - shared)).select("batch", "image_file")
