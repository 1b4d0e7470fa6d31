"""Situations: what counts as the same one."""

import pytest

from bioscan_etl import landing
from bioscan_etl.lake import Lake
from bioscan_etl.lake.pins import Pin
from bioscan_etl.settings import Settings
from bioscan_etl.stages.situation import Situation

PIN = Pin("settings", {}, notes={"b1": "failed"})


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"pin": Pin("settings", {}, notes={"b1": "failed"})}, True),
        ({"pin": Pin("settings", {}, withdrawn={"b1": "mixed up"})}, False),
        ({"pin": Pin("settings", {})}, False),  # a release states the notes
        ({"settings": Settings(gates={"require_image": False})}, False),
        ({"settings": Settings(automation={"memory_gb": 0})}, False),
        ({"lake": "other"}, False),
    ],
)
def test_a_situation_is_the_same_if_all_that_a_stage_can_read_is(tmp_path, other, same):
    mine = Situation(Lake(tmp_path), Settings(), pin=PIN)
    lake = Lake(tmp_path / other.get("lake", ""))
    assert mine.is_same(Situation(lake, other.get("settings", Settings()), pin=other.get("pin", PIN))) is same


def test_deliveries_are_told_apart(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.tsv").write_text(f"processid\n{name}\n")
    lake = Lake(tmp_path / "out")
    one, two = (landing.register(lake, name, [str(tmp_path / f"{name}.tsv")]) for name in ("one", "two"))
    first = Situation(lake, Settings(), batch=one)
    assert first.is_same(Situation(lake, Settings(), batch=landing.load(lake, "one")))
    assert not first.is_same(Situation(lake, Settings(), batch=two))
