"""The plan of the UI: its processes' command lines, environment, settings and sockets.

Belongs here: everything that is fixed before the first process starts. Does not belong here: starting the processes
and keeping them alive (`bioscan_etl.ui`).
"""

from __future__ import annotations

import getpass
import hashlib
import ipaddress
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import bioscan_etl
from bioscan_etl.errors import BioscanError
from bioscan_etl.io.write import write_text
from bioscan_etl.settings import AutomationSettings
from bioscan_etl.ui.database import storage
from bioscan_etl.ui.processes import Child
from bioscan_etl.ui.storage_path import storage_path

READ_ONLY = "BIOSCAN_READ_ONLY"
"""Environment variable of the processes of a read-only UI: their sensors tell nobody anything."""
_PACKAGE = Path(bioscan_etl.__file__).parent
_SKIPPED_DAYS = 7
"""Ticks that did nothing are most of them: one a minute."""


def host_name(name: str) -> str:
    """A host in the form of a Host header: lower case, an IPv6 address in brackets, no port.

    Raises:
        BioscanError: it is not a host name or address, or has a port or a scheme.
    """
    try:
        if ipaddress.ip_address(name).version == 6:
            return f"[{name.lower()}]"
    except ValueError:
        pass
    if not re.fullmatch(r"\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+", name):
        raise BioscanError(f"{name!r} is not a host name; give only the name, such as lab.example.org")
    return name.lower().rstrip(".")


@dataclass(frozen=True, slots=True)
class Location:
    """A code location of the UI: its name, the module that Dagster loads, the Python that has its dependencies."""

    name: str
    module: str
    python: Path


@dataclass(frozen=True, slots=True)
class Address:
    """Where the UI is served: the address and port to listen on, and additional host names."""

    host: str
    port: int
    allow_hosts: Sequence[str] = ()

    @property
    def local(self) -> str:
        """The address by which this machine reaches it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        return f"http://{f'[{self.local}]' if ':' in self.local else self.local}:{self.port}"


def instance(automation: AutomationSettings) -> str:
    """The text of `dagster.yaml`: the packaged one, with the database and the retention of the settings."""
    import yaml  # the base has none

    packaged = (files("bioscan_etl") / "definitions" / "instance.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(packaged)
    if automation.database:
        document["storage"] = storage(automation.database, "")
    days = automation.keep_ticks_days
    document["retention"] = {
        "schedule": {"purge_after_days": days},
        "sensor": {"purge_after_days": {"skipped": min(days, _SKIPPED_DAYS), "failure": days, "success": days}},
    }
    return f"# Written by `bioscan-etl ui` at each start.\n{yaml.safe_dump(document, sort_keys=False)}"


def children(
    home: Path,
    sockets: Path,
    locations: Sequence[Location],
    address: Address,
    *,
    automation: AutomationSettings | None = None,
    read_only: bool,
) -> list[Child]:
    """The UI's processes in the order of their start; writes the `workspace.yaml` and `dagster.yaml` that they read.

    Args:
        home: Dagster's folder, `OUTPUT/.dagster`.
        sockets: where the code servers listen.
        locations: what they load.
        address: where the web server listens.
        automation: which database has the runs, and what is kept; the defaults if None.
        read_only: whether the web server starts nothing.
    """
    import yaml  # the base has none

    automation = automation or AutomationSettings()
    plain = storage_path(home)
    workspace = plain / "workspace.yaml"
    entries = []
    found = []
    for location in locations:
        listens = sockets / f"{location.name}.sock"
        entries.append({"grpc_server": {"socket": str(listens), "location_name": location.name}})
        options = ["--module-name", location.module, "--socket", str(listens), "--location-name", location.name]
        found.append(
            Child(
                f"code server of {location.name}",
                # With --lazy-load-user-code it serves the error of code that does not import, and the UI shows it.
                [str(location.python), "-m", "dagster", "api", "grpc", "--lazy-load-user-code", *options],
                home / "logs" / f"{location.name}.log",
            )
        )
    write_text(workspace, yaml.safe_dump({"load_from": entries}))

    def write_instance() -> None:
        storage_path(home)  # whoever clears the folder for temporary files may have removed the link
        # Before each start: a run of the command line may have written an instance of its own there.
        write_text(home / "dagster.yaml", instance(automation))

    options = ["--workspace", str(workspace), "--host", address.host, "--port", str(address.port)]
    options += ["--read-only"] * read_only
    for name in address.allow_hosts:
        options += ["--allow-host", name]
    # By its path: `-m` would import the definitions, but the UI must start and report it if those are broken.
    server = [sys.executable, "-P", str(_PACKAGE / "definitions" / "server.py"), *options]
    found.append(Child("web server", server, home / "logs" / "webserver.log"))
    daemon = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)]
    found.append(Child("daemon", daemon, home / "logs" / "daemon.log"))
    for child in found:
        child.before = write_instance
        child.log_bytes, child.log_files = automation.log_megabytes * 1_000_000, automation.log_files
    return found


def environment(output: Path, home: Path, *, read_only: bool = False) -> dict[str, str]:
    """The processes' environment: this one's, with the output folder and Dagster's."""
    added = {
        "DAGSTER_HOME": str(storage_path(home)),
        "BIOSCAN_OUTPUT": str(output),
        "BIOSCAN_DAGSTER_STORAGE": str(storage_path(home)),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        # Landing hashes a delivery within one evaluation of the sensor; Dagster would stop that after a minute.
        "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "14400",
        "PYTHONUNBUFFERED": "1",
        READ_ONLY: "1" if read_only else "",
    }
    if _PACKAGE.parent.name not in ("site-packages", "dist-packages"):
        # A checkout: the training's Python finds it as well, installed there or not.
        paths = [str(_PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
        added["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return os.environ | added


@contextmanager
def socket_folder(home: Path) -> Iterator[Path]:
    """A folder of this user for the code servers' sockets, always the same one for an output.

    Not below the output: a socket's path may have at most 107 bytes, and not every data volume supports sockets.
    Sockets, not ports: anyone who connects to a code server can run code, and a folder has permissions.

    Raises:
        BioscanError: the folder is open to other users.
    """
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"bioscan-etl-{getpass.getuser()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise BioscanError(f"{folder} is open to other users; remove it, or set TMPDIR to a folder of your own")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
