"""The figures of a batch: from counts and tables, measured once, and what cannot be read."""

import pytest
from alert_corpus import ingest_figures

from bioscan_etl import api, state
from bioscan_etl.alerts.profile import MEASURES, is_kept, profile_of
from bioscan_etl.definitions.running import open_instance, run_batch
from bioscan_etl.errors import LakeError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.record import find_record
from bioscan_etl.progress import silent
from bioscan_etl.settings import Settings


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    return made


def test_figures_come_from_counts_and_tables(lake):
    record = ingest_figures(
        lake, "b", records=200, empty=0.1, without_species=0.25, countries={"CR": 150, "CA": 30}, short=0.2, grey=100
    )
    made = profile_of(lake, record)
    assert dict(made.numbers) == {"images": 200, "detected": 180, "records": 200, "barcodes": 200}
    assert dict(made.countries) == {"CA": 30, "CR": 150}
    expected = {
        "empty_images": 0.1, "unreadable_images": 0, "without_family": 0, "without_genus": 0, "without_species": 0.25,
        "without_country": 0.1, "without_barcode": 0, "length_low": 329, "length_median": 658, "length_high": 658,
        "brightness_low": 100, "brightness_median": 102, "brightness_high": 104,
    }  # fmt: skip
    assert dict(made.values) == pytest.approx(expected)
    assert set(expected) == {one.id for one in MEASURES}


def test_a_batch_of_nothing_has_no_shares(lake):
    record = ingest_figures(lake, "b", records=0)
    assert dict(profile_of(lake, record).values) == {}


def test_they_are_measured_once_for_the_same_outputs(lake):
    record = ingest_figures(lake, "b", records=10)
    assert not is_kept(lake, record)
    first = profile_of(lake, record)
    assert is_kept(lake, record)
    record.output(lake, "specimen_boxes").path("boxes.parquet").unlink()
    assert profile_of(lake, record) == first
    other = ingest_figures(lake, "b", records=10, settings=Settings.model_validate({"barcodes": {"min_length": 400}}))
    assert is_kept(lake, other) is (other.content == record.content)


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "content": 5}', "[1]"])
def test_a_damaged_file_is_measured_again(lake, text):
    record = ingest_figures(lake, "b", records=10)
    first = profile_of(lake, record)
    (lake.root / "alerts" / "profiles" / "b.json").write_text(text)
    assert profile_of(lake, record) == first


@pytest.mark.parametrize("damage", ["missing", "no parquet"])
def test_a_table_that_cannot_be_read_is_named(lake, damage):
    record = ingest_figures(lake, "b", records=10)
    path = record.output(lake, "normalised_names").path("normalised_names.parquet")
    path.unlink() if damage == "missing" else path.write_bytes(b"PAR1")
    with pytest.raises(LakeError, match=r"(batch b cannot be read|normalised_names\.parquet is missing)"):
        profile_of(lake, record)


@pytest.mark.slow
def test_it_reads_the_tables_of_a_real_run(lake):
    api.write_demo(lake.root, 30)
    [batch, *_] = state.survey(lake, Settings())
    with open_instance(lake) as instance:
        run_batch(lake, batch, instance=instance, progress=silent)
    made = profile_of(lake, find_record(lake, batch.name))
    assert set(made.values) == {one.id for one in MEASURES}
    assert 500 < made.values["length_median"] <= 660
    assert 60 < made.values["brightness_median"] < 250
    assert sum(made.countries.values()) > 0
    assert 0 <= made.values["without_species"] < 1
