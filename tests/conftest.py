"""Fixtures that more than one test file uses."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared and noisy: a slow example is no failure. `make test` tries fewer examples than
# `make test-thorough`. In CI they are always the same: whether a change may land must not depend on chance.
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "BIOSCAN_NO_SKIPS" in os.environ else "quick"))

# In CI a test whose needs are absent fails: BIOSCAN_NO_SKIPS names the environment, `base` or `clients`. The first two
# absences are facts about the machine, not about its set-up; what needs the other environment is run there.
_MAY_BE_ABSENT = ("real data is absent", "golden outputs are not compared")
_ELSEWHERE = "needs .venv-clients"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Run the slow files with the fewest tests first: they take longest, and none should run alone at the end.

    By default xdist first runs the files with the most tests. `--no-loadscope-reorder` makes it keep this order.
    """
    if not config.getoption("loadscopereorder", True):
        tests = Counter(item.path for item in items)
        items.sort(key=lambda item: tests[item.path])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skipped test into a failed one where BIOSCAN_NO_SKIPS is set, as in CI."""
    report = (yield).get_result()
    _refuse_skip(report)


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """The same for a module that skips itself while it is imported."""
    report = (yield).get_result()
    _refuse_skip(report)


def _refuse_skip(report) -> None:
    environment = os.environ.get("BIOSCAN_NO_SKIPS")
    if report.skipped and environment and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        allowed = _MAY_BE_ABSENT if environment == "clients" else (*_MAY_BE_ABSENT, _ELSEWHERE)
        if not reason.removeprefix("Skipped: ").startswith(allowed):
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid} was skipped ({reason}); BIOSCAN_NO_SKIPS allows no skipped test"


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARED_CASES = SHARED_DATA.with_name("cases")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real records and images that lies beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is absent: no folder {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The folder of small inputs that once failed, each with a README of what is expected."""
    if not SHARED_CASES.is_dir():
        pytest.skip(f"real data is absent: no folder {SHARED_CASES}")
    return SHARED_CASES


@pytest.fixture(scope="session")
def decided(tmp_path_factory):
    """A demo corpus with release v1 before, and v2 after decisions of every action; and these. Do not change it."""
    from everything_decided import decided_corpus

    output = tmp_path_factory.mktemp("decided")
    return output, decided_corpus(output)


@pytest.fixture(scope="module")
def s3():
    """A client of an S3-compatible server (moto, a process of its own) with a bucket `deliveries`.

    The AWS environment points at the server.
    """
    import boto3

    from bioscan_etl.io.s3 import client as cached

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(name, value)
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    cached.cache_clear()
    client = boto3.client("s3")
    client.create_bucket(Bucket="deliveries")
    yield client
    cached.cache_clear()
    patch.undo()
    server.terminate()
    server.wait(10)


@pytest.fixture
def web_folder():
    """A function that serves a folder over HTTP and returns its address."""
    servers = []

    def serve(folder: Path) -> str:
        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
