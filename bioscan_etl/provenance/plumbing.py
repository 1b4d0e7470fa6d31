"""The parts of the package that decide no value of any output, and names that provenance uses for the others."""

from __future__ import annotations

from collections.abc import Iterable

from bioscan_etl.errors import BioscanError

PACKAGE = "bioscan_etl"
RULES = "bioscan_etl.rules"
FORMS = "bioscan_etl.release.forms"
FORMS_REGISTRY = f"{FORMS}.registry"
# Modules of values: a stage counts those that it uses one by one. A module may import the ones before it.
BY_VALUE = ("bioscan_etl.vocabulary", "bioscan_etl.schema")

# Modules, with all below them, that decide no value of any output: neither counted nor followed.
PLUMBING: tuple[str, ...] = (
    "bioscan_etl.__init__",  # the public names, each imported when it is asked for
    "bioscan_etl.errors",  # texts and kinds of failures; a failed stage has no output
    "bioscan_etl.io",  # moves bytes, whole and checked
    "bioscan_etl.progress",  # reports progress
    "bioscan_etl.lake",  # keeps outputs; the manifests' own format has a version
    "bioscan_etl.landing",  # the same
    "bioscan_etl.threads",  # order and results do not depend on the number of threads
    "bioscan_etl.freed_memory",  # the C library's allocator
    "bioscan_etl.findings",  # the shape in which manifests keep the outcome of a check
    "bioscan_etl.release.signature",  # vouches for what is published; an existing release is never signed later
    "bioscan_etl.release.check",  # looks at what is published
    "bioscan_etl.release.forms.registry",  # lists the output forms; a stage counts those that it goes through
    "bioscan_etl.stages.registry",  # lists the stages; what a stage reads is counted by value
    "bioscan_etl.stages.work",  # passes a stage its inputs, which are counted by content
    "bioscan_etl.stages.situation",  # the same
    "bioscan_etl.stages.run",  # runs a stage whose output is not current
    "bioscan_etl.stages.commit",  # makes a batch current
    "bioscan_etl.provenance",  # this
    "bioscan_etl.settings",  # thresholds: a stage counts those it reads by value
    "bioscan_etl.setting_types",  # which values a setting takes
    "bioscan_etl.cli",  # the command line
    "bioscan_etl.definitions",  # Dagster's view of the graph
    "bioscan_etl.resources",  # Dagster's view of the lake
    "bioscan_etl.reference",  # prints the documentation
    "bioscan_etl.reference_flow",  # the same
)


class ProvenanceError(BioscanError):
    """The code of a stage cannot be determined from the source."""


def within(name: str, places: Iterable[str]) -> bool:
    """Whether a module or member is one of the places, or below one."""
    return any(name == place or name.startswith(f"{place}.") for place in places)
