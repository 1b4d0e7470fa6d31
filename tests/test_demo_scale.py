"""The large corpus: its tables, its proportions, its repeatability."""

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.demo.scale import write_scale_corpus
from bioscan_etl.geography.check import check_geography
from bioscan_etl.settings import Settings

RECORDS = 6_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    write_scale_corpus(folder, RECORDS, seed=3)
    return folder


def test_tables_are_as_the_schema_says_and_sorted(folder):
    records = pl.read_parquet(folder / "package/records")
    schema.RECORDS.check(records)
    assert records.height == RECORDS
    assert records["processid"].is_sorted()
    boxes = pl.read_parquet(folder / "package/boxes")
    schema.BOXES.check(boxes)
    assert boxes["processid"].is_sorted()
    later = pl.read_parquet(folder / "later/records")
    assert later["processid"].is_in(records["processid"].implode()).all()
    assert later.height == RECORDS * 0.02


def test_proportions_are_those_of_bioscan(folder):
    records = pl.read_parquet(folder / "package/records")
    share = {rank: records[rank].count() / RECORDS for rank in ("family", "genus", "species")}
    assert share["family"] == pytest.approx(0.96, abs=0.02)
    assert 0.1 < share["genus"] < 0.4
    assert 0.03 < share["species"] < 0.2
    barcodes = records["nuc"].str.strip_chars("-").n_unique()
    assert 0.35 < barcodes / RECORDS < 0.65
    sizes = records["bin_uri"].value_counts()["count"]
    assert sizes.max() > 8 * sizes.median()


def test_the_seed_decides(folder, tmp_path):
    for seed, same in ((3, True), (4, False)):
        write_scale_corpus(tmp_path / str(seed), RECORDS, seed)
        for name in ("package/records", "package/boxes", "later/records", "truth.parquet"):
            again = pl.read_parquet(tmp_path / str(seed) / name)
            assert again.equals(pl.read_parquet(folder / name)) == same


def test_what_was_planted_is_what_the_checks_find(folder):
    records = pl.scan_parquet(folder / "package/records")
    truth = pl.read_parquet(folder / "truth.parquet")
    checked = check_barcodes(records, Settings().barcodes)
    for kind in ("reverse_complement", "no_open_reading_frame"):
        found = checked.filter(pl.col("flags").list.contains(kind.upper()))["processid"]
        planted = truth.filter(pl.col("kind") == kind)["processid"]
        assert planted.len() > 0
        assert set(planted) <= set(found)
        # Nothing else is found, but what an ambiguous letter closes, such as R in TAR: with C instead it is open.
        more = checked.filter(pl.col("processid").is_in(sorted({*found} - {*planted})))["dna_barcode"]
        for text in more.str.replace_all("[^ACGT]", "C"):
            codons = [{text[at : at + 3] for at in range(offset, len(text), 3)} for offset in range(3)]
            assert any(not {"TAA", "TAG"} & frame for frame in codons)
    places = check_geography(records, Settings().geography)
    flags = set(places["flags"].explode().drop_nulls())
    assert {"PRESUMED_SWAPPED_COORDINATE", "ZERO_COORDINATE", "COORDINATE_INVALID", "DATE_INVALID"} <= flags
    outside = places["flags"].list.contains("COUNTRY_COORDINATE_MISMATCH").mean()
    assert 0 < outside < 0.03
