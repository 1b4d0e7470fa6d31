"""A real `bioscan-etl ui` process for tests: started, asked, killed and ended."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.state import survey


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ui:
    """A running UI of an output folder."""

    def __init__(self, output: Path, port: int, process: subprocess.Popen) -> None:
        self.output, self.port, self.process = output, port, process

    def query(self, text: str, **variables) -> dict:
        """The answer of the UI's GraphQL."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def skip_reasons(self, sensor: str) -> list[str]:
        """What a sensor said at its last ticks, the latest first."""
        text = """query($name: String!) {
          sensorOrError(sensorSelector: {repositoryName: "__repository__", repositoryLocationName: "bioscan_etl",
                                         sensorName: $name}) {
            ... on Sensor { sensorState { ticks(limit: 20) { skipReason status error { message } } } }
          } }"""
        ticks = self.query(text, name=sensor)["sensorOrError"]["sensorState"]["ticks"]
        return [str(tick["skipReason"] or tick["error"] or "") for tick in ticks]

    def log(self) -> str:
        logs = sorted((self.output / ".dagster" / "logs").glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in logs)


@contextmanager
def ui(output: Path, *options: str, wait: float = 180) -> Iterator[Ui]:
    """Start `bioscan-etl ui`, wait until it says that it is ready, and end it by SIGINT."""
    port = free_port()
    said = output / "ui.txt"
    output.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bioscan_etl.cli", "ui", str(output), "--port", str(port), *options]
    with said.open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    running = Ui(output, port, process)
    try:
        until(lambda: "ready" in said.read_text() or process.poll() is not None, wait, running, "the UI is not ready")
        assert process.poll() is None, said.read_text() + running.log()
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def until(condition, seconds: float, running: Ui, what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            lake = Lake(running.output)
            states = [(one.name, one.status, one.problem or one.reasons) for one in survey(lake, read_settings(lake))]
            raise AssertionError(
                f"{what} after {seconds:.0f} s; {states}; {running.skip_reasons('new_batches')[:3]}; "
                f"{running.skip_reasons('release_when_settled')[:3]}; {running.log()}"
            )
        time.sleep(0.5)


def head(output: Path, version: str) -> dict:
    """The manifest of a release."""
    return json.loads((output / "releases" / version / "manifest.json").read_text())


def deliver(source: Path, inbox: Path, name: str, *, done: bool = True) -> None:
    """Copy a delivery into an inbox, as somebody who knows nothing of markers does."""
    target = inbox / name
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("batch.json"))
    if done:
        (target / "DONE").touch()
