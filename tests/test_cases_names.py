"""The cases 01, 02, 04 and 16 of `../shared/cases`, and false decisions on the lists of real names."""

import csv
from functools import cache

import polars as pl
import pytest
from cases import release_of
from conftest import SHARED_DATA
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.taxonomy.listing import list_names
from bioscan_etl.taxonomy.nametext import normalise_name

MOST_FALSE = 0.1  # false decisions per 1,000 names
SEEN = ("train", "val", "test")


def test_interim_names_keep_what_sets_them_apart(shared_cases, tmp_path):
    release = release_of(shared_cases, "01-interim-name-as-author", tmp_path / "out")
    records = pl.read_csv(
        shared_cases / "01-interim-name-as-author" / "records.tsv", separator="\t", infer_schema=False, glob=False
    )
    delivered = dict(records.select("processid", "species").iter_rows())
    table = release.rows(None, ["processid", "species", "split"])
    interim = {
        key: name for key, name in delivered.items() if name.count(" ") > 1 and "(" not in name and "," not in name
    }
    kept = table.filter(pl.col("processid").is_in(list(interim)))
    assert len(interim) == 42
    assert dict(kept.select("processid", "species").iter_rows()) == interim
    assert not set(kept["split"]) & set(SEEN)
    assert {"Rhagium inquisitor", "Tipula oleracea"} <= set(table["species"])
    assert {normalise_name(name, "species").type for name in interim.values()} <= {"PLACEHOLDER", "INFORMAL"}


def test_affinis_is_an_epithet(shared_cases, tmp_path):
    release = release_of(shared_cases, "02-affinis-is-an-epithet", tmp_path / "out")
    assert release.rows(None, ["species"])["species"].to_list() == ["Megaselia affinis"] * 5


def test_open_nomenclature_is_no_species(shared_cases, tmp_path):
    release = release_of(shared_cases, "04-open-nomenclature-words", tmp_path / "out")
    records = pl.read_csv(
        shared_cases / "04-open-nomenclature-words" / "records.tsv", separator="\t", infer_schema=False, glob=False
    )
    species = dict(release.rows(None, ["processid", "species"]).iter_rows())
    for processid, delivered in records.select("processid", "species").iter_rows():
        result = normalise_name(delivered, "species")
        assert result.type == "INFORMAL"
        missing = delivered.split(" ")[1] in {"spec.", "spec", "larva", "undescribed"}
        assert species[processid] == (None if missing else delivered)
        assert ("NAME_UNDETERMINED" in [rule for rule, _ in result.steps]) == missing


def test_identification_by_molecules_is_circular(shared_cases, tmp_path):
    release = release_of(shared_cases, "16-molecular-identification", tmp_path / "out")
    records = pl.read_csv(
        shared_cases / "16-molecular-identification" / "records.tsv", separator="\t", infer_schema=False, glob=False
    )
    flags = dict(release.rows(None, ["processid", "flags"]).iter_rows())
    honest = {"Morphological", "Digital Morphology (Aug 2023)", "identification key"}
    for processid, method in records.select("processid", "identification_method").iter_rows():
        assert ("IDENTIFICATION_CIRCULAR" in flags[processid]) == (method not in honest), method


def test_false_decisions_on_a_register_with_authors(shared_data):
    path = shared_data / "names" / "register_with_authors.tsv"
    found = list_names(path, column="scientificName", expected="expected")
    assert found.names == 6000
    assert found.false_per_thousand <= MOST_FALSE, found.wrong
    # Two have cf. in the register.
    assert found.types == {"SCIENTIFIC": 5998, "INFORMAL": 2}
    bare = list_names(path, column="expected", expected="expected")
    assert bare.false_per_thousand <= MOST_FALSE, bare.wrong


@pytest.mark.parametrize("name", ["bold_species.tsv", "pollinators.tsv"])
def test_false_decisions_on_lists_without_authors(shared_data, name):
    names = [line for line in (shared_data / "names" / name).read_text(encoding="utf-8").splitlines()[1:] if line]
    may_change = {"NAME_CASE", "NAME_UNDETERMINED", "NAME_QUALIFIER_DOTTED"}
    wrong = []
    for text in names:
        result = normalise_name(text, "species")
        plain = text.count(" ") == 1 and text.replace(" ", "").replace("-", "").isalpha() and text[1:].islower()
        described = plain and not text.endswith(("indet", "group", " sp"))
        wrong += [text] if {rule for rule, _ in result.steps} - may_change else []
        wrong += [text] if described and result.type != "SCIENTIFIC" else []
    assert len(names) >= 8000
    assert 1000 * len(wrong) / len(names) <= MOST_FALSE, wrong


@cache
def real_names():
    folder = SHARED_DATA / "names"
    if not folder.is_dir():
        return ["Aus bus L."]
    with (folder / "register_with_authors.tsv").open(encoding="utf-8", newline="") as stream:
        names = [row["scientificName"] for row in csv.DictReader(stream, delimiter="\t")]
    for name in ("bold_species.tsv", "pollinators.tsv"):
        names += (folder / name).read_text(encoding="utf-8").splitlines()[1:]
    return names


TAILS = st.sampled_from(
    [
        "",
        " A",
        " Norilsk",
        " L.",
        " (L., 1758)",
        " s.l.",
        " agg.",
        "-group",
        " cf",
        " larva",
        " Smith 2011",
        " var. cus",
    ]
)


@given(st.deferred(lambda: st.sampled_from(real_names())), TAILS)
@settings(max_examples=examples(2000))
def test_normalising_a_normalised_real_name_changes_nothing(name, tail):
    once = normalise_name(name + tail, "species")
    if once.name is not None:
        again = normalise_name(once.name, "species")
        assert (again.name, again.type, again.steps) == (once.name, once.type, ())
