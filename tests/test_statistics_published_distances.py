"""Published distances of groups and ranks."""

import shutil
import statistics

import polars as pl
import pytest
from framed_barcodes import drawn
from test_barcodes_published import program
from test_statistics_distances import changed

from bioscan_etl.barcodes.published import Mafft
from bioscan_etl.errors import SourceError
from bioscan_etl.settings import StatisticsSettings
from bioscan_etl.statistics.definitions import LEVELS, ON_DEMAND
from bioscan_etl.statistics.published_distances import find_aligner, published_distances

WHOLE = drawn(12, seed=6)


@pytest.fixture
def pads(tmp_path):
    """A program in the place of MAFFT that adds gaps at the end: barcodes of one gene without indels need no more."""
    script = "tr ACGTN acgtn | awk '/^>/ {print; next} {while (length($0) < 625) $0 = $0 \"-\"; print}'"
    return Mafft(str(program(tmp_path, script)), "v0")


def table(specimens):
    frame = pl.DataFrame(
        [dict.fromkeys(LEVELS) | labels | {"dna_barcode": text} for text, labels in specimens],
        schema={**dict.fromkeys(LEVELS, pl.String), "dna_barcode": pl.String},
    )
    return frame.lazy()


CLOSE = [WHOLE[0], changed(WHOLE[0], 3), changed(WHOLE[0], 3, 9), changed(WHOLE[0], 3, 9)[:600]]
SPECIMENS = [(text, {"genus": "A", "species": "A b"}) for text in CLOSE]


def test_a_group_worked_out_by_hand(pads):
    """Without the end, 25 columns of the 625 are gaps: each is an edit."""
    found = published_distances(table([*SPECIMENS, *SPECIMENS]), ["species"], StatisticsSettings(), pads)
    row = found["published_distances"].row(0, named=True)
    edits = [1, 2, 27, 1, 26, 25]
    assert (row["level"], row["group"]) == ("species", "A b")
    assert [row[name] for name in ("barcodes", "compared", "columns", "pairs", "left_out")] == [4, 4, 625, 6, 0]
    assert row["mean"] == pytest.approx(statistics.mean(edits))
    assert row["standard_deviation"] == pytest.approx(statistics.stdev(edits))
    assert (row["minimum"], row["maximum"]) == (1, 27)
    assert row["mean_substitutions"] == pytest.approx((1 + 2 + 2 + 1 + 1 + 0) / 6)
    level = found["published_levels"].row(0, named=True)
    assert (level["groups"], level["too_small"], level["pairs"], level["aligned_by"]) == (1, 0, 6, "MAFFT v0")
    assert level["mean"] == row["mean"]
    for one in ON_DEMAND:
        one.check(found[one.name])


def test_ends_that_the_cut_removes_make_no_pair(pads):
    specimens = [(WHOLE[1][:end], {"species": "A b"}) for end in (658, 650, 640, 630)]
    found = published_distances(table(specimens), ["species"], StatisticsSettings(), pads)
    row = found["published_distances"].row(0, named=True)
    assert (row["pairs"], row["left_out"], row["mean"], row["maximum"]) == (0, 6, None, None)
    assert found["published_levels"].row(0, named=True)["groups"] == 0


def test_small_groups_are_counted_and_large_ones_cut_except_species(pads):
    labels = {"genus": "A", "species": "A b"}
    specimens = [(text, labels) for text in WHOLE] + [(WHOLE[0], {"genus": "B"})]
    settings = StatisticsSettings(max_group_barcodes=5)

    def compared(rows, seed=0):
        chosen = settings.model_copy(update={"seed": seed})
        return published_distances(table(rows), ["species", "genus"], chosen, pads)

    found = compared(specimens)
    rows = {row["level"]: row for row in found["published_distances"].iter_rows(named=True)}
    assert list(rows) == ["genus", "species"]
    assert (rows["genus"]["barcodes"], rows["genus"]["compared"], rows["species"]["compared"]) == (12, 5, 12)
    assert found["published_levels"]["too_small"].to_list() == [1, 0]
    again = compared(specimens[::-1])
    assert all(found[name].equals(again[name]) for name in found)
    assert not found["published_distances"].equals(compared(specimens, seed=1)["published_distances"])


def test_an_unknown_rank_is_named_before_any_work():
    with pytest.raises(SourceError, match="no rank tribe; distances are within phylum"):
        find_aligner(["species", "tribe"])


def test_the_group_that_cannot_be_aligned_is_named(tmp_path):
    broken = Mafft(str(program(tmp_path, "exit 1")), "v0")
    with pytest.raises(SourceError, match="A b: MAFFT could not align 4 barcodes"):
        published_distances(table(SPECIMENS), ["species"], StatisticsSettings(), broken)


@pytest.mark.skipif(shutil.which("mafft") is None, reason="needs MAFFT: apt-get install mafft")
def test_with_mafft_the_same_table_twice():
    mafft = find_aligner(["species"])
    assert mafft.version.startswith("v")
    one, other = (
        published_distances(table(rows), ["species"], StatisticsSettings(), mafft)["published_distances"]
        for rows in (SPECIMENS, SPECIMENS[::-1])
    )
    assert one.equals(other)
    assert one["mean"].item() == pytest.approx(82 / 6)
