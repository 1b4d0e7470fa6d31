"""Genetic codes by lineage and reading frames, held against a plain reading codon by codon."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.reading_frame import STOP_CODONS, certain_stops, genetic_code, open_frame


def frame_of(sequence: str | None, code: int) -> int | None:
    return pl.select(open_frame(pl.lit(sequence, pl.String), pl.lit(code, pl.Int32))).item()


@pytest.mark.parametrize(
    ("phylum", "class_", "code"),
    [
        ("Arthropoda", "Insecta", 5),
        ("Chordata", "Mammalia", 2),
        ("Chordata", None, 2),
        ("Chordata", "Ascidiacea", 13),
        ("Chordata", "Leptocardii", 5),
        (" echinodermata", "Asteroidea", 9),
        ("Platyhelminthes", None, 9),
        (None, None, 5),
        (None, "Ascidiacea", 5),
    ],
)
def test_the_lineage_chooses_the_code(phylum, class_, code):
    frame = pl.DataFrame({"phylum": [phylum], "class": [class_]}, schema={"phylum": pl.String, "class": pl.String})
    assert frame.select(genetic_code(pl.col("phylum"), pl.col("class"), 5)).item() == code


def test_ambiguous_codons_stop_only_where_every_reading_does():
    assert certain_stops(5) == ("TAA", "TAG", "TAR")
    assert set(certain_stops(2)) == {"TAA", "TAG", "TAR", "AGA", "AGG", "AGR"}
    assert set(certain_stops(1)) == {"TAA", "TAG", "TAR", "TGA", "TRA"}
    assert not any("N" in codon for code in STOP_CODONS for codon in certain_stops(code))


@pytest.mark.parametrize(
    ("sequence", "code", "frame"),
    [
        ("ATGTGATTT", 5, 0),
        ("TGATTTTTT", 1, 1),
        ("AGACCCCCC", 5, 0),
        ("AGACCCCCC", 2, 1),
        ("TAACCCCCC", 5, 1),
        ("TAATAATAATAA", 5, 1),
        ("TANCCCCCC", 5, 0),
        ("TARCCCCCC", 5, 1),
        ("CCCTA", 5, 0),
        ("TAACTAACTAA", 5, None),
        ("", 5, 0),
        (None, 5, None),
        ("CCC", 3, None),
    ],
)
def test_the_first_open_offset(sequence, code, frame):
    assert frame_of(sequence, code) == frame


@given(st.text("ACGTNRY", max_size=40), st.sampled_from(sorted(STOP_CODONS)))
def test_frames_agree_with_reading_codon_by_codon(sequence, code):
    stops = set(certain_stops(code))
    expected = next(
        (
            offset
            for offset in range(3)
            if not any(sequence[i : i + 3] in stops for i in range(offset, len(sequence) - 2, 3))
        ),
        None,
    )
    assert frame_of(sequence, code) == expected
