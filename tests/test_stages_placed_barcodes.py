"""The stage that places the barcodes of a batch: what it makes, and what it is made anew for."""

import polars as pl
import pytest
from framed_barcodes import drawn, noise

from bioscan_etl import landing
from bioscan_etl.lake import Lake
from bioscan_etl.schema import BCDM, PLACEMENTS
from bioscan_etl.settings import Settings
from bioscan_etl.stages.run import run_stage
from bioscan_etl.stages.situation import Situation

A, B = drawn(2)
HEADER = ["processid", *(column.name for column in BCDM)]


@pytest.fixture
def batch(tmp_path):
    """A lake with one batch of five records, two of them of one barcode."""
    lake = Lake(tmp_path / "out")
    lake.root.mkdir()
    barcodes = [A, A, f"--{B[:200]}---{B[200:]}", noise(1)[0], "None"]
    rows = [
        dict.fromkeys(HEADER, "None")
        | {"processid": f"P-{n}", "marker_code": "COI-5P", "nuc": nuc, "phylum": "Arthropoda"}
        for n, nuc in enumerate(barcodes)
    ]
    path = tmp_path / "records.tsv"
    path.write_text("\n".join("\t".join(row) for row in [HEADER, *(row.values() for row in rows)]) + "\n")
    return lake, landing.register(lake, "b1", [str(path)])


def made(batch, settings):
    """The outputs of the stages up to this one."""
    lake, delivered = batch
    situation = Situation(lake, settings, batch=delivered)
    done = {name: run_stage(name, situation) for name in ("raw_records", "checked_barcodes", "placed_barcodes")}
    return {name: one.output for name, one in done.items()}


def test_each_barcode_is_placed_once_and_the_refused_are_counted(batch):
    output = made(batch, Settings())["placed_barcodes"]
    table = pl.read_parquet(output.path("placements.parquet"))
    PLACEMENTS.check(table)
    assert table["barcode"].to_list() == sorted({A, B, noise(1)[0]})
    assert output.counts["placements"] == 3
    assert output.counts["doubts"] == {"NOT_PLACED": 1}
    assert output.counts["refused_share"] == pytest.approx(1 / 3)
    assert output.counts["profile"] >= 1


def test_another_threshold_places_no_barcode_anew(batch):
    """A flag is no letter: 2.5 million barcodes take half an hour."""
    before = made(batch, Settings())
    after = made(batch, Settings(barcodes={"min_length": 659}))
    assert before["checked_barcodes"].fingerprint != after["checked_barcodes"].fingerprint
    assert before["placed_barcodes"].fingerprint == after["placed_barcodes"].fingerprint
