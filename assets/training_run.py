"""How an asset of the training runs: use what is there already, else make it, then report.

Belongs here: the bridge between an output in the lake and a Dagster materialisation, for assets that people configure.
Does not belong here: the curation, whose assets are made from the stage registry (`assets.factory`).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from bioscan_etl.assets.factory import OWNERS, one_line_errors
from bioscan_etl.lake.current import point
from bioscan_etl.lake.store import CORPUS, Draft, Lake, Output, digest
from bioscan_etl.provenance.closure import closure
from bioscan_etl.provenance.source import read_source
from bioscan_etl.settings import Settings

# What the outputs of the training are made with, beside the asset's module and the scripts of `detector/`.
_LIBRARY = ("bioscan_etl.images.coco", "bioscan_etl.images.detect", "bioscan_etl.images.reviews")


@cache
def code_digest(module: str) -> str:
    """Hex sha256 over the code that makes the outputs of a module's assets; prose does not count.

    A reworded docstring must not train for hours, nor a change of the check, which is in a module of its own.
    """
    source = Path(__file__).with_name(f"{module.rpartition('.')[2]}.py").read_text(encoding="utf-8")
    return digest([read_source(source, module).digest, [closure(name).digest for name in _LIBRARY]])


def asset(*, kinds: set[str], deps: Sequence[Any] = ()) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declare an asset of the training: group, owners, kinds, and errors of one line."""

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return dg.asset(group_name="detector", kinds=kinds, owners=OWNERS, deps=list(deps), pool="detector")(
            one_line_errors(function)
        )

    return declare


def run(
    home: Lake,
    settings: Settings,
    name: str,
    *,
    build: Callable[[Draft], None],
    inputs: Mapping[str, Any],
    reads: Sequence[str] = (),
    resumable: bool = False,
) -> tuple[Output, bool]:
    """Use the output if nothing that it is made from has changed, else make it.

    Args:
        home: the lake.
        settings: of the corpus.
        name: of the asset.
        build: writes files and counts into the draft.
        inputs: content of the inputs.
        reads: settings that it reads, by dotted name.
        resumable: keep what a killed attempt has left.

    Returns:
        The output, and whether it was made now.
    """
    made_from = {"code": code_digest(build.__module__), "settings": settings.values(reads), "inputs": dict(inputs)}
    fingerprint = digest([name, made_from])
    with home.lock(name):
        output = home.find(name, fingerprint)
        built = output is None or not output.is_whole
        if built:
            with home.writing(name, fingerprint, made_from=made_from, resumable=resumable) as draft:
                build(draft)
            output = home.find(name, fingerprint)
        assert output is not None
        point(home, name, fingerprint)
        home.sweep(name, CORPUS, {fingerprint})
    return output, built


def report(result: tuple[Output, bool], rows: str | None = None, **extra: Any) -> dg.MaterializeResult:
    """What the UI shows of an output: counts, where it lies, whether it was made now."""
    output, built = result
    dg.get_dagster_logger().info(f"{'built' if built else 'nothing has changed'}: {output.folder}")
    metadata: dict[str, Any] = {
        "folder": dg.MetadataValue.path(str(output.folder)),
        "counts": dg.MetadataValue.json(dict(output.counts)),
        "content": output.content,
        "built": built,
        **extra,
    }
    if rows is not None:
        metadata["dagster/row_count"] = int(output.counts[rows])
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(output.content))
