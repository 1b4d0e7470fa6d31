"""The database of Dagster's runs, events and schedules: SQLite files below the output, or PostgreSQL by a setting.

Belongs here: which one a corpus has, whether it can be used, and Dagster's configuration for it. Does not belong here:
the rest of Dagster's configuration, and removing old runs (`bioscan_etl.sensors.history`).

The address in `automation.database` holds no password (`setting_types.Database` refuses one), so it may stand in files
and messages. PostgreSQL's own library finds the password: in `~/.pgpass`, or where PGPASSFILE or PGPASSWORD say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bioscan_etl.errors import BioscanError, SettingsError
from bioscan_etl.extras import require_extra
from bioscan_etl.lake.corpus import read_settings, settings_file
from bioscan_etl.lake.store import Lake
from bioscan_etl.printable import printable
from bioscan_etl.settings import AutomationSettings, load_settings

_DRIVER = "postgresql+psycopg2"
_CONNECT_SECONDS = 10
_OWNER = "bioscan-etl/corpus"


def automation_of(lake: Lake) -> AutomationSettings:
    """The `[automation]` of a corpus, also where another section is broken: the UI starts and reports that one.

    Raises:
        SettingsError: the file is not TOML, or this section is broken; which database has the runs is then unknown.
    """
    try:
        return read_settings(lake).automation
    except SettingsError:
        return load_settings(settings_file(lake), only="automation").automation


def storage(address: str, folder: str) -> dict[str, Any]:
    """Dagster's configuration of its storage: one database for runs, events and schedules.

    Args:
        address: `automation.database`; empty for SQLite.
        folder: where SQLite's files lie.
    """
    if not address:
        return {"sqlite": {"base_dir": folder}}
    return {"postgres": {"postgres_url": url(address)}}


def url(address: str) -> str:
    """The address for SQLAlchemy: with the driver that is installed, and an end to waiting for a silent host."""
    driven = f"{_DRIVER}:{address.partition(':')[2]}"
    if "connect_timeout=" in driven:
        return driven
    return f"{driven}{'&' if '?' in driven else '?'}connect_timeout={_CONNECT_SECONDS}"


def require_database(address: str) -> None:
    """Check that the database of a corpus can be used, before Dagster tries for long and fails with a traceback.

    Raises:
        MissingExtraError: it is PostgreSQL, and the extra `postgres` is not installed.
        BioscanError: it does not answer, does not exist, or does not let this user in.
    """
    if not address:
        return
    require_extra("postgres")
    import sqlalchemy

    engine = sqlalchemy.create_engine(url(address), poolclass=sqlalchemy.NullPool)
    try:
        engine.connect().close()
    except sqlalchemy.exc.DBAPIError as error:
        lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        raise BioscanError(
            f"the database of runs, {address}, cannot be used: {printable(lines[0])}; start the server, create the "
            "database, give the password in ~/.pgpass, or correct automation.database (docs/deploy.md)"
        ) from None
    finally:
        engine.dispose()


def claim(instance: Any, output: Path, address: str) -> None:
    """Record in a PostgreSQL database which corpus it belongs to: two of them would start each other's runs.

    A corpus that has moved takes its database along: the folder that it came from is gone.

    Args:
        instance: Dagster's instance.
        output: the corpus.
        address: `automation.database`; with SQLite there is nothing to record.

    Raises:
        BioscanError: the database belongs to another corpus.
    """
    if not address:
        return
    cursors = instance.daemon_cursor_storage
    owner = cursors.get_cursor_values({_OWNER}).get(_OWNER)
    if owner == str(output):
        return
    if owner is not None and Path(owner, "lake").is_dir():
        raise BioscanError(
            f"the database {address} has the runs of {printable(owner)}; create another database for {output}, and "
            "name it in automation.database"
        )
    cursors.set_cursor_values({_OWNER: str(output)})
