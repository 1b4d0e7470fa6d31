"""The numbers of a release's labels: by name, or as the release states them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.release.classes import IGNORED, RANKED, class_numbers

NAMES = st.one_of(st.none(), st.sampled_from([f"Name{letter}" for letter in "FADCBE"]))


def frame(**columns):
    rows = max(map(len, columns.values()))
    return pl.DataFrame(
        {name: columns.get(name, [None] * rows) for name in RANKED}, schema=dict.fromkeys(RANKED, pl.String)
    )


@given(st.lists(NAMES, min_size=1, max_size=12), st.data())
def test_without_files_the_labels_of_all_specimens_are_numbered_by_name(tmp_path_factory, names, data):
    chosen = data.draw(st.lists(st.integers(0, len(names) - 1), unique=True))
    places = pl.Series(sorted(chosen), dtype=pl.UInt32)
    found = class_numbers(tmp_path_factory.getbasetemp(), frame(genus=names), ["genus"], places)["genus"]
    assert found.labels == tuple(sorted({name for name in names if name is not None}))
    assert found.numbers.dtype == np.int64
    expected = [IGNORED if names[place] is None else found.labels.index(names[place]) for place in sorted(chosen)]
    assert found.numbers.tolist() == expected


def stated(root, **tables):
    (root / "labels").mkdir()
    for rank in vocabulary.RANKS:
        lines = tables.get(rank, [])
        counts = ",0" * len(vocabulary.SPLITS)
        header = ",".join(["index,label,parent_index", *vocabulary.SPLITS])
        (root / f"labels/{rank}.csv").write_text("\n".join([header, *(line + counts for line in lines)]) + "\n")
    return root


LINEAGE = {
    "phylum": ["0,Arthropoda,-1"],
    "class": ["0,Insecta,0"],
    "order": ["0,Hymenoptera,0", "1,Diptera,0"],
    "family": ["0,Apidae,0", "1,Culicidae,1"],
    "subfamily": ["0,Apinae,0", "1,Culicinae,1"],
    # The same name in two orders, and one that no specimen has any more.
    "genus": ["0,Apis,0", "1,Gone,0", "2,Apis,1"],
}
ROWS = frame(
    phylum=["Arthropoda"] * 4,
    **{"class": ["Insecta"] * 4},
    order=["Diptera", "Hymenoptera", "Hymenoptera", "Diptera"],
    family=["Culicidae", "Apidae", None, "Culicidae"],
    subfamily=["Culicinae", "Apinae", None, "Culicinae"],
    genus=["Apis", "Apis", None, None],
    dna_bin=["B", None, "A", "B"],
)
ALL = pl.Series(range(4), dtype=pl.UInt32)


def test_the_numbers_that_a_release_states_are_taken_and_parents_tell_homonyms_apart(tmp_path):
    found = class_numbers(stated(tmp_path, **LINEAGE), ROWS, ["order", "genus", "dna_bin"], ALL)
    assert found["order"].labels == ("Hymenoptera", "Diptera")
    assert found["order"].numbers.tolist() == [1, 0, 0, 1]
    assert found["genus"].labels == ("Apis", "Gone", "Apis")
    assert found["genus"].numbers.tolist() == [2, 0, IGNORED, IGNORED]
    assert found["dna_bin"].labels == ("A", "B")
    assert found["dna_bin"].numbers.tolist() == [1, IGNORED, 0, 1]


@pytest.mark.parametrize(
    ("genus", "words"),
    [
        (["0,Apis,0"], "genus.csv lacks 'Apis'"),
        (["0,Apis,0", "2,Apis,1"], "its indices are not those of labels"),
        (["zero,Apis,0"], "cannot be read"),
    ],
)
def test_damaged_files_are_refused(tmp_path, genus, words):
    with pytest.raises(SourceError, match=words):
        class_numbers(stated(tmp_path, **LINEAGE | {"genus": genus}), ROWS, ["genus"], ALL)


def test_a_file_that_is_missing_or_a_link_is_refused(tmp_path):
    (tmp_path / "root").mkdir()
    root = stated(tmp_path / "root", **LINEAGE)
    (root / "labels/genus.csv").rename(tmp_path / "genus.csv")
    with pytest.raises(SourceError, match=r"genus.csv cannot be read"):
        class_numbers(root, ROWS, ["genus"], ALL)
    (root / "labels/genus.csv").symlink_to(tmp_path / "genus.csv")
    with pytest.raises(SourceError, match="no plain file"):
        class_numbers(root, ROWS, ["genus"], ALL)
