"""The released rows: order, chunk rule, rewritten values and their log."""

import hashlib

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from release_corpus import corpus

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import InvariantError
from bioscan_etl.release.metadata import (
    FORMULA_START,
    LINE_BREAK,
    OUTER_BLANK,
    READ_AS_MISSING,
    append_changes,
    chunk,
    looks_missing,
    metadata,
)
from bioscan_etl.release.rules import RULES


def released(made):
    return metadata(made.curated, made.partitions)


def test_rows_are_sorted_by_split_order_family_and_processid(tmp_path):
    made = corpus(tmp_path)
    shuffled = made.curated.sample(fraction=1, shuffle=True, seed=3)
    rows, log = metadata(shuffled, made.partitions.reverse())
    assert rows.equals(released(made)[0])
    assert log.height == 0
    keys = [
        (vocabulary.SPLITS.index(r["split"]), r["order"] is None, r["order"] or "", r["family"] or "", r["processid"])
        for r in rows.iter_rows(named=True)
    ]
    assert keys == sorted(keys)
    assert rows.schema == schema.METADATA_EXTENDED.schema()
    assert rows.columns[:23] == schema.METADATA.names()


def test_the_23_columns_are_those_of_the_specification():
    text = (
        "processid, sampleid, taxon, phylum, class, order, family, subfamily, genus, species, dna_bin, dna_barcode, "
        "country, province_state, coord-lat, coord-lon, image_measurement_value, area_fraction, scale_factor, "
        "inferred_ranks, split, index_bioscan_1M_insect, chunk"
    )
    assert schema.METADATA.names() == text.split(", ")


@settings(deadline=None, max_examples=examples(30))
@given(
    st.lists(
        st.tuples(st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True), st.sampled_from(vocabulary.SPLITS)),
        max_size=30,
    )
)
def test_chunk_is_the_start_of_the_md5_of_the_processid(rows):
    frame = pl.DataFrame(rows, schema={"processid": pl.String, "split": pl.String}, orient="row")
    digits = {"pretrain": 2, "train": 1, "other_heldout": 1}
    expected = [hashlib.md5(p.encode()).hexdigest()[: digits.get(s, 0)] for p, s in rows]
    assert chunk(frame["processid"], frame["split"]).to_list() == expected


def test_chunk_of_published_images():
    # Paths that the published loader pins.
    ids = pl.Series(["AACTA1040-20", "YGEN686-22", "AACTA1026-20", "AACTA161-20", "YDBB6502-21"])
    splits = pl.Series(["pretrain", "pretrain", "train", "val", "other_heldout"])
    assert chunk(ids, splits).to_list() == ["00", "ff", "0", "", "f"]


@pytest.mark.parametrize(
    ("field", "before", "after", "rules"),
    [
        ("province_state", "Nan", "Nan Province", ["VALUE_LOOKS_MISSING"]),
        ("country", "null", "null (country)", ["VALUE_LOOKS_MISSING"]),
        ("sampleid", "N/A", "N/A (sample)", ["VALUE_LOOKS_MISSING"]),
        ("genus", "None", "None (name)", ["VALUE_LOOKS_MISSING"]),
        ("country", "Tanzania, United Republic of", "Tanzania; United Republic of", ["VALUE_HAS_COMMA"]),
        ("province_state", 'The "North"', "The 'North'", ["VALUE_HAS_QUOTE"]),
        ("province_state", " Ont\r\nario\t", "Ont ario", ["VALUE_HAS_BLANKS"]),
        ("province_state", "\u00a0Ontario\u2028", "Ontario", ["VALUE_HAS_BLANKS"]),
        ("province_state", " ", None, ["VALUE_HAS_BLANKS"]),
        ("province_state", "", None, ["VALUE_HAS_BLANKS"]),
        ("sampleid", "=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0", ["VALUE_LOOKS_LIKE_FORMULA"]),
        ("sampleid", "@a,b", "'@a;b", ["VALUE_HAS_COMMA", "VALUE_LOOKS_LIKE_FORMULA"]),
        ("sampleid", "-nan", "'-nan", ["VALUE_LOOKS_LIKE_FORMULA"]),
        ("sampleid", " NA ", "NA (sample)", ["VALUE_HAS_BLANKS", "VALUE_LOOKS_MISSING"]),
        ("species", "Nana sp. 1", "Nana sp. 1", []),
    ],
)
def test_values_that_a_reader_would_misread_are_rewritten_and_logged(tmp_path, field, before, after, rules):
    rows, log = released(corpus(tmp_path, **{field: [before, "Other"]}))
    assert rows.filter(pl.col("processid") == "DEMO000-24")[field].item() == after
    assert rows.filter(pl.col("processid") == "DEMO001-24")[field].item() == "Other"
    assert log["rule"].to_list() == rules
    if rules:
        assert (log["before"][0], log["after"][-1]) == (before, after)
        assert log["before"][1:].to_list() == log["after"][:-1].to_list()
    flags = rows.filter(pl.col("processid") == "DEMO000-24")["flags"].item().to_list()
    assert flags == sorted(rules)


