"""The UI's web server: Dagster's, behind a guard that lets only its own pages and local tools in.

Belongs here: the headers against framing and external requests, read-only serving, and the detection of runs whose
process has died (`mark_lost_runs`), which needs Dagster's instance and a process that lives as long as the UI. Does not
belong here: the guard (`bioscan_etl.ui.guard`), restarting the server when it dies, and the other processes of the UI
(`bioscan_etl.ui`).

    python -m bioscan_etl.definitions.server --workspace FILE --host 127.0.0.1 --port 3000

`bioscan_etl.ui` runs this file by its path instead: if the definitions cannot be imported, the UI must still start and
show why. So this module imports nothing from `bioscan_etl.definitions`.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from bioscan_etl.ui.guard import Guard, guarded
from bioscan_etl.ui.processes import has_proc, look, started_at

_HEADERS = (
    (b"x-frame-options", b"DENY"),
    # A second policy only narrows Dagster's own. No page may frame the UI, whose buttons start work. Its scripts
    # can reach only this server, so they cannot send requests to the vendor's servers.
    (b"content-security-policy", b"frame-ancestors 'none'; connect-src 'self' ws: wss:; frame-src 'self'"),
)
_LOST_RUNS_SECONDS = 10.0
_START_TOLERANCE_SECONDS = 5.0
_log = logging.getLogger("bioscan_etl.ui")


def mark_lost_runs(instance: Any, suspects: Iterable[str] = ()) -> set[str]:
    """Mark runs as failed (or canceled) if their process has died and nothing else reports it.

    A code server reports the death of its own runs. But runs whose code server was killed first, killed runs of the
    command line, and all runs after a crash of the machine stay `started` in Dagster's database forever, and occupy the
    queue. A run that still works although its code server is gone may finish; one
    that is being canceled gets the interrupt that its code server would have sent.

    Args:
        instance: Dagster's instance.
        suspects: run ids that the last call returned. A run is marked when it is found twice, so that a code server
            that sees the same death can report it first.

    Returns:
        Run ids whose process has died, not marked yet.
    """
    from dagster import DagsterEventType, DagsterRunStatus, RunsFilter

    before, found = set(suspects), set()
    states = [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    for run in instance.get_runs(filters=RunsFilter(statuses=states)):
        workers = []
        for record in instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ENGINE_EVENT).records:
            pid = record.event_log_entry.dagster_event.event_specific_data.metadata.get("pid")
            if pid is not None:
                workers.append((int(str(pid.value)), record.timestamp))
        if not workers:
            continue
        alive = [pid for pid, reported in workers if _is_worker(pid, reported)]
        now = instance.get_run_by_id(run.run_id)  # a run stores its last status before its process ends
        if now is None or now.is_finished:
            continue
        if alive:
            if now.status is DagsterRunStatus.CANCELING and not any(_has_code_server(pid) for pid in alive):
                os.kill(alive[0], signal.SIGINT)
        elif run.run_id not in before:
            found.add(run.run_id)
        elif now.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(now, "The run's process has died.")
        else:
            instance.report_run_failed(now, "The run's process has died: it was killed, or the machine crashed.")
    return found


def _is_worker(pid: int, reported: float) -> bool:
    """Whether the process that reported this pid at `reported` (epoch seconds) is still alive, and not a later one."""
    process = look(pid)
    if process is None:
        return False
    return started_at(process) <= reported + _START_TOLERANCE_SECONDS or _has_code_server(pid)


def _has_code_server(pid: int) -> bool:
    """Whether a code server is the parent of a process and so monitors it."""
    process = look(pid)
    parent = look(process.parent) if process else None
    return parent is not None and "grpc" in parent.command


def _watch_runs(instance: Any) -> None:
    suspects: set[str] = set()
    while True:
        time.sleep(_LOST_RUNS_SECONDS)
        try:
            suspects = mark_lost_runs(instance, suspects)
        except Exception:
            _log.exception("could not look for lost runs; trying again")


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bioscan_etl.definitions.server", description=__doc__)
    parser.add_argument("--workspace", required=True, help="workspace.yaml: where the code servers listen")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--read-only", action="store_true", help="show everything, start nothing")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="a further name of the UI")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until ended by a signal; DAGSTER_HOME names the instance.

    A restarted code server is loaded again within two seconds: Dagster queries the id of every `grpc_server` of
    the workspace each second, and reloads the location if the id has changed
    (`dagster._grpc.server_watcher`).
    """
    options = _parsed(arguments)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    import uvicorn
    from dagster import DagsterInstance
    from dagster import __version__ as version
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster._utils.log import configure_loggers
    from dagster_webserver.webserver import DagsterWebserver

    configure_loggers(formatter="colored", log_level="INFO")
    _log.addHandler(logging.StreamHandler())
    guard = Guard(options.host, options.port, options.allow_host)
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(
            instance,
            version=version,
            read_only=options.read_only,
            workspace_load_target=WorkspaceFileTarget([options.workspace]),
        ) as workspace,
    ):
        instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3_600, max_overflow=20)
        if has_proc():
            threading.Thread(target=_watch_runs, args=(instance,), name="lost-runs", daemon=True).start()
        # Here Dagster's own command would start to send telemetry.
        app = guarded(DagsterWebserver(workspace, live_data_poll_rate=2_000).create_asgi_app(), guard, _HEADERS)
        uvicorn.run(
            app,
            host=options.host,
            port=options.port,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=3,  # open pages hold their websockets for ever
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
