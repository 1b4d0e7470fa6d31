"""Batches far from their predecessors: the rule, against figures where the answer is known."""

import random

import pytest
from alert_corpus import ingest_figures
from lake_corpus import ingest, land

from bioscan_etl.alerts.compare import MOST_PROFILES, add_deviating, deviations, new_countries
from bioscan_etl.alerts.conditions import Conditions
from bioscan_etl.alerts.profile import MEASURES, Profile
from bioscan_etl.lake import Lake
from bioscan_etl.lake.record import committed, find_record
from bioscan_etl.settings import AlertSettings, Settings

SETTINGS = AlertSettings()


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    return made


def profile(number=10_000, countries=None, **values):
    usual = {
        one.id: 0.1 if one.is_share else {"bp": 658.0, "of 255": 150.0}[one.unit] for one in MEASURES
    }  # fmt: skip
    numbers = dict.fromkeys(("images", "detected", "records", "barcodes"), number)
    return Profile(numbers, usual | values, countries or {"CR": number})


def found(batch, predecessors, settings=SETTINGS):
    return [one.measure.id for one in deviations(batch, predecessors, settings)]


@pytest.mark.parametrize("measure", [one.id for one in MEASURES])
@pytest.mark.parametrize("sign", [1, -1])
def test_every_measure_can_be_far(measure, sign):
    usual = profile()
    step = {"": 0.06, "bp": 40, "of 255": 14}[next(one.unit for one in MEASURES if one.id == measure)]
    assert found(usual, [usual] * 5) == []
    assert found(profile(**{measure: usual.values[measure] + sign * step}), [usual] * 5) == [measure]


def test_what_varies_among_predecessors_may_vary():
    varied = [profile(empty_images=share) for share in (0.02, 0.06, 0.10, 0.14, 0.18)]
    # Median 0.10, median absolute deviation 0.04: most is 5 * 1.4826 * 0.04 = 0.2965 and a little sampling error.
    assert found(profile(empty_images=0.39), varied) == []
    assert found(profile(empty_images=0.41), varied) == ["empty_images"]


def test_a_few_odd_predecessors_hide_nothing():
    odd = [profile(empty_images=0.9), profile(empty_images=0.8)]
    assert found(profile(empty_images=0.7), [profile()] * 5 + odd) == ["empty_images"]


def test_a_small_batch_may_be_further_off_by_chance():
    usual = [profile(empty_images=0.5)] * 5
    assert found(profile(100, empty_images=0.7), usual) == []  # 5 * sqrt(0.25 / 100) = 0.25
    assert found(profile(10_000, empty_images=0.7), usual) == ["empty_images"]


def test_chance_alone_is_rarely_far():
    """Batches of 500 that all have the same truth."""
    draw = random.Random(7)
    batches = [profile(500, empty_images=sum(draw.random() < 0.1 for _ in range(500)) / 500) for _ in range(200)]
    alarms = sum(bool(found(one, batches[:n][-20:])) for n, one in enumerate(batches) if n >= 5)
    assert alarms == 0


def test_small_batches_and_few_predecessors_are_not_compared():
    far = profile(empty_images=0.9)
    assert found(far, [profile()] * 4) == []
    assert found(profile(99, empty_images=0.9), [profile()] * 5) == []
    assert found(far, [profile()] * 4 + [profile(99)] * 9) == []
    assert found(far, [profile()] * 3, AlertSettings(least_predecessors=3)) == ["empty_images"]


def test_the_thresholds_are_settings():
    near = profile(empty_images=0.14)
    assert found(near, [profile()] * 5) == []
    assert found(near, [profile()] * 5, AlertSettings(least_difference=0.03)) == ["empty_images"]
    assert found(profile(empty_images=0.9), [profile()] * 5, AlertSettings(least_difference=1.0)) == []
    assert found(near, [profile()] * 5, AlertSettings(least_difference=0.0, most_deviation=1000.0)) == []