def test_a_label_and_the_taxon_that_repeats_it_stay_the_same_text(tmp_path):
    rows, _ = released(corpus(tmp_path, species=[None] * 8 + ["Null"], taxon=["Diptera"] * 8 + ["Null"]))
    row = rows.row(by_predicate=pl.col("processid") == "DEMO008-24", named=True)
    assert row["species"] == row["taxon"] == "Null (name)"


_NASTY = st.text(alphabet=st.sampled_from(list("aN=+-@,\"'\n\r\t \u00a0\u2028\x00nulNA/é;")), max_size=8)


@settings(deadline=None, max_examples=examples(30))
@given(st.lists(st.one_of(st.none(), _NASTY, st.sampled_from(READ_AS_MISSING)), min_size=1, max_size=6))
def test_no_value_is_left_that_a_reader_would_misread(tmp_path_factory, values):
    made = _made(tmp_path_factory)
    rows, log = metadata(
        made.curated.with_columns(
            pl.Series("sampleid", (values * 32)[:32], dtype=pl.String),
            pl.Series("province_state", (values * 32)[:32], dtype=pl.String),
        ),
        made.partitions,
    )
    for name in ("sampleid", "province_state"):
        value = pl.col(name)
        for wrong in (
            value.str.contains('[,"]'),
            value.str.contains(LINE_BREAK),
            value.str.contains(OUTER_BLANK),
            value.str.contains(FORMULA_START),
            looks_missing(value),
        ):
            assert rows.filter(wrong).height == 0
    # Undoing the log gives back what was delivered.
    undone = rows.select("processid", "sampleid").join(
        log.filter(pl.col("field") == "sampleid").unique("processid", keep="first", maintain_order=True),
        on="processid",
        how="left",
    )
    back = undone.select("processid", v=pl.when(pl.col("rule").is_null()).then("sampleid").otherwise("before"))
    delivered = dict(zip(made.curated["processid"], (values * 32)[:32], strict=True))
    assert dict(back.iter_rows()) == delivered


_CACHE = []


def _made(factory):
    if not _CACHE:
        _CACHE.append(corpus(factory.mktemp("corpus")))
    return _CACHE[0]


def test_barcodes_keep_acgtn_only_and_the_verbatim_sequence_beside(tmp_path):
    rows, log = released(corpus(tmp_path, dna_barcode=["ACRTNNKACGT"], nuc=["acrt--kacgt"]))
    row = rows.row(by_predicate=pl.col("processid") == "DEMO000-24", named=True)
    assert (row["dna_barcode"], row["dna_barcode_verbatim"]) == ("ACNTNNNACGT", "acrt--kacgt")
    assert log.select("field", "rule", "before").rows() == [("dna_barcode", "BARCODE_CODE_TO_N", "ACRTNNKACGT")]


def test_rewrites_are_numbered_after_the_changes_of_the_same_value(tmp_path):
    made = corpus(tmp_path, country=["a", "b,c"], species=[None, None])
    earlier = made.logs.changes.with_columns(processid=pl.lit("DEMO001-24"), field=pl.lit("country"))
    changes = append_changes(earlier, released(made)[1], "7")
    assert changes.select("processid", "field", "step", "rule").rows()[-2:] == [
        ("DEMO001-24", "country", 0, "NAME_CASE"),
        ("DEMO001-24", "country", 1, "VALUE_HAS_COMMA"),
    ]
    assert set(changes["ruleset"]) == {"1", "7"}


@pytest.mark.parametrize("processid", ["../../x", "NA", "nan", "a.b", "null", ""])
def test_an_unsafe_processid_is_refused(tmp_path, processid):
    made = corpus(tmp_path)
    renamed = pl.when(pl.col("processid") == "DEMO003-24").then(pl.lit(processid)).otherwise("processid")
    with pytest.raises(InvariantError, match="process ID"):
        metadata(made.curated.with_columns(processid=renamed), made.partitions.with_columns(processid=renamed))


def test_tables_of_other_specimens_and_missing_barcodes_are_refused(tmp_path):
    made = corpus(tmp_path)
    with pytest.raises(InvariantError, match=r"1 specimens \(DEMO031-24\) are curated but have no partition"):
        metadata(made.curated, made.partitions.head(31))
    with pytest.raises(InvariantError, match="have a partition but are not curated"):
        metadata(made.curated.head(31), made.partitions)
    with pytest.raises(InvariantError, match="are curated twice"):
        metadata(pl.concat([made.curated, made.curated.head(1)]), made.partitions)
    with pytest.raises(InvariantError, match="no dna_barcode"):
        metadata(made.curated.with_columns(dna_barcode=pl.lit(None, pl.String)), made.partitions)


def test_every_rule_that_rewrites_is_declared(tmp_path):
    made = corpus(tmp_path, sampleid=['=a,"b"\n', "NA"], dna_barcode=["ACRT" * 99])
    _, log = released(made)
    assert set(log["rule"]) == {rule.id for rule in RULES}
    assert all(rule.statement and rule.reason and rule.source and rule.example for rule in RULES)
