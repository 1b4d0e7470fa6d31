"""The UI of an output folder: `serve` starts its processes and keeps them alive.

Belongs here: the sequence of steps, and messages to the user. Does not belong here: command lines and settings
(`plan`), pids and signals (`processes`), readiness checks (`ready`), and Dagster itself: its processes
are started by their command lines, the web server by `bioscan_etl.definitions.server`.

One supervisor runs four processes: a code server for the pipeline and one for the detector's training (each
listens on a socket), the web server, and the daemon that runs sensors, schedules and the queue. A process that dies
is started again; the others reconnect by themselves. A run is a child process of its code server, and continues
if that is killed.
"""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bioscan_etl.errors import BioscanError
from bioscan_etl.io.paths import real_path
from bioscan_etl.lake.locks import hold
from bioscan_etl.lake.store import Lake
from bioscan_etl.ui import plan, ready
from bioscan_etl.ui.database import automation_of, require_database
from bioscan_etl.ui.plan import Address, Location
from bioscan_etl.ui.processes import Child, Ledger

_GRACE_S = 15.0
_POLL_S = 0.2
_REFUSED = "refused: "
_OPEN_DATABASE = """
import sys, dagster
from pathlib import Path
from bioscan_etl.errors import BioscanError
from bioscan_etl.ui.database import claim
try:
    with dagster.DagsterInstance.get() as instance:
        claim(instance, Path(sys.argv[1]), sys.argv[2])
except BioscanError as error:
    sys.exit(f"refused: {error}")
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}".splitlines()[0])
"""


def serve(
    output: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 3000,
    read_only: bool = False,
    allow_hosts: Sequence[str] = (),
    training_python: Path | None = None,
    ready_timeout_s: float = 120,
    tell: Callable[[str], None] = print,
    _locations: Sequence[Location] | None = None,
) -> int:
    """Serve the UI of an output folder until Ctrl-C or SIGTERM; a second one ends runs without further waiting.

    Args:
        output: the output folder; its `.dagster` holds the UI's database, settings and logs.
        host: the address to listen on. Anyone who can reach an address other than localhost can start work.
        port: the port to listen on.
        read_only: show everything, start nothing.
        allow_hosts: additional host names of the UI, for example behind a proxy; each is accepted with any port.
        training_python: the Python that has the detector's training (`.venv-clients/bin/python`); this one if None.
        ready_timeout_s: how long the processes may take to be ready, in seconds.
        tell: prints one line for the user.

    Returns:
        0, after all processes have ended.

    Raises:
        BusyError: another `ui` serves this output.
        SettingsError: `settings.toml` is not TOML, or its `[automation]` is broken.
        MissingExtraError: the setting `automation.database` needs an extra that is not installed.
        BioscanError: a host name or the address is invalid, the port is taken, the database of runs is damaged or not
            reached, or the processes were not ready in time.
    """
    output = real_path(output)
    automation = automation_of(Lake(output))
    require_database(automation.database)
    home = output / ".dagster"
    (home / "logs").mkdir(parents=True, exist_ok=True)
    here = Path(sys.executable)
    locations = _locations or (
        Location("bioscan_etl", "bioscan_etl.definitions", here),
        Location("detector_training", "bioscan_etl.definitions.training", training_python or here),
        Location("benchmarks", "bioscan_etl.definitions.benchmarks", here),
    )
    address = Address(host, port, [plan.host_name(name) for name in allow_hosts])
    with _alone(home, output), plan.socket_folder(home) as sockets, _signals() as stop:
        ledger = Ledger(home / "children.json")
        ledger.load()
        for name in ledger.end_leaders():
            tell(f"ended the {name} that an earlier ui left behind")
        _check_port(address)
        children = plan.children(home, sockets, locations, address, automation=automation, read_only=read_only)
        environment = plan.environment(output, home, read_only=read_only)
        if training_python is not None:
            # The option sets the Python of the training; an environment variable must not override it.
            environment.pop("BIOSCAN_TRAINING_PYTHON", None)
        children[0].before()  # writes the configuration that says which database
        _open_database(environment, home, automation.database)
        household = _Household(children, environment, ledger, tell)
        try:
            household.start()
            _wait_until_ready(household, address, stop, ready_timeout_s, home / "logs")
            while not stop.wait(_POLL_S):
                household.keep_alive()
        finally:
            household.end(stop)
    return 0


class _Stop:
    """Set by SIGINT, SIGTERM and SIGHUP; `urgent` from the second on."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.urgent = False

    def __call__(self, *_: object) -> None:
        self.urgent = self._event.is_set()
        self._event.set()

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)


@dataclass(slots=True)
class _Household:
    """The processes of the UI, kept alive."""

    children: Sequence[Child]
    environment: dict[str, str]
    ledger: Ledger
    say: Callable[[str], None]

    def start(self) -> None:
        for child in self.children:
            self._start(child)

    def keep_alive(self) -> None:
        for child in self.children:
            child.rotate()
            end = child.ended()
            if end is not None:
                how, seconds = end
                self.say(f"the {child.name} {how}; it starts again in {seconds:g} s (its log: {child.log})")
            elif child.is_due():
                self._start(child)

    def end(self, stop: _Stop) -> None:
        def hurry() -> bool:
            for child in self.children:
                child.ended()  # removes it from the process table
            return stop.urgent

        self.ledger.end_groups(_GRACE_S, hurry)

    def _start(self, child: Child) -> None:
        self.ledger.add(child.name, child.start(self.environment))


def _open_database(environment: dict[str, str], home: Path, address: str) -> None:
    """Create Dagster's database, or check that it opens, in one process: concurrent creation would damage it."""
    made = subprocess.run(
        [sys.executable, "-c", _OPEN_DATABASE, environment["BIOSCAN_OUTPUT"], address],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if made.returncode:
        reason = (made.stderr.strip().splitlines() or [f"code {made.returncode}"])[-1]
        if reason.startswith(_REFUSED):
            raise BioscanError(reason.removeprefix(_REFUSED))
        if address:
            raise BioscanError(
                f"the database of runs, {address}, does not open: {reason}; name an empty one in automation.database, "
                "the data does not need its history"
            )
        raise BioscanError(
            f"the database of runs below {home} does not open: {reason}; move its history and schedules away, "
            "the data does not need them"
        )


def _wait_until_ready(household: _Household, address: Address, stop: _Stop, timeout_s: float, logs: Path) -> None:
    since, until = time.time(), time.monotonic() + timeout_s
    while (state := ready.state(address.local, address.port, since)).missing:
        if time.monotonic() > until:
            silent = ", ".join(state.missing)
            raise BioscanError(f"not ready in {timeout_s:g} s: {silent}; see the logs in {logs}")
        if stop.wait(_POLL_S):
            return
        household.keep_alive()
    for name, reason in state.broken.items():
        household.say(f"the code of {name} does not load; the UI shows where: {reason}")
    household.say(f"the UI is ready on {address.url}")
    if address.local != address.host:
        household.say("other machines can reach it by the names given with --allow-host, and can start work")


@contextmanager
def _alone(home: Path, output: Path) -> Iterator[None]:
    """Hold the output's `ui.lock`; the kernel releases it when this process ends, for whatever reason."""
    with hold(home / "ui.lock", f"another `bioscan-etl ui` serves {output}; end that one first (Ctrl-C)"):
        yield


@contextmanager
def _signals() -> Iterator[_Stop]:
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_port(address: Address) -> None:
    host, port = address.host, address.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise BioscanError(f"port {port} of {host} is taken; choose another with --port") from None
            raise BioscanError(f"cannot listen on {host}, port {port}: {error.strerror}; see --host, --port") from None
