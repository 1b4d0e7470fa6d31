"""The database of Dagster's runs: its address, a real PostgreSQL server, and what is said where it cannot be used."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from postgres_server import PASSWORD, postgres
from ui_process import free_port

from bioscan_etl.definitions.running import open_instance
from bioscan_etl.errors import BioscanError, SettingsError
from bioscan_etl.extras import MissingExtraError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import install_settings, read_settings
from bioscan_etl.settings import AutomationSettings, load_settings
from bioscan_etl.ui import plan, serve
from bioscan_etl.ui.database import automation_of, claim, require_database, storage, url

LOCAL = "postgresql+psycopg2://curator@127.0.0.1/bioscan"


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_inherited(monkeypatch, tmp_path):
    """Neither an instance nor a password of the person who runs the tests."""
    for name in (*(one for one in os.environ if one.startswith("PG")), "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "no-file"))


def corpus(folder, address):
    lake = Lake(folder)
    (lake.root / "lake").mkdir(parents=True)
    (lake.root / "settings.toml").write_text(f'[automation]\ndatabase = "{address}"\n')
    return lake


@pytest.mark.parametrize(
    "address",
    [
        "",
        LOCAL,
        "postgresql://db.example.org:5433/bioscan",
        "postgresql+psycopg2:///bioscan?host=/run/postgresql",
        "postgresql+psycopg2://u@[::1]:5432/b?sslmode=verify-full&sslrootcert=/etc/ca.pem&passfile=/home/c/.pgpass",
    ],
)
def test_addresses_without_a_password_are_taken(address):
    assert AutomationSettings(database=address).database == address


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg2://curator:{}@db/bioscan",
        "postgresql://:{}@db/bioscan",
        "postgresql://curator@db/bioscan?password={}",
        "postgresql://curator@db/bioscan?PassWord={}",
        "postgresql://curator@db/bioscan?sslpassword={}",
        # What a person writes who does not escape it.
        "postgresql://curator:a/{}@db/bioscan",
        "postgresql://curator:12/{}@db/bioscan",
        "postgresql://curator:12#{}@db/bioscan",
        "postgresql://curator:12/b?{}@db/bioscan",
        "postgresql://curator:a@{}@db/bioscan",
        "mysql://curator:{}@db/bioscan",
        "{}",
        "postgresql://curator@db:{}/bioscan",
        "postgresql://curator:\u202e{}@db/bioscan",
    ],
)
def test_a_password_in_the_settings_is_refused_and_never_shown(tmp_path, address):
    secret = "hunter2hunter2"
    path = tmp_path / "settings.toml"
    for text in (f'"{address.format(secret)}"', f'["{address.format(secret)}"]', f'{{a = "{address.format(secret)}"}}'):
        path.write_text(f"[automation]\ndatabase = {text}\n", encoding="utf-8")
        with pytest.raises(SettingsError, match=r"setting automation\.database") as caught:
            load_settings(path)
        assert secret not in str(caught.value)
        with pytest.raises(SettingsError) as caught:
            install_settings(Lake(tmp_path / "out"), path)
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///x.db",
        "postgresql+psycopg://db/bioscan",
        "postgresql://db",
        "postgresql://db/",
        "postgresql://db/a/b",
        "postgresql://db:0/b",
        "postgresql://db:99999/b",
        "postgresql://db/b#c",
        "postgresql://db/b\nc",
        "db/bioscan",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(address):
    with pytest.raises(ValueError, match=r"postgresql\+psycopg2://user@host:5432/name, without a password"):
        AutomationSettings(database=address)


SAFE = st.text("abcdefghijklmnopqrstuvwxyz0123456789:/?#[]@!$&'()*+,;=%._~-", min_size=1, max_size=20)


@given(SAFE)
@example("a%3Ab")
def test_no_text_between_user_and_host_is_taken(password):
    """Whatever a password holds, an address with one is refused, and no part of it is printed."""
    secret = f"{password}QQ{password}"
    with pytest.raises(ValueError, match=r"automation|database") as caught:
        AutomationSettings(database=f"postgresql://curator:{secret}@db.example.org/bioscan")
    assert "QQ" not in caught.value.errors(include_input=False)[0]["msg"]


def test_the_address_gets_the_driver_that_is_installed_and_a_time_limit():
    assert url("postgresql://db/b") == "postgresql+psycopg2://db/b?connect_timeout=10"
    assert url(f"{LOCAL}?sslmode=require") == f"{LOCAL}?sslmode=require&connect_timeout=10"
    assert url(f"{LOCAL}?connect_timeout=3") == f"{LOCAL}?connect_timeout=3"
    assert storage("", "/x") == {"sqlite": {"base_dir": "/x"}}


def test_the_uis_file_has_the_database_and_the_retention_of_the_settings():
    default = yaml.safe_load(plan.instance(AutomationSettings()))
    packaged = Path(plan.__file__).parents[1] / "definitions" / "instance.yaml"
    assert {name: part for name, part in default.items() if name != "retention"} == {
        name: part for name, part in yaml.safe_load(packaged.read_text()).items() if name != "retention"
    }
    made = yaml.safe_load(plan.instance(AutomationSettings(database=LOCAL, keep_ticks_days=5)))
    assert made["storage"] == {"postgres": {"postgres_url": f"{LOCAL}?connect_timeout=10"}}
    assert made["retention"] == {
        "schedule": {"purge_after_days": 5},
        "sensor": {"purge_after_days": {"skipped": 5, "failure": 5, "success": 5}},
    }


def test_a_broken_section_does_not_hide_the_database_and_a_broken_file_is_refused(tmp_path):
    lake = corpus(tmp_path / "out", LOCAL)
    path = lake.root / "settings.toml"
    path.write_text(path.read_text() + "[barcodes]\nmin_length = 'x'\n")
    with pytest.raises(SettingsError, match="min_length"):
        read_settings(lake)
    assert automation_of(lake).database == LOCAL
    path.write_text("[automation\n")
    for start in (lambda: serve(lake.root, port=free_port()), lambda: open_instance(lake)):
        with pytest.raises(SettingsError, match="is not TOML"):
            start()
    assert not (lake.root / ".dagster").exists()


def test_a_missing_extra_is_named_before_anything_starts(tmp_path, monkeypatch):
    lake = corpus(tmp_path / "out", LOCAL)
    monkeypatch.setattr("bioscan_etl.extras.find_spec", lambda name: None if name == "psycopg2" else object())
    for start in (lambda: serve(lake.root, port=free_port()), lambda: open_instance(lake)):
        with pytest.raises(MissingExtraError, match=r"needs psycopg2.*pip install 'bioscan-etl\[postgres\]'"):
            start()


def test_a_server_that_is_absent_is_named_in_one_line(tmp_path):
    address = f"postgresql://curator@127.0.0.1:{free_port()}/bioscan"
    lake = corpus(tmp_path / "out", address)
    for start in (lambda: serve(lake.root, port=free_port()), lambda: open_instance(lake)):
        with pytest.raises(BioscanError, match=r"cannot be used: .*refused.*start the server") as caught:
            start()
        assert address in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_database_or_password_that_is_wrong_is_named_without_the_password(server, tmp_path, monkeypatch):
    right = server.database("named")
    with pytest.raises(BioscanError, match=r"cannot be used: .*no password supplied"):
        require_database(right)
    monkeypatch.setenv("PGPASSFILE", str(server.password_file(tmp_path, "wrong-" + PASSWORD)))
    with pytest.raises(BioscanError, match=r"cannot be used: .*password authentication failed") as caught:
        require_database(right)
    assert PASSWORD not in str(caught.value)
    monkeypatch.setenv("PGPASSFILE", str(server.password_file(tmp_path)))
    require_database(right)
    with pytest.raises(BioscanError, match=r'cannot be used: .*"absent" does not exist.*create the database'):
        require_database(right.replace("named", "absent"))


def test_the_terminal_stores_runs_events_and_schedules_in_the_database(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSFILE", str(server.password_file(tmp_path)))
    lake = corpus(tmp_path / "out", server.database("stored"))
    with open_instance(lake) as instance:
        parts = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
        assert {type(one).__name__ for one in parts} == {
            "PostgresRunStorage", "PostgresEventLogStorage", "PostgresScheduleStorage",
        }  # fmt: skip
    tables = server.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", "stored").splitlines()
    assert {"runs", "event_logs", "instigators", "job_ticks", "dynamic_partitions", "concurrency_slots"} <= set(tables)
    written = [path for path in (lake.root / ".dagster").rglob("*") if path.is_file()]
    assert [path.name for path in written] == ["run.yaml"]
    assert PASSWORD not in written[0].read_text()


def test_two_corpora_never_share_a_database_and_one_that_moved_keeps_its_own(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSFILE", str(server.password_file(tmp_path)))
    address = server.database("owned")
    first, second = corpus(tmp_path / "first", address), corpus(tmp_path / "second", address)
    open_instance(first).dispose()
    open_instance(first).dispose()
    with pytest.raises(BioscanError, match=r"has the runs of .*first; create another database for .*second"):
        open_instance(second)
    first.root.rename(tmp_path / "moved")
    open_instance(Lake(tmp_path / "moved")).dispose()
    with pytest.raises(BioscanError, match=r"has the runs of .*moved"):
        serve(second.root, port=free_port(), tell=lambda line: None)


def test_with_sqlite_nothing_is_claimed(tmp_path):
    claim(None, tmp_path, "")
