"""BOLD records and specimen images in, a checked BIOSCAN release out.

Belongs here: the names that a notebook or a script uses, each imported when it is first asked for, so that
`import bioscan_etl` costs nothing. Does not belong here: any code; the functions are in `bioscan_etl.api`.

    import bioscan_etl

    bioscan_etl.write_demo("out", specimens=60)         # a synthetic corpus to try things on
    done = bioscan_etl.run("out")                       # land, ingest, curate, release
    bioscan_etl.check(done.release.folder)              # [] if the release is good

The library is plain Python over tables and images and imports no Dagster; the orchestration is in `bioscan_etl.assets`
and `bioscan_etl.sensors` and is put together in `bioscan_etl.definitions`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioscan_etl.api import (
        check,
        compare,
        decide,
        describe,
        detect,
        detect_to_file,
        diff,
        draw_figures,
        evaluate,
        fetch_images,
        fetch_records,
        land,
        list_decisions,
        list_proposals,
        names,
        open_alerts,
        plan,
        propose,
        publish,
        restore,
        run,
        send_alerts,
        split,
        status,
        why,
        withdraw,
        write_corrections,
        write_demo,
    )
    from bioscan_etl.errors import BioscanError
    from bioscan_etl.release.opened import Release, open_release
    from bioscan_etl.settings import Settings, load_settings
    from bioscan_etl.table import curate_table

__version__ = "0.1.0"

# Where each public name is. No name here may be that of a module of this package: importing the module would hide it.
_HOME = {
    **dict.fromkeys(
        (
            *("check", "compare", "decide", "describe", "detect", "detect_to_file", "diff", "draw_figures"),
            "evaluate",
            *("fetch_images", "fetch_records"),
            *(
                "land",
                "list_decisions",
                "list_proposals",
                "names",
                "open_alerts",
                "plan",
                "propose",
                "publish",
                "restore",
                "run",
                "send_alerts",
                "split",
                "status",
                "why",
                "withdraw",
                "write_corrections",
                "write_demo",
            ),
        ),
        "bioscan_etl.api",
    ),
    "curate_table": "bioscan_etl.table",
    "open_release": "bioscan_etl.release.opened",
    "Release": "bioscan_etl.release.opened",
    "BioscanError": "bioscan_etl.errors",
    "Settings": "bioscan_etl.settings",
    "load_settings": "bioscan_etl.settings",
}

__all__ = [
    "BioscanError",
    "Release",
    "Settings",
    "check",
    "compare",
    "curate_table",
    "decide",
    "describe",
    "detect",
    "detect_to_file",
    "diff",
    "draw_figures",
    "evaluate",
    "fetch_images",
    "fetch_records",
    "land",
    "list_decisions",
    "list_proposals",
    "load_settings",
    "names",
    "open_alerts",
    "open_release",
    "plan",
    "propose",
    "publish",
    "restore",
    "run",
    "send_alerts",
    "split",
    "status",
    "why",
    "withdraw",
    "write_corrections",
    "write_demo",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
