"""A run as a library call: what it returns, and its events; the command is in `tests/test_cli_operate.py`."""

import pytest

from bioscan_etl import api
from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.lake import Lake
from bioscan_etl.runs import Failed, Landings, LatestRelease, Order, SettingsInstalled, run_corpus


def test_what_cannot_be_done_is_refused_before_anything_changes(tmp_path):
    lake = Lake(tmp_path / "out")
    for order, says in (
        (Order(publish="elsewhere"), "no place on S3"),
        (Order(images=("photos",)), "give its --records too"),
        (Order(batch="b1"), "give its --records too"),
        (Order(records=(str(tmp_path / "none.tsv"),)), "cannot be read"),
    ):
        with pytest.raises(SourceError, match=says):
            run_corpus(lake, order)
    with pytest.raises(SettingsError, match="does not exist"):
        run_corpus(lake, Order(settings=tmp_path / "none.toml"))
    assert not lake.root.exists()


def test_an_incomplete_folder_is_reported_before_there_is_nothing_to_run(tmp_path):
    lake = Lake(tmp_path)
    (lake.landing / "plate-7").mkdir(parents=True)
    (lake.landing / "plate-7" / "list.tsv").write_text("processid\tnuc\nA-1\tACGT\n")
    heard = []
    with pytest.raises(SourceError, match="nothing to run"):
        run_corpus(lake, Order(), listen=heard.append)
    assert [type(one) for one in heard] == [Landings]
    assert list(heard[0].waiting) == ["plate-7"]
    assert heard[0].landed == ()


def test_a_failure_names_what_failed():
    assert str(Failed("batch", "b1", "its marker is empty")) == "b1: its marker is empty"
    assert str(Failed("release", "", "no batch is ingested yet")) == "release: no batch is ingested yet"


@pytest.mark.slow
def test_a_run_returns_what_came_of_it_and_tells_of_it_on_the_way(tmp_path, capsys):
    api.write_demo(tmp_path / "out", 40)
    (tmp_path / "settings.toml").write_text("[gates]\nrequire_image = false\n")
    heard = []
    done = api.run(tmp_path / "out", settings=tmp_path / "settings.toml", listen=heard.append)
    assert [type(one) for one in heard] == [SettingsInstalled, Landings, LatestRelease]
    assert done.settings_changed == heard[0].changed == ("gates.require_image: True -> False",)
    assert done.ingested == ("autumn-2025", "malaise-2023", "survey-2024")
    assert (done.failed, done.published, done.fetched) == ((), None, ())
    assert done.release == heard[2]
    assert (done.release.version, done.release.made, done.release.problem) == ("v1", True, "")
    ledger = done.release.ledger
    assert ledger["rows_read"] == sum(ledger[part] for part in ("specimens", "quarantined", "set_aside", "rejected"))
    assert done.release.report.is_file()
    assert api.plan(tmp_path / "out").release.made is False
    assert capsys.readouterr().out == ""
