"""The UI's web server: what the guard lets in, the real server over raw HTTP, and runs whose process is gone."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from hypothesis import given
from hypothesis import strategies as st

import bioscan_etl
from bioscan_etl.definitions.server import mark_lost_runs
from bioscan_etl.ui import _open_database
from bioscan_etl.ui.guard import Guard

SERVER = Path(bioscan_etl.__file__).parent / "definitions" / "server.py"
CODE = """
import dagster as dg

@dg.asset
def specimens() -> None:
    pass

defs = dg.Definitions(assets=[specimens], jobs=[dg.define_asset_job("curate")], executor=dg.in_process_executor)
"""
LAUNCH = """mutation { launchRun(executionParams: {runConfigData: {}, selector: {
  repositoryLocationName: "tiny_code", repositoryName: "__repository__", jobName: "curate"}}) { __typename } }"""
RUNS = "{ runsOrError { ... on Runs { results { status } } } }"

guard = Guard("127.0.0.1", 3000, ["lab.example.org"])


def scope(method="GET", path="/", query="", kind="http", **headers):
    fields = {"host": "localhost:3000"} | {name.replace("_", "-"): value for name, value in headers.items()}
    pairs = [(name.encode(), value.encode()) for name, value in fields.items() if value is not None]
    return {"type": kind, "method": method, "path": path, "query_string": query.encode(), "headers": pairs}


JSON = {"method": "POST", "path": "/graphql", "content_type": "application/json"}


@pytest.mark.parametrize(
    "request_",
    [
        scope(),
        scope(host="LOCALHOST"),
        scope(host="127.0.0.1:3000"),
        scope(host="[::1]:3000"),
        scope(host="lab.example.org"),
        scope(host="lab.example.org:8443"),
        scope(**JSON),  # curl, Dagster's own client
        scope(**JSON, origin="http://localhost:3000", sec_fetch_site="same-origin"),
        scope(**JSON | {"content_type": "application/json; charset=utf-8"}),
        scope(**JSON, host="lab.example.org", origin="https://lab.example.org"),
        scope(path="/graphql", accept="text/html"),  # GraphiQL
        scope(path="/runs", sec_fetch_site="none", sec_fetch_mode="navigate", sec_fetch_dest="document"),
        scope(path="/runs", sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"),
        scope(kind="websocket", path="/graphql", origin="http://127.0.0.1:3000"),
    ],
)
def test_the_ui_itself_local_tools_and_links_are_let_in(request_):
    assert guard.refusal(request_) is None


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (scope(host="evil.example"), "--allow-host evil.example"),
        (scope(host="localhost:4000"), "does not go by localhost:4000"),
        (scope(host="localhost.evil.example:3000"), "--allow-host"),
        (scope(host="user@localhost:3000"), "no single valid Host"),
        (scope(host=None), "no single valid Host"),
        (scope(**JSON, origin="null"), "a page that is not the UI"),
        (scope(**JSON, origin="https://evil.example"), "--allow-host evil.example"),
        (scope(**JSON, origin="http://localhost:8888"), "localhost:8888"),
        (scope(**JSON, origin="http://localhost"), "localhost"),
        (scope(**JSON, origin="file://"), "a page that is not the UI"),
        (scope(**JSON, sec_fetch_site="cross-site"), "a page of another site"),
        (scope(**JSON, sec_fetch_site="same-site"), "a page of another site"),
        (
            scope(sec_fetch_site="cross-site", sec_fetch_mode="no-cors", sec_fetch_dest="image"),
            "a page of another site",
        ),
        (
            scope(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="iframe"),
            "a page of another site",
        ),
        (scope(path="/graphql", sec_fetch_site="cross-site", sec_fetch_mode="navigate"), "a page of another site"),
        (scope(path="/graphql", query="query=mutation{a}"), "by POST"),
        (scope(path="/graphql/", query="%71uery=mutation{a}"), "by POST"),
        (scope(path="/graphql", query="query=mutation{a}", accept="text/html"), "by POST"),
        (scope("POST", "/graphql"), "as application/json"),
        (scope("POST", "/graphql", content_type="text/plain"), "as application/json"),
        (scope("POST", "/graphql", content_type="text/plain; application/json"), "as application/json"),
        (scope("POST", "/graphql", content_type="application/graphql"), "as application/json"),
        (scope("POST", "/graphql", content_type="multipart/form-data; boundary=x"), "as application/json"),
        (scope("POST", "/report_asset_materialization/a", origin="https://evil.example"), "--allow-host"),
        (scope(kind="websocket", path="/graphql", origin="https://evil.example"), "--allow-host"),
        (scope(kind="websocket", path="/graphql", origin="null"), "a page that is not the UI"),
    ],
)
def test_other_pages_are_refused_in_one_line_that_says_why(request_, said):
    reason = guard.refusal(request_)
    assert said in reason
    assert reason.startswith("refused: ")
    assert "\n" not in reason


def test_two_hosts_or_origins_are_no_way_in():
    request_ = scope()
    request_["headers"].append((b"host", b"evil.example"))
    assert "no single valid Host" in guard.refusal(request_)
    request_ = scope(**JSON, origin="http://localhost:3000")
    request_["headers"].append((b"origin", b"https://evil.example"))
    assert "--allow-host" in guard.refusal(request_)


names = st.from_regex(r"[a-zA-Z0-9.-]{1,20}", fullmatch=True)


@given(name=names, port=st.integers(1, 65535))
def test_a_foreign_name_never_gets_in(name, port):
    known = name.lower().rstrip(".") in {"localhost", "127.0.0.1", "lab.example.org"}
    assert known or guard.refusal(scope(host=f"{name}:{port}"))
    assert known or guard.refusal(scope(**JSON, origin=f"http://{name}:{port}"))


@given(st.text(max_size=30))
def test_any_host_is_decided_without_an_error(text):
    raw = text.encode("utf-8")
    request_ = scope()
    request_["headers"] = [(b"host", raw), (b"origin", raw), (b"sec-fetch-site", raw), (b"content-type", raw)]
    assert guard.refusal(request_)


# A real server, over a real code server.


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, method, path, body=None, **headers):
    """One raw request: no header but those named. Returns status, headers and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    fields = {"host": f"localhost:{port}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        fields |= {"content-length": str(len(body))}
    for name, value in fields.items():
        connection.putheader(name, value)
    connection.endheaders()
    if body is not None:
        connection.send(body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def graphql(port, query, **headers):
    body = json.dumps({"query": query}).encode()
    return ask(port, "POST", "/graphql", body, content_type="application/json", **headers)


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """Two servers over one code server: one that starts runs, one that is read-only."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "tiny_code.py").write_text(CODE)
    sockets = tempfile.TemporaryDirectory()  # a socket's path may have 107 bytes; pytest's folders are deep
    listens = Path(sockets.name) / "code.sock"
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    workspace = folder / "workspace.yaml"
    workspace.write_text(
        f"load_from:\n  - grpc_server:\n      socket: '{listens}'\n      location_name: tiny_code\n", encoding="utf-8"
    )
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "BIOSCAN_OUTPUT": str(folder),
        "PYTHONPATH": os.pathsep.join([str(folder), str(SERVER.parents[2])]),
    }
    log = (folder / "log").open("w")

    def start(*command):
        return subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=log, stderr=log, start_new_session=True
        )

    # Of several processes that create the database at once, some fail.
    _open_database(environment, home, "")
    open_port, closed_port = free_port(), free_port()
    serving = ["-P", str(SERVER), "--workspace", str(workspace), "--port"]
    grpc = ["-m", "dagster", "api", "grpc", "--module-name", "tiny_code", "--location-name", "tiny_code"]
    processes = [
        start(*grpc, "--socket", str(listens)),
        start(*serving, str(open_port), "--allow-host", "lab.example.org"),
        start(*serving, str(closed_port), "--read-only"),
    ]
    try:
        for port in (open_port, closed_port):
            wait_until(lambda port=port: "RepositoryLocation" in loaded(port), f"server; see {folder / 'log'}")
        yield open_port, closed_port
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()
        sockets.cleanup()


def loaded(port):
    try:
        query = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
        return graphql(port, query)[2]
    except OSError:
        return ""


def wait_until(done, what, seconds=120):
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, f"{what} after {seconds} s"
        time.sleep(0.2)


def websocket(port, origin):
    """The status that a websocket's handshake gets."""
    key = {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==", "sec_websocket_version": "13"}
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        fields = {"host": f"localhost:{port}", "origin": origin, "upgrade": "websocket", "connection": "upgrade"}
        fields |= {name.replace("_", "-"): value for name, value in key.items()}
        fields |= {"sec-websocket-protocol": "graphql-ws"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection.sendall(f"GET /graphql HTTP/1.1\r\n{lines}\r\n".encode())
        return int(connection.recv(200).split()[1])


@pytest.mark.slow
def test_the_real_server_lets_its_own_pages_in_and_no_others(ports):
    port = ports[0]
    status, headers, page = ask(port, "GET", "/", accept="text/html")
    assert status == 200
    assert "Dagster" in page
    assert headers["x-frame-options"] == "DENY"
    assert any("frame-ancestors 'none'" in value for value in headers.get_all("content-security-policy"))
    assert any("script-src" in value for value in headers.get_all("content-security-policy"))  # Dagster's own stays
    assert ask(port, "GET", "/server_info")[0] == 200
    assert ask(port, "GET", "/server_info", host="lab.example.org")[0] == 200

    status, headers, text = ask(port, "GET", "/", host=f"evil.example:{port}")
    assert (status, text.count("\n")) == (403, 1)
    assert "bioscan-etl ui --allow-host evil.example" in text
    assert headers["content-type"].startswith("text/plain")

    assert graphql(port, "{ version }")[0] == 200
    assert graphql(port, "{ version }", origin=f"http://localhost:{port}", sec_fetch_site="same-origin")[0] == 200
    assert graphql(port, LAUNCH, origin="https://evil.example")[0] == 403
    assert graphql(port, LAUNCH, origin="null")[0] == 403
    assert graphql(port, LAUNCH, sec_fetch_site="cross-site")[0] == 403
    assert ask(port, "GET", "/graphql?query=mutation%7BsetNuxSeen%7D")[0] == 403
    plain = json.dumps({"query": LAUNCH}).encode()
    assert ask(port, "POST", "/graphql", plain, content_type="text/plain; application/json")[0] == 403
    assert json.loads(graphql(port, RUNS)[2])["data"]["runsOrError"]["results"] == []  # none of them got through

    assert websocket(port, f"http://localhost:{port}") == 101
    assert websocket(port, "https://evil.example") == 403


@pytest.mark.slow
def test_who_may_only_look_starts_nothing(ports):
    port = ports[1]
    assert json.loads(graphql(port, LAUNCH)[2])["data"]["launchRun"]["__typename"] == "UnauthorizedError"
    report = ask(port, "POST", "/report_asset_materialization/specimens", b"{}", content_type="application/json")
    assert report[0] == 401
    assert json.loads(graphql(port, RUNS)[2])["data"]["runsOrError"]["results"] == []
    assert ask(port, "GET", "/runs", accept="text/html")[0] == 200


# Runs whose process is gone.


@dg.op
def nothing():
    pass


@dg.job
def curate():
    nothing()


@pytest.fixture
def instance(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as found:
        yield found


def run_of(instance, process, status=dg.DagsterRunStatus.STARTED):
    run = instance.create_run_for_job(curate, status=status)
    instance.report_engine_event("Started process for run.", run, EngineEventData.in_process(process.pid))
    return run.run_id


@pytest.fixture
def sleeper():
    code = "import time; print('up', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()  # an interrupt before Python is up would be lost
    yield process
    process.kill()
    process.communicate()


def test_a_run_is_left_alone_while_its_process_lives_and_failed_at_the_second_look_after(instance, sleeper):
    run = run_of(instance, sleeper)
    assert mark_lost_runs(instance, {run}) == set()
    sleeper.kill()
    sleeper.wait()
    suspects = mark_lost_runs(instance)
    assert suspects == {run}
    assert instance.get_run_by_id(run).status is dg.DagsterRunStatus.STARTED
    assert mark_lost_runs(instance, suspects) == set()
    assert instance.get_run_by_id(run).status is dg.DagsterRunStatus.FAILURE


def test_a_process_that_only_has_the_same_number_is_not_the_run(instance, sleeper, monkeypatch):
    run = run_of(instance, sleeper)
    later = time.time() + 3600
    monkeypatch.setattr("bioscan_etl.definitions.server.started_at", lambda process: later)
    assert mark_lost_runs(instance, {run}) == set()
    assert instance.get_run_by_id(run).status is dg.DagsterRunStatus.FAILURE


def test_a_run_that_is_canceled_without_its_code_server_is_interrupted_then_canceled(instance, sleeper):
    run = run_of(instance, sleeper, dg.DagsterRunStatus.CANCELING)
    assert mark_lost_runs(instance) == set()
    assert sleeper.wait(20) != 0
    assert mark_lost_runs(instance, {run}) == set()
    assert instance.get_run_by_id(run).status is dg.DagsterRunStatus.CANCELED


def test_a_run_without_a_known_process_and_a_finished_one_are_left_alone(instance):
    starting = instance.create_run_for_job(curate, status=dg.DagsterRunStatus.STARTED)
    done = curate.execute_in_process(instance=instance)
    assert mark_lost_runs(instance, {starting.run_id, done.run_id}) == set()
    assert instance.get_run_by_id(starting.run_id).status is dg.DagsterRunStatus.STARTED
    assert instance.get_run_by_id(done.run_id).status is dg.DagsterRunStatus.SUCCESS
