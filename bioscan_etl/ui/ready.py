"""Whether the UI is ready, queried from its web server like a browser does.

Belongs here: the queries and their answers. Does not belong here: starting processes (`bioscan_etl.ui`).
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

_STATE = """
{
  workspaceOrError { ... on Workspace { locationEntries {
    name
    locationOrLoadError { __typename ... on PythonError { message className causes: errorChain { error { message } } } }
  } } }
  instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } }
}
"""
_UNREACHABLE = "DagsterUserCodeUnreachableError"


@dataclass(frozen=True, slots=True)
class State:
    """What is missing until the UI is ready, and which code locations fail to load, with the reason."""

    missing: tuple[str, ...]
    broken: dict[str, str]


def ask(address: str, port: int, query: str, seconds: float = 10.0) -> dict[str, Any]:
    """The data that the web server answers to a GraphQL query.

    Raises:
        OSError: it cannot be reached, or its answer is invalid.
    """
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("POST", "/graphql", json.dumps({"query": query}), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"no answer from the web server: {error}") from error
    finally:
        connection.close()
    if not isinstance(answer, dict) or answer.get("data") is None:
        raise OSError(f"no answer from the web server: {str(answer)[:200]}")
    data: dict[str, Any] = answer["data"]
    return data


def state(address: str, port: int, since: float) -> State:
    """Query the state of the UI.

    Args:
        address: where the web server listens.
        port: its port.
        since: when the processes were started (epoch seconds); a daemon counts once it has been heard later.
    """
    try:
        data = ask(address, port, _STATE)
    except OSError:
        return State(("the web server",), {})
    missing, broken = [], {}
    for entry in data["workspaceOrError"].get("locationEntries", ()):
        location = entry["locationOrLoadError"]
        if location is None or location.get("className") == _UNREACHABLE:
            missing.append(f"the code of {entry['name']}")
        elif location["__typename"] == "PythonError":
            broken[entry["name"]] = _reason(location)
    for daemon in data["instance"]["daemonHealth"]["allDaemonStatuses"]:
        if daemon["required"] and (daemon["lastHeartbeatTime"] or 0.0) < since:
            missing.append(f"the daemon's {daemon['daemonType'].lower()}")
    return State(tuple(missing), broken)


def _reason(error: dict[str, Any]) -> str:
    messages = [error["message"], *(cause["error"]["message"] for cause in error["causes"])]
    return messages[-1].strip().splitlines()[0] if messages[-1].strip() else "no message"
