"""A corpus as the desk finds it after a run: specimens, curated labels and doubts, without the work of making them."""

from pathlib import Path

import polars as pl
from release_corpus import filled

from bioscan_etl.desk.corpus import Corpus, open_corpus
from bioscan_etl.doubts.find import Tables, find_doubts
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import point
from bioscan_etl.schema import CURATED, DECISIONS, DOUBTS, PROPOSALS, SPECIMENS
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.cases import CASES
from bioscan_etl.taxonomy.conflicts import CONFLICTS
from bioscan_etl.taxonomy.typos import TYPOS

SOUND = {
    "batch": "one",
    "image_status": "detected",
    "confidence": 0.9,
    "width_original": 320,
    "height_original": 240,
    "barcode_length": 8,
    "unambiguous_run": 600,
    "country": "Kenya",
    "phylum": "Arthropoda",
    "class": "Insecta",
    "order": "Diptera",
    "flags": [],
    "gates": [],
}


def corpus_of(
    root: Path,
    rows: list[dict],
    conflicts: list[dict] = (),
    typos: list[dict] = (),
    reports: pl.DataFrame | None = None,
    cases: list[dict] = (),
) -> Corpus:
    """A corpus below `root`; `rows` are specimens, each with its `processid`; `made`: its final species.

    `reports` are lines of `schema.PROPOSALS`.
    """
    lines = PROPOSALS.empty() if reports is None else reports
    given = [SOUND | row for row in rows]
    specimens = filled(SPECIMENS, [{name: cell for name, cell in row.items() if name != "made"} for row in given])
    accepted = [
        {name: cell for name, cell in row.items() if name not in ("made", "gates")}
        | {"species": row.get("made"), "taxon": row.get("made") or row["order"]}
        for row in given
        if not row["gates"]
    ]
    curated = filled(CURATED, accepted)
    doubts = find_doubts(
        Tables(
            specimens.lazy(),
            curated.lazy(),
            pl.DataFrame(list(conflicts), schema=CONFLICTS),
            pl.DataFrame(list(typos), schema=TYPOS),
            DECISIONS.empty(),
            lines,
            pl.DataFrame(list(cases), schema=CASES),
        ),
        Settings(),
    )
    lake = Lake(root)
    stages = {"specimens": (SPECIMENS, specimens), "curated_taxonomy": (CURATED, curated), "doubts": (DOUBTS, doubts)}
    stages |= {"proposals": (PROPOSALS, lines)}
    for stage, (table, frame) in stages.items():
        with lake.writing(stage, "1" * 64, made_from={}) as draft:
            draft.write(table, frame)
        point(lake, stage, "1" * 64)
    return open_corpus(root, "Ada Lovelace")
