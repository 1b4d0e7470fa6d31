"""Write a synthetic corpus: landing folders, and the truth about them.

    DIR/landing/<batch>/   a records file in the layout of its year, images in a folder or zip
    DIR/truth/             truth.parquet, truth.csv, clean.parquet, boxes.csv; pairs.csv: images and barcodes that
                           are another specimen's; ideal.csv: how right a classifier can be in spite of these

A batch's marker is not written here: `bioscan_etl.landing.register` does that from the summary.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.demo.barcode_defects import plant_barcodes, plant_gates, plant_lengths
from bioscan_etl.demo.draft import BATCHES, FILES, TRUNCATED_FILE, TRUNCATED_NAME, Draft, sound_corpus
from bioscan_etl.demo.image_plan import ARCHIVE, FOLDER, MANIFEST, Picture, plan_images, write_images
from bioscan_etl.demo.kinds import KINDS
from bioscan_etl.demo.name_defects import plant_names
from bioscan_etl.demo.place_defects import plant_places
from bioscan_etl.demo.records_file import row_orders, write_records
from bioscan_etl.demo.row_defects import plant_rows, plant_texts
from bioscan_etl.demo.sequences import Indices, as_text
from bioscan_etl.demo.wrong_pairs import ideal_scores, plant_barcodes_of_others, wrong_pairs
from bioscan_etl.errors import SourceError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.vocabulary import RANKS

_TRUTH = {
    "batch": pl.String,
    "source_file": pl.String,
    "source_line": pl.Int64,
    "processid": pl.String,
    "image_file": pl.String,
    "kind": pl.String,
    "report": pl.String,
    "expected": pl.String,
    "field": pl.String,
    "planted": pl.String,
    "expected_value": pl.String,
}


@dataclass(frozen=True, slots=True)
class DemoBatch:
    """A delivery in the landing folder; `image_manifest` is None if file names suffice."""

    name: str
    records: tuple[Path, ...]
    images: Path | None
    image_manifest: Path | None


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What was written.

    Attributes:
        batches: the deliveries.
        specimens: number of specimens.
        images: number of image files.
        planted: number of facts by kind.
        left_out: kinds that found no room.
        truth: folder of the truth tables.
    """

    batches: tuple[DemoBatch, ...]
    specimens: int
    images: int
    planted: dict[str, int]
    left_out: tuple[str, ...]
    truth: Path


def write_demo(
    output: Path, specimens: int = 300, seed: int = 0, progress: Progress = silent, *, images: bool = True
) -> DemoSummary:
    """Write a synthetic corpus with planted defects; the same arguments give the same bytes.

    Args:
        output: folder to write `landing` and `truth` into; an earlier corpus there is replaced.
        specimens: number of specimens, at least 1. From `bioscan_etl.demo.taxonomy.BASE_SPECIMENS` on every kind
            is planted; below, as many as fit, those of rows and images first, and two fifths stay untouched.
        seed: seed of everything, at least 0.
        progress: reports each step.
        images: whether to draw images; without them corpora of millions of records are quick.

    Returns:
        The batches, and what was planted.

    Raises:
        SourceError: no specimens, a negative seed, or `output` holds something else.
    """
    if specimens < 1:
        raise SourceError(f"--specimens {specimens} makes no corpus; give 1 or more")
    if seed < 0:
        raise SourceError(f"--seed {seed} is negative; give 0 or more")
    landing, truth = _fresh_folders(output)
    draft, pictures, manifest = planned(specimens, seed, images=images)
    orders = row_orders(draft, np.random.default_rng([seed, 3]))
    paths = [landing / BATCHES[FILES[file]].name / _file_name(file) for file in range(len(FILES))]
    for file, (order, path) in enumerate(zip(orders, paths, strict=True)):
        progress("write records", file, len(FILES))
        path.parent.mkdir(exist_ok=True)
        write_records(draft, order, file, path)
    progress("write records", len(FILES), len(FILES))
    facts = _truth_table(draft, orders)
    _write_truth(draft, facts, truth)
    if images:
        write_images(pictures, manifest, landing, seed, progress).write_csv(truth / "boxes.csv")
    planted = dict(facts.group_by("kind").len().sort("kind").iter_rows())
    return DemoSummary(
        batches=tuple(_batch(landing, position, images=images) for position in range(len(BATCHES))),
        specimens=specimens,
        images=len(pictures),
        planted=planted,
        left_out=tuple(kind for kind in KINDS if kind not in planted),
        truth=truth,
    )


