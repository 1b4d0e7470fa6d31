"""The decisions as they stand: what the last run made of a line, and what it has not read yet."""

import polars as pl
import pytest
from decided import csv_of

from bioscan_etl import schema
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.decisions.standing import NEW, standing
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import point
from bioscan_etl.lake.decisions import folder

REJECT = {"processid": "A-1", "action": "reject"}
SET = {"processid": "A-2", "action": "set", "field": "country", "value": "Norway"}
KEEP = {"processid": "A-3", "action": "keep", "field": "FRAGMENT"}


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


def put(lake, **files):
    """The curators' files, as they are from now on."""
    folder(lake).mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        (folder(lake) / f"{name}.csv").write_text(rows if isinstance(rows, str) else csv_of(rows))


def run(lake, number, rows, *effects):
    """What a run leaves that read these lines: them, and the effects `(stage, row of the line, status, detail)`."""
    found = read_decisions({"anna.csv": csv_of(rows)}).lines
    made = {"decisions": (schema.DECISIONS, found)}
    for stage in ("drawn_boxes", "specimens", "curated_taxonomy"):
        own = [(found["id"][row], status, 1, why) for one, row, status, why in effects if one == stage]
        frame = pl.DataFrame(own, schema=schema.DECISION_EFFECTS.schema(), orient="row")
        made[stage] = (schema.DECISION_EFFECTS, frame)
    for stage, (table, frame) in made.items():
        with lake.writing(stage, f"{number}" * 64, made_from={}) as draft:
            draft.write(table, frame)
        point(lake, stage, f"{number}" * 64)


def statuses(lake):
    return standing(lake).lines.select("processid", "status", "detail", "specimens").rows()


def test_before_the_first_run_every_line_is_new_and_a_wrong_one_is_left_out(lake):
    put(lake, anna=[REJECT, SET | {"value": "Atlantis"}])
    first, second = statuses(lake)
    assert first == ("A-1", NEW, None, 0)
    assert second[:2] == ("A-2", "left_out")
    assert second[2].startswith("country 'Atlantis' is no country")
    assert standing(lake).taken_away == 0


def test_a_line_has_what_the_last_run_made_of_it_and_one_after_it_is_new(lake):
    put(lake, anna=[REJECT, SET, KEEP])
    run(lake, 1, [REJECT, SET, KEEP], ("specimens", 0, "applied", None), ("specimens", 1, "dormant", "it is held"))
    expected = [("A-1", "applied", None, 1), ("A-2", "dormant", "it is held", 1), ("A-3", "noted", None, 0)]
    assert statuses(lake) == expected
    put(lake, bert=[REJECT | {"processid": "A-9", "curator": "Bert"}])
    assert statuses(lake) == [*expected, ("A-9", NEW, None, 0)]


def test_a_line_that_another_now_contradicts_does_not_stay_applied(lake):
    put(lake, anna=[REJECT])
    run(lake, 1, [REJECT], ("specimens", 0, "applied", None))
    put(lake, bert=[REJECT | {"action": "accept", "curator": "Bert"}])
    found = statuses(lake)
    assert [row[1] for row in found] == ["left_out", "left_out"]
    assert "contradicts bert.csv, line 2" in found[0][2]
    assert [row[3] for row in found] == [0, 0]


def test_lines_that_were_taken_away_are_counted_until_the_next_run(lake):
    put(lake, anna=[REJECT])
    run(lake, 1, [REJECT, SET, KEEP], ("specimens", 0, "applied", None), ("specimens", 1, "applied", None))
    assert standing(lake).taken_away == 2
    assert statuses(lake) == [("A-1", "applied", None, 1)]
    run(lake, 2, [REJECT], ("specimens", 0, "applied", None))
    assert standing(lake).taken_away == 0


def test_a_changed_line_is_a_new_one_and_one_that_was_taken_away(lake):
    put(lake, anna=[SET | {"value": "Sweden"}])
    run(lake, 1, [SET], ("specimens", 0, "applied", None))
    assert statuses(lake) == [("A-2", NEW, None, 0)]
    assert standing(lake).taken_away == 1


def test_a_file_that_is_moved_in_whole_is_the_same_lines(lake):
    run(lake, 1, [REJECT], ("specimens", 0, "applied", None))
    put(lake, zoe=[REJECT])
    assert statuses(lake) == [("A-1", "applied", None, 1)]
    assert standing(lake).taken_away == 0


def test_a_refused_file_is_named_and_hides_nothing(lake):
    put(lake, anna=[REJECT], wrong="a,b\n1,2\n")
    (folder(lake) / "bytes.csv").write_bytes(b"\xff\xfe")
    found = standing(lake)
    assert found.refused["file"].to_list() == ["bytes.csv", "wrong.csv"]
    assert found.lines.select("processid", "status").rows() == [("A-1", NEW)]


def test_a_corpus_without_decisions_has_none(lake):
    found = standing(lake)
    assert (found.lines.height, found.refused.height, found.taken_away) == (0, 0, 0)
    assert found.lines.columns == schema.DECISION_LOG.names()
