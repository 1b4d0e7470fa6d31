"""`serve` as a real process over a small code location: every child killed, runs too, and nothing left at the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bioscan_etl
from bioscan_etl.errors import BioscanError, BusyError
from bioscan_etl.ui import Location, plan, serve
from bioscan_etl.ui.processes import Child, Ledger, look
from bioscan_etl.ui.ready import ask

ROOT = Path(bioscan_etl.__file__).parents[1]
CODE = """
import os, time
from pathlib import Path
import dagster as dg

@dg.asset
def specimens() -> None:
    pass

@dg.asset
def images() -> None:
    Path(os.environ["BIOSCAN_OUTPUT"], "pid").write_text(str(os.getpid()))
    time.sleep(600)

jobs = [dg.define_asset_job("quick", ["specimens"]), dg.define_asset_job("long", ["images"])]
defs = dg.Definitions(assets=[specimens, images], jobs=jobs, executor=dg.in_process_executor)
"""
SERVE = """
import sys
from pathlib import Path
from bioscan_etl.ui import Location, serve

location = Location("tiny_code", "tiny_code", Path(sys.executable))
tell = lambda line: print(line, flush=True)
sys.exit(serve(Path(sys.argv[1]), port=int(sys.argv[2]), tell=tell, _locations=[location]))
"""
LOCATIONS = [Location("tiny_code", "tiny_code", Path(sys.executable))]
CHILDREN = ["code server of tiny_code", "web server", "daemon"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(done, what, seconds=180):
    until = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < until, f"{what} after {seconds} s"
        time.sleep(0.2)
    return found


def sleeper(seconds=600):
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"], start_new_session=True)


class Served:
    """A `serve` in a process of its own."""

    def __init__(self, folder):
        self.output = folder / "output"
        self.home = self.output / ".dagster"
        self.port = free_port()
        self.log = folder / "told"
        (folder / "code").mkdir()
        (folder / "code" / "tiny_code.py").write_text(CODE)
        self.environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder / "code"), str(ROOT)])}
        self.process = None

    def start(self):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(self.output), str(self.port)],
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def told(self):
        return self.log.read_text()

    def pids(self):
        """The children's pids by name; of a name's entries the last is the living one."""
        try:
            return {entry["name"]: entry["pid"] for entry in json.loads((self.home / "children.json").read_text())}
        except (OSError, ValueError):
            return {}

    def ask(self, query):
        try:
            return ask("127.0.0.1", self.port, query, seconds=30)
        except OSError:
            return None

    def launch(self, job):
        """The id of a run of a job, once the UI takes it: its code server may just be starting."""
        query = (
            "mutation { launchRun(executionParams: {runConfigData: {}, selector: {repositoryLocationName: "
            f'"tiny_code", repositoryName: "__repository__", jobName: "{job}"}}}}) '
            "{ ... on LaunchRunSuccess { run { runId } } } }"
        )
        answer = wait_until(lambda: (self.ask(query) or {}).get("launchRun"), f"a run of {job}")
        return answer["run"]["runId"]

    def status(self, run):
        answer = self.ask(f'{{ runOrError(runId: "{run}") {{ ... on Run {{ status }} }} }}')
        return answer and answer["runOrError"]["status"]

    def processes(self):
        """Living processes of this output, runs included: what they started has their environment."""
        mark = f"DAGSTER_HOME={self.home}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (process := look(int(entry.name))):
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(process)
                except OSError:
                    continue
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    found = Served(tmp_path_factory.mktemp("supervisor"))
    found.start()
    # The first supervisor is killed while its children come up; the second one has to clear them away.
    wait_until(lambda: len(found.pids()) == 3, "three children")
    found.process.kill()
    found.process.wait()
    assert len(found.processes()) >= 3
    found.start()
    try:
        wait_until(lambda: "the UI is ready on" in found.told() or found.process.poll() is not None, "a ready UI")
        assert "the UI is ready on" in found.told(), found.told()
        yield found
    finally:
        if found.process.poll() is None:
            found.process.terminate()
            found.process.wait(60)
        for process in found.processes():
            os.kill(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_what_a_killed_supervisor_left_behind_is_ended_by_the_next(served):
    for name in CHILDREN:
        assert f"ended the {name} that an earlier ui left behind" in served.told()
    leaders = [process for process in served.processes() if process.pid in served.pids().values()]
    assert len(leaders) == 3


@pytest.mark.slow
def test_a_second_ui_of_the_output_and_a_taken_port_are_refused(served, tmp_path):
    with pytest.raises(BusyError, match="another `bioscan-etl ui` serves") as busy:
        serve(served.output, port=free_port(), _locations=LOCATIONS)
    assert "\n" not in str(busy.value)
    with pytest.raises(BioscanError, match=f"port {served.port} .* --port"):
        serve(tmp_path, port=served.port, _locations=LOCATIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_is_started_again_and_runs_go_through_without_a_click(served, name):
    before = served.pids()[name]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: served.pids()[name] != before, f"a new {name}", 30)
    assert f"the {name} was ended by SIGKILL; it starts again in" in served.told()
    run = served.launch("quick")
    wait_until(lambda: served.status(run) == "SUCCESS", "a successful run")


@pytest.mark.slow
def test_a_run_killed_after_its_code_server_is_failed_and_started_again(served):
    run = served.launch("long")
    worker = int(wait_until(lambda: (served.output / "pid").exists() and (served.output / "pid").read_text(), "a run"))
    before = served.pids()[CHILDREN[0]]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: served.pids()[CHILDREN[0]] != before, "a new code server")
    assert look(worker), "the run goes on without its code server"
    assert served.status(run) == "STARTED"
    (served.output / "pid").unlink()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: served.status(run) == "FAILURE", "a failed run", 60)
    wait_until((served.output / "pid").exists, "its second try")


@pytest.mark.slow
def test_ctrl_c_ends_everything_runs_included(served):
    assert any("multiprocessing" in process.command for process in served.processes()), "a run goes on"
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(30) == 0, served.told()
    assert served.processes() == []
    assert not (served.home / "children.json").exists()


@pytest.mark.slow
def test_a_damaged_database_is_named_with_the_way_out(tmp_path):
    (tmp_path / ".dagster" / "history").mkdir(parents=True)
    (tmp_path / ".dagster" / "history" / "runs.db").write_text("no database" * 1000)
    with pytest.raises(BioscanError, match=r"does not open: .*not a database; move its history and schedules away"):
        serve(tmp_path, port=free_port(), _locations=LOCATIONS)


@pytest.mark.slow
def test_what_does_not_get_ready_is_named_with_its_log_and_leaves_nothing(tmp_path):
    broken = [Location("absent", "no_such_module", Path("/bin/false"))]
    with pytest.raises(BioscanError, match=r"not ready in 3 s: .*logs"):
        serve(tmp_path, port=free_port(), ready_timeout_s=3, tell=lambda line: None, _locations=broken)
    assert not (tmp_path / ".dagster" / "children.json").exists()


def test_a_process_is_known_by_its_pid_and_start(tmp_path):
    process = sleeper()
    # While a process becomes another program, it has no command line for a moment.
    wait_until(lambda: look(process.pid).command, "the command line")
    found = look(process.pid)
    assert found.parent == os.getpid()
    assert "time.sleep" in found.command
    ledger = Ledger(tmp_path / "children.json")
    ledger.add("daemon", process.pid)
    again = Ledger(ledger.path)
    again.load()
    assert again.entries == [("daemon", process.pid, found.started)]
    again.entries = [("daemon", process.pid, found.started + 1)]  # another process has the number now
    assert again.end_leaders() == []
    assert look(process.pid)
    again.load()
    assert again.end_leaders() == ["daemon"]
    assert process.wait(5) == -signal.SIGKILL
    assert look(process.pid) is None


def test_what_a_dead_child_started_is_ended_with_the_rest(tmp_path):
    code = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    run = int(leader.stdout.readline())
    ledger = Ledger(tmp_path / "children.json")
    ledger.add("code server", leader.pid)
    leader.kill()
    leader.wait()
    leader.stdout.close()
    other = sleeper()
    ledger.add("code server", other.pid)
    assert [pid for _, pid, _ in ledger.entries] == [leader.pid, other.pid]
    ledger.end_groups(10, lambda: False)
    assert look(run) is None
    assert look(other.pid) is None
    other.wait()


def test_a_stubborn_group_is_killed_when_the_patience_ends(tmp_path):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    deaf = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    deaf.stdout.readline()
    ledger = Ledger(tmp_path / "children.json")
    ledger.add("daemon", deaf.pid)
    ledger.end_groups(0.5, lambda: False)
    assert deaf.wait(5) == -signal.SIGKILL
    deaf.stdout.close()


def test_a_damaged_ledger_is_an_empty_one(tmp_path):
    ledger = Ledger(tmp_path / "children.json")
    for text in ("", "[{}]", '{"a": 1}', "[1]"):
        ledger.path.write_text(text)
        ledger.load()
        assert ledger.entries == []


def test_the_pause_before_a_restart_doubles_up_to_half_a_minute_and_the_log_is_kept_small(tmp_path):
    child = Child("daemon", [sys.executable, "-c", "print('up')"], tmp_path / "daemon.log")
    pauses = []
    for _ in range(8):
        child.start(os.environ)
        end = wait_until(child.ended, "its end", 30)
        assert end[0] == "ended with code 0"
        pauses.append(end[1])
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert not child.is_due()
    assert (tmp_path / "daemon.log").read_text() == "up\n" * 8
    with (tmp_path / "daemon.log").open("a") as log:
        log.truncate(11_000_000)
    child.start(os.environ)
    wait_until(child.ended, "its end", 30)
    assert (tmp_path / "daemon.log").read_text() == "up\n"
    assert (tmp_path / "daemon.log.1").stat().st_size == 11_000_000


def test_a_log_rotates_while_its_process_writes_and_the_oldest_goes(tmp_path):
    code = "import itertools, time\nfor n in itertools.count(): print(n, flush=True); time.sleep(0.001)"
    child = Child("daemon", [sys.executable, "-c", code], tmp_path / "daemon.log", log_bytes=200, log_files=2)
    child.start(os.environ)
    for _ in range(4):
        wait_until(lambda: child.log.stat().st_size > 200, "a long log", 30)
        child.rotate()
    wait_until(lambda: child.log.stat().st_size, "a line", 30)
    child.process.kill()
    wait_until(child.ended, "its end", 30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daemon.log", "daemon.log.1", "daemon.log.2"]
    older, newer, now = (
        (tmp_path / name).read_text().split() for name in ("daemon.log.2", "daemon.log.1", "daemon.log")
    )
    assert int(older[1]) < int(newer[1]) < int(now[-1])
    assert b"\0" not in child.log.read_bytes(), "it wrote on where it had been"
    child.log_files = 0
    child.log.write_text("x" * 300)
    child.rotate()
    assert child.log.read_text() == ""


def test_sockets_lie_in_a_folder_that_no_other_user_opens(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with plan.socket_folder(tmp_path / "output") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(BioscanError, match="open to other users"), plan.socket_folder(tmp_path / "output"):
        pass


def test_the_ui_listens_where_it_is_told_and_names_what_it_cannot(tmp_path):
    assert plan.Address("0.0.0.0", 3000).url == "http://127.0.0.1:3000"
    assert plan.Address("::", 3000).url == "http://[::1]:3000"
    with pytest.raises(BioscanError, match="cannot listen on"):
        serve(tmp_path, host="192.0.2.1", port=free_port(), _locations=LOCATIONS)


def test_names_are_taken_as_a_host_header_has_them():
    assert plan.host_name("Lab.Example.org.") == "lab.example.org"
    assert plan.host_name("FE80::1") == "[fe80::1]"
    for wrong in ("https://lab.example.org", "lab.example.org:3000", "a b", ""):
        with pytest.raises(BioscanError, match="not a host name"):
            plan.host_name(wrong)