def planned(
    specimens: int, seed: int = 0, *, images: bool = True
) -> tuple[Draft, list[Picture], list[tuple[str, str]]]:
    """The corpus that `write_demo` writes for the same arguments: its draft, pictures and manifest rows."""
    draft = sound_corpus(specimens, seed)
    # In a small corpus the first ones get their specimens first.
    plant_rows(draft)
    plant_gates(draft)
    pictures, manifest = plan_images(draft) if images else ([], [])
    plant_names(draft)
    plant_barcodes(draft)
    plant_places(draft)
    plant_texts(draft)
    # Only where nothing else was planted: a wrong pair or a short read looks like no other fact.
    plant_barcodes_of_others(draft)
    plant_lengths(draft)
    return draft, pictures, manifest


def _file_name(file: int) -> str:
    return TRUNCATED_NAME if file == TRUNCATED_FILE else BATCHES[FILES[file]].records_file


def _fresh_folders(output: Path) -> tuple[Path, Path]:
    """Make `landing` and `truth`, dropping those of an earlier demo.

    Batches without a truth folder beside them are somebody's own and stay, as do batches of other names.
    """
    landing, truth = output / "landing", output / "truth"
    if any((landing / plan.name).exists() for plan in BATCHES) and not truth.exists():
        raise SourceError(f"{landing} holds batches that no demo wrote: there is no {truth}; give another --output")
    for plan in BATCHES:
        if (landing / plan.name).exists():
            shutil.rmtree(landing / plan.name)
    if truth.exists():
        shutil.rmtree(truth)
    landing.mkdir(parents=True, exist_ok=True)
    truth.mkdir()
    return landing, truth


def _batch(landing: Path, position: int, *, images: bool) -> DemoBatch:
    folder = landing / BATCHES[position].name
    sources = [folder / name for name in (FOLDER, ARCHIVE) if (folder / name).exists()]
    return DemoBatch(
        name=BATCHES[position].name,
        records=tuple(folder / _file_name(file) for file, batch in enumerate(FILES) if batch == position),
        images=sources[0] if images and sources else None,
        image_manifest=folder / MANIFEST if (folder / MANIFEST).exists() else None,
    )


def _truth_table(draft: Draft, orders: list[Indices]) -> pl.DataFrame:
    """The planted facts with their lines, sorted by kind and place."""
    line = np.zeros(sum(len(order) for order in orders), np.int64)
    file_of = np.zeros(len(line), np.int64)
    for number, order in enumerate(orders):
        # The header is line 1.
        line[order] = np.arange(len(order)) + 2
        file_of[order] = number
    processids = draft.specimens["processid"].to_list()
    written = dict(draft.edits.get("processid", []))
    rows = []
    for fact in draft.truths:
        kind = KINDS[fact.kind]
        specimen = fact.row if fact.row is not None else fact.specimen  # a specimen's own row has its number
        processid = None
        if specimen is not None and specimen not in draft.raw_rows:
            origin = specimen if specimen < len(processids) else draft.extra[specimen - len(processids)][0]
            processid = written.get(specimen, processids[origin])
        file = None if fact.row is None else int(file_of[fact.row])
        batch = fact.batch if file is None else FILES[file]
        rows.append(
            (
                None if batch is None else BATCHES[batch].name,
                None if file is None else _file_name(file),
                None if fact.row is None else int(line[fact.row]),
                processid,
                fact.image_file,
                fact.kind,
                str(kind.report),
                kind.expected,
                fact.field,
                fact.planted,
                fact.expected_value,
            )
        )
    table = pl.DataFrame(rows, schema=_TRUTH, orient="row")
    return table.sort("kind", "batch", "source_file", "source_line", "image_file", "field", nulls_last=True)


def _write_truth(draft: Draft, facts: pl.DataFrame, folder: Path) -> None:
    """The facts; the specimens that no rule may flag, with their sound values; wrong pairs, and what they cost."""
    facts.write_parquet(folder / "truth.parquet")
    facts.write_csv(folder / "truth.csv")
    faulty = facts.filter(pl.col("kind").is_in([kind.id for kind in KINDS.values() if not kind.benign]))
    barcodes = as_text(draft.barcodes[draft.haplotype])
    for specimen, sequence in draft.shortened.items():
        barcodes[specimen] = sequence
    plans = pl.Series([plan.name for plan in BATCHES])
    clean = draft.specimens.select(
        "processid",
        plans.gather(draft.batch).alias("batch"),
        pl.col("country/ocean", "province/state", "bin_uri", "collection_date_end"),
        pl.col("site_iso").alias("country_iso"),
        pl.col("latitude").alias("coord-lat"),
        pl.col("longitude").alias("coord-lon"),
        *(pl.col(rank).replace("None", None) for rank in RANKS),
        pl.Series("nuc", barcodes),
    )
    clean.join(faulty, on="processid", how="anti").sort("processid").write_parquet(folder / "clean.parquet")
    wrong_pairs(draft).write_csv(folder / "pairs.csv")
    ideal_scores(draft).write_csv(folder / "ideal.csv")
