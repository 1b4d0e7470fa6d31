"""Scores for the tests of what reads them: rows of `schema.EVALUATION` of which a few columns are given."""

import polars as pl

from bioscan_etl.schema import EVALUATION

DIGEST = "0" * 64
ROW = {
    "benchmark": "barcodebert",
    "task": "left_out_species",
    "model": "6-mers",
    "queries": "labelled",
    "keys": "labelled",
    "rank": "genus",
    "subset": "all",
    "metric": "top1_micro",
    "value": 0.6,
    "low": 0.55,
    "high": 0.65,
    "majority": 0.2,
    "shuffled": 0.1,
    "n": 1000,
    "classes": 50,
    "n_keys": 1200,
    "cpu_seconds": 1.5,
    "seed": 0,
    "note": None,
    "versions": "bioscan-etl 1.0, numpy 2.4",
    "release": "tiny v1",
    "digest": DIGEST,
}
NOT_APPLICABLE = {
    **dict.fromkeys(("value", "low", "high", "majority", "shuffled")),
    "n": 0,
    "classes": 0,
    "note": "not applicable, because there is no query with a label",
}


def scores(*rows: dict) -> pl.DataFrame:
    """Scores of rows, each of which gives what differs from `ROW`."""
    return EVALUATION.conform(pl.DataFrame([{**ROW, **row} for row in rows], schema=EVALUATION.schema()))
