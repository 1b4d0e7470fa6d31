"""The path by which Dagster finds its files."""

import pytest
import yaml

from bioscan_etl.definitions.running import open_instance
from bioscan_etl.errors import BioscanError
from bioscan_etl.lake import Lake
from bioscan_etl.ui.plan import Address, Location, children, environment
from bioscan_etl.ui.storage_path import storage_path

PLAIN = ["out", "run 1", "Käfer_2.0-b"]
ODD = [
    *(
        "run #1",
        "out[1]",
        "o: x",
        "which?",
        "a*b",
        "100%20",
        "{b}",
        "$HOME",
        "~x",
        "it's",
        '"q"',
        "a\nb",
        "a\\b",
        "a:b",
    ),
    *("a@b", "a,b", "a&b", "!a", "tab\there", "\N{BUG}", "long" * 50 + "/" + "long" * 50),
]


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return folder


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_folder_is_its_own_path(tmp_path, name, temporary):
    assert storage_path(tmp_path / name) == tmp_path / name
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ODD)
def test_any_other_is_reached_by_a_link(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    link = storage_path(folder)
    assert link != folder
    assert link.samefile(folder)
    assert storage_path(link) == link == storage_path(folder)


def test_a_link_of_somebody_else_is_not_followed(tmp_path):
    folder = tmp_path / "a?"
    folder.mkdir()
    link = storage_path(folder)
    link.unlink()
    link.symlink_to(tmp_path)
    with pytest.raises(BioscanError, match="not the link that Dagster needs"):
        storage_path(folder)


def test_a_folder_for_temporary_files_of_such_a_name_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t?"))
    with pytest.raises(BioscanError, match="set TMPDIR to another"):
        storage_path(tmp_path / "a?")


@pytest.mark.parametrize("name", ["run #1", "out[1]", "which? 100%20", "o: x {b} it's\n\N{BUG}"])
def test_the_database_lies_in_the_output_folder_and_nowhere_else(tmp_path, name):
    output = tmp_path / "here" / name
    with open_instance(Lake(output)) as instance:
        instance.add_dynamic_partitions("batches", ["one"])
        assert instance.get_settings("telemetry") == {"enabled": False}  # Dagster's own default sends reports
    assert {path.name for path in (tmp_path / "here").iterdir()} == {name}
    assert (output / ".dagster" / "history" / "runs.db").is_file()
    with open_instance(Lake(output)) as instance:
        assert instance.get_dynamic_partitions("batches") == ["one"]


def test_the_ui_reaches_its_files_by_the_link(tmp_path):
    output = tmp_path / "out[1] #2?"
    home = output / ".dagster"
    home.mkdir(parents=True)
    link = storage_path(home)
    told = environment(output, home)
    assert told["BIOSCAN_OUTPUT"] == str(output)
    assert told["DAGSTER_HOME"] == told["BIOSCAN_DAGSTER_STORAGE"] == str(link)
    sockets = tmp_path / "it's: #s"
    found = children(home, sockets, [Location("a", "b", tmp_path)], Address("127.0.0.1", 3000), read_only=False)
    assert yaml.safe_load((home / "workspace.yaml").read_text()) == {
        "load_from": [{"grpc_server": {"socket": str(sockets / "a.sock"), "location_name": "a"}}]
    }
    assert str(link / "workspace.yaml") in found[-1].command
    link.unlink()  # as whoever clears the folder for temporary files does
    found[0].before()
    assert link.samefile(home)
