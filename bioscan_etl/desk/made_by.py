"""What made a release: settings that are not the defaults, code of the stages, libraries; and what changed since.

Belongs here: comparing heads of manifests. Does not belong here: whether a release is valid (`release.check`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import bioscan_etl
from bioscan_etl.settings import Settings

Head = Mapping[str, Any]


def made_by(head: Head, before: Head | None) -> dict[str, Any]:
    """What made a release.

    Args:
        head: of its manifest (`release.manifest.read_head`).
        before: of the release before it; None if there is none, or it cannot be read.

    Returns:
        version, before (a version or None), settings (that differ from the defaults: name, default, value), changed
        (settings that differ from those of the release before: name, default as the value before, value), stages (name,
        code, code before; those whose code changed first), libraries (name, versions).
    """
    stages, earlier = _stages(head), _stages(before or {})
    own = _flat(head.get("settings"))
    return {
        "version": head.get("version"),
        "before": before.get("version") if before else None,
        "settings": _differing(_flat(Settings().model_dump(mode="json")), own),
        "changed": _differing(_flat(before.get("settings")), own) if before else [],
        "stages": sorted(
            (
                {"stage": name, "code": code, "before": earlier.get(name) if before else code}
                for name, code in stages.items()
            ),
            key=lambda one: (one["code"] == one["before"], one["stage"]),
        ),
        "libraries": _libraries(head),
    }


def program() -> dict[str, Any]:
    """The version and the commit of the program that shows it."""
    return {"version": bioscan_etl.__version__, "commit": commit()}


def _flat(settings: Any) -> dict[str, str]:
    if not isinstance(settings, dict):
        return {}
    return {
        f"{section}.{name}": json.dumps(value, ensure_ascii=False, sort_keys=True)
        for section, values in settings.items()
        if isinstance(values, dict)
        for name, value in values.items()
    }


def _differing(then: Mapping[str, str], now: Mapping[str, str]) -> list[dict[str, str | None]]:
    # A manifest leaves out what no stage reads: only settings that it states can differ.
    return [
        {"name": name, "default": then.get(name), "value": value}
        for name, value in sorted(now.items())
        if then.get(name) != value
    ]


def _parts(head: Head) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and code of every stage: those of all batches, then those of the corpus."""
    provenance = head.get("provenance")
    if not isinstance(provenance, dict):
        return []
    batches = provenance.get("batches")
    each = batches.values() if isinstance(batches, dict) else ()
    groups = [one.get("stages") for one in each if isinstance(one, dict)]
    groups.append(provenance.get("corpus"))
    return [
        (name, stage["code"])
        for stages in groups
        if isinstance(stages, dict)
        for name, stage in stages.items()
        if isinstance(stage, dict) and isinstance(stage.get("code"), dict)
    ]


def _stages(head: Head) -> dict[str, str]:
    """Version of the code by stage; several, if batches were made with different ones."""
    found: dict[str, set[str]] = {}
    for name, code in _parts(head):
        found.setdefault(name, set()).add(str(code.get("version")))
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _libraries(head: Head) -> list[dict[str, str]]:
    found: dict[str, set[str]] = {}
    for _, code in _parts(head):
        libraries = code.get("libraries")
        for name, version in libraries.items() if isinstance(libraries, dict) else ():
            found.setdefault(str(name), set()).add(str(version))
    return [{"name": name, "versions": ", ".join(sorted(versions))} for name, versions in sorted(found.items())]


def commit() -> str | None:
    """Commit of the program, if it runs from a checkout or was installed from one; else None."""
    root = Path(bioscan_etl.__file__).parents[1]
    try:
        if (root / ".git").exists():
            return _checked_out(root / ".git")
        stated = json.loads(distribution("bioscan-etl").read_text("direct_url.json") or "{}")
        found = stated.get("vcs_info", {}).get("commit_id")
    except (OSError, ValueError, AttributeError, PackageNotFoundError):
        return None
    return found if isinstance(found, str) else None


def _checked_out(git: Path) -> str | None:
    """Commit of a checkout; `git` is its folder, or the file that a worktree has instead."""
    if git.is_file():
        git = git.parent / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref: "):
        return head
    common = git / "commondir"
    home = git / common.read_text(encoding="utf-8").strip() if common.is_file() else git
    name = head.removeprefix("ref: ")
    if (home / name).is_file():
        return (home / name).read_text(encoding="utf-8").strip()
    packed = home / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split(" ", 1)[0] for line in lines if line.endswith(f" {name}")), None)
