"""A doubt is new if the release before the last one shows nothing of it."""

import pytest
from release_corpus import GROWN, corpus, filled

from bioscan_etl import schema
from bioscan_etl.desk.fresh import before, fresh
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """32 released specimens, DEMO000-24 … with flags on some; Q1-24 is held back by NO_BARCODE and NO_IMAGE."""
    flags = [["BLURRED"], ["CURATOR_ACCEPTED"], ["BARCODE_CONFLICT"], ["BARCODE_CONFLICT"], []]
    made = corpus(tmp_path_factory.mktemp("corpus"), flags=flags)
    return made.build(tmp_path_factory.mktemp("releases"), Settings(splits=GROWN))


def new(release, kind, rule, **about):
    one = {"id": "0" * 16, "kind": kind, "rule": rule, "evidence": "0" * 16, "specimens": 1, **about}
    (found,) = fresh(filled(schema.DOUBTS, [one]), release).to_list()
    return found


@pytest.mark.parametrize(
    ("is_new", "kind", "rule", "about"),
    [
        (False, "image", "BLURRED", {"processid": "DEMO000-24"}),
        (True, "image", "FRAGMENT", {"processid": "DEMO000-24"}),
        (True, "image", "BLURRED", {"processid": "DEMO004-24"}),
        (True, "image", "BLURRED", {"processid": "OTHER-24"}),
        (False, "missing", "NO_IMAGE", {"processid": "Q1-24"}),
        (True, "missing", "NO_BIN", {"processid": "Q1-24"}),
        # A curator had opened the gate.
        (False, "image", "IMAGE_STATUS", {"processid": "DEMO001-24"}),
        (True, "image", "IMAGE_STATUS", {"processid": "DEMO000-24"}),
        (
            False,
            "conflict",
            "BARCODE_CONFLICT",
            {"group": "barcode:DEMO002-24", "members": ["DEMO002-24", "DEMO003-24"]},
        ),
        (True, "conflict", "BARCODE_CONFLICT", {"group": "barcode:DEMO002-24", "members": ["DEMO002-24", "NEW-24"]}),
        (False, "typo", "NAME_TYPO_CANDIDATE", {"rank": "genus", "name": "Aedes"}),
        (True, "typo", "NAME_TYPO_CANDIDATE", {"rank": "genus", "name": "Aedess"}),
        (True, "typo", "NAME_TYPO_CANDIDATE", {"rank": "species", "name": "Aedes"}),
        (False, "report", "USER_REPORT", {"processid": "DEMO004-24"}),
        (True, "report", "USER_REPORT", {"processid": "OTHER-24"}),
    ],
)
def test_a_doubt_is_new_if_the_release_shows_nothing_of_it(release, is_new, kind, rule, about):
    assert new(release, kind, rule, **about) is is_new


def test_no_doubts_and_a_damaged_release_have_no_new_ones(release, tmp_path):
    assert fresh(schema.DOUBTS.empty(), release).to_list() == []
    one = filled(schema.DOUBTS, [{"id": "0" * 16, "kind": "image", "rule": "BLURRED", "processid": "OTHER-24"}])
    assert fresh(one, tmp_path / "v1").to_list() == [False]


def test_the_release_before_the_last_one_is_compared(tmp_path):
    lake = Lake(tmp_path)
    assert before(lake) is None
    for name in ("v1", "v2", "v10"):
        (lake.releases / name).mkdir(parents=True)
    assert before(lake) == lake.releases / "v2"