def test_the_sentence_has_value_median_and_what_was_expected():
    [one] = deviations(profile(length_low=329), [profile()] * 6, SETTINGS)
    assert one.sentence == (
        "barcode length, tenth percentile: 329 bp; median of 6 predecessors 658 bp, expected 625 bp to 691 bp"
    )
    [one] = deviations(profile(empty_images=0.5), [profile(empty_images=0.0)] * 6, SETTINGS)
    assert one.sentence == (
        "images without a specimen: 50.0 %; median of 6 predecessors 0.0 %, expected 0.0 % to 5.0 %"
    )


def test_a_country_that_none_had_is_new_if_its_share_is_large():
    usual = [profile(countries={"CR": 1000})] * 5
    assert new_countries(profile(countries={"CR": 900, "MG": 60, "NZ": 40}), usual, SETTINGS) == {"MG": 0.06}
    assert new_countries(profile(countries={"MG": 60}), usual, SETTINGS) == {}  # few records
    assert new_countries(profile(countries={"MG": 900}), usual[:4], SETTINGS) == {}
    assert new_countries(profile(countries={"MG": 900}), [*usual, profile(countries={"MG": 1})], SETTINGS) == {}


def records(lake):
    return [find_record(lake, name) for name in committed(lake)]


def compare(lake, compared, settings=SETTINGS):
    conditions = Conditions()
    return add_deviating(conditions, lake, records(lake), compared, settings), conditions


def test_batches_are_compared_once_and_wait_for_enough_predecessors(lake):
    for n in range(5):
        ingest_figures(lake, f"usual-{n}")
    compared, conditions = compare(lake, {})
    assert (compared, conditions.alerts) == ({}, [])
    ingest_figures(lake, "odd", empty=0.5, countries={"MG": 200}, short=0.3, grey=90, without_species=0.9)
    compared, conditions = compare(lake, compared)
    assert set(compared) == {"odd", *(f"usual-{n}" for n in range(5))}
    [one] = conditions.alerts
    assert one.title == "batch odd is far from its predecessors"
    words = (
        "without a specimen: 50.0 %", "without a species label: 90.0 %", "tenth percentile: 329 bp",
        "grey of the crops, median: 92", "country MG, which no predecessor has: 100.0 %",
    )  # fmt: skip
    for word in words:
        assert any(word in line for line in one.lines), word
    again, conditions = compare(lake, compared)
    assert (again, conditions.alerts) == (compared, [])
    assert one.id in conditions.lasting


def test_many_odd_batches_at_once_do_not_hide_each_other(lake):
    compared = {}
    for n in range(6):
        ingest_figures(lake, f"usual-{n}")
    compared, _ = compare(lake, compared)
    for n in range(10):
        ingest_figures(lake, f"odd-{n}", empty=0.5)
    compared, conditions = compare(lake, compared)
    assert [one.subject for one in conditions.alerts] == [f"batch odd-{n}" for n in range(10)]
    assert len(compared) == 16


def test_a_new_delivery_is_compared_again_and_a_withdrawn_batch_is_forgotten(lake):
    for n in range(6):
        ingest_figures(lake, f"usual-{n}")
    compared, _ = compare(lake, {})
    ingest(lake, land(lake, "usual-0", "processid\nother\n"))  # its tables cannot be read
    compared, conditions = compare(lake, compared)
    assert "usual-0" not in compared
    [problem] = conditions.problems
    assert "usual-0" in problem
    left = [one for one in records(lake) if one.batch != "usual-1"]
    assert "usual-1" not in add_deviating(Conditions(), lake, left, compared, SETTINGS)


def test_batches_of_other_settings_are_no_predecessors(lake):
    for n in range(6):
        ingest_figures(lake, f"usual-{n}")
    compared, _ = compare(lake, {})
    stricter = Settings.model_validate({"images": {"empty_confidence": 0.9}})
    ingest_figures(lake, "other", empty=0.5, settings=stricter)
    again, conditions = compare(lake, compared)
    assert conditions.alerts == []
    assert again == compared


def test_a_round_measures_a_limited_number(lake):
    for n in range(MOST_PROFILES + 3):
        ingest_figures(lake, f"b-{n:02}", records=1)
    compared, _ = compare(lake, {})
    assert compared == {}
    compared, _ = compare(lake, compared)
    assert len(compared) == MOST_PROFILES + 3
