"""What partitions remember of the release before."""

from types import SimpleNamespace

import polars as pl
import pytest

from bioscan_etl.stages.partitions import _earlier
from bioscan_etl.stages.registry import MEMORY


@pytest.fixture
def lake(tmp_path):
    folder = tmp_path / "v1" / "data"
    folder.mkdir(parents=True)
    for number, barcode in enumerate(("NACGT", "ACGTNN")):
        row = {"processid": [f"P{number}"], "dna_barcode": [barcode], "split": ["train"]}
        pl.DataFrame(row).write_parquet(folder / f"train-{number:05}.parquet")
    return SimpleNamespace(releases=tmp_path)


def test_rows_of_a_release_are_remembered_by_the_identity_of_their_barcodes(lake):
    rows = _earlier(lake, "v1").collect()
    assert rows.rows() == [("P0", "ACGT", "train"), ("P1", "ACGT", "train")]


def test_a_memory_is_read_as_it_is(lake, tmp_path):
    memory = pl.DataFrame({"processid": ["P0"], "dna_barcode": ["ACGT"], "split": ["val"]})
    memory.write_parquet(tmp_path / "v1" / MEMORY)
    assert _earlier(lake, "v1").collect().equals(memory)


def test_a_first_release_remembers_nothing(lake):
    assert _earlier(lake, "") is None
