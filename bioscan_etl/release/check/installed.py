"""The code that is installed, for comparison with the code that made a release."""

from __future__ import annotations

from functools import cache

from bioscan_etl.provenance.code import code_of
from bioscan_etl.release.check.origin import Version, version_of
from bioscan_etl.stages.registry import STAGES


@cache
def installed(stage: str) -> Version | None:
    """The version of the installed code of a stage; None: there is no such stage."""
    return version_of(code_of(stage).as_dict()) if stage in STAGES else None
