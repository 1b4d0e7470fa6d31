"""The shipped profile: its size, its notes, and how it is made."""

import numpy as np
import polars as pl
import pytest

from bioscan_etl.barcodes import profile
from bioscan_etl.barcodes.columns import CODONS, COLUMNS, UNKNOWN


def test_each_codon_of_the_frame_has_a_weight_for_each_codon():
    table = pl.read_csv(profile.TABLE)
    assert table["codon"].to_list() == list(range(1, CODONS + 1))
    assert table.columns == ["codon", *profile.CODON_NAMES]


def test_a_codon_with_an_unknown_letter_says_nothing():
    weights = profile.weights().reshape(CODONS, 5, 5, 5)
    for axis in (1, 2, 3):
        assert not np.take(weights, UNKNOWN, axis).any()
    first = pl.read_csv(profile.TABLE).row(0, named=True)
    assert weights[0, 0, 1, 2] == first["ACG"]


def test_tryptophan_fits_where_coi_has_it():
    """TGA is tryptophan here. The barcode has five; that of WTxYPP, the motif of COI, is codon 110."""
    table = pl.read_csv(profile.TABLE)
    assert table.filter(pl.col("TGA") > 100)["codon"].to_list() == [9, 65, 87, 110, 170]


def test_the_notes_name_version_source_and_licence():
    notes = profile.notes()
    assert notes["version"] >= 1
    assert notes["columns"] == COLUMNS
    assert "CC BY-SA" in notes["licence"]
    assert notes["source"]


@pytest.mark.slow
def test_the_tool_makes_what_is_shipped(shared_data, tmp_path, monkeypatch):
    import runpy
    import sys
    from pathlib import Path

    files = [shared_data / "bold" / name for name in profile.notes()["files"]]
    shipped = profile.TABLE.read_bytes(), profile.NOTES.read_bytes()
    monkeypatch.setattr(profile, "TABLE", tmp_path / "coi_profile.csv")
    monkeypatch.setattr(profile, "NOTES", tmp_path / "coi_profile.json")
    tool = Path(__file__).parents[1] / "tools" / "build_coi_profile.py"
    monkeypatch.setattr(sys, "argv", [str(tool), *map(str, files)])
    runpy.run_path(str(tool), run_name="__main__")
    assert (profile.TABLE.read_bytes(), profile.NOTES.read_bytes()) == shipped
