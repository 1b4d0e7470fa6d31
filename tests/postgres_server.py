"""A real PostgreSQL server for tests: Debian's, in a folder of its own, started and ended by the test."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from ui_process import free_port

# A URL would have to escape some of them; PostgreSQL's password file, a colon and a backslash.
PASSWORD = "s3cret/with@odd:letters"
USER = "curator"


def programs() -> Path | None:
    """The folder of the newest server of Debian's package, which is not on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _as_owner(*command: str | Path) -> list[str]:
    """A command as the user `postgres` where we are root: the server refuses to run as root."""
    plain = [str(part) for part in command]
    if os.getuid():
        return plain
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", *plain]


@dataclass
class Server:
    """A server that lets `curator` in with a password over TCP, and the superuser over its socket without."""

    folder: Path
    port: int
    process: subprocess.Popen | None = None

    def start(self) -> None:
        options = ["-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1", "-F"]  # -F: no fsync
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                _as_owner(programs() / "postgres", "-D", self.folder / "data", *options),
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        ready = [programs() / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]
        until = time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL does not start"
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for its clients
        self.process.wait(60)

    def sql(self, text: str, database: str = "postgres") -> str:
        """The answer of the superuser's psql."""
        command = [programs() / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder]
        command += ["-p", str(self.port), "-U", "postgres", "-d", database, "-c", text]
        return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout.strip()

    def database(self, name: str) -> str:
        """Create a database; returns its address, without a password."""
        self.sql(f"CREATE DATABASE {name} OWNER {USER}")
        return f"postgresql+psycopg2://{USER}@127.0.0.1:{self.port}/{name}"

    def password_file(self, folder: Path, password: str = PASSWORD) -> Path:
        """A file in the form of ~/.pgpass that only its owner can read."""
        path = folder / "pgpass"
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        path.write_text(f"127.0.0.1:{self.port}:*:{USER}:{escaped}\n")
        path.chmod(0o600)
        return path


@contextmanager
def postgres() -> Iterator[Server]:
    """A running server; the test is skipped where it is not installed."""
    if programs() is None:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # not below pytest's folder, which only root may enter
    try:
        secret = folder / "password"
        secret.write_text("superuser\n")
        if not os.getuid():
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        options = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}", "--username=postgres"]
        made = subprocess.run(
            _as_owner(programs() / "initdb", "-D", folder / "data", "-E", "UTF8", "--locale=C", "-N", *options),
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        server = Server(folder, free_port())
        server.start()
        try:
            server.sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
