"""How an asset runs a stage: reuse what is already there, else build it, then report.

Belongs here: the bridge between a lake output and a Dagster materialisation. Does not belong here: anything
that knows what a stage computes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from bioscan_etl import batches, schema
from bioscan_etl import lake as lakes
from bioscan_etl.errors import BioscanError
from bioscan_etl.lake import CORPUS, Draft, Lake, Output
from bioscan_etl.settings import Settings

OWNERS = ["team:curation"]

_TYPES = {"String": "text", "Float64": "float", "Boolean": "boolean", "Date": "date", "Binary": "bytes"}


def table_metadata(table: schema.Table) -> dict[str, Any]:
    """The table's columns as the UI shows them."""
    columns = [
        dg.TableColumn(
            column.name,
            type=_TYPES.get(str(column.dtype), str(column.dtype).lower()),
            description=column.meaning + (f" [{column.unit}]" if column.unit else ""),
            constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (column.name,)),
        )
        for column in table.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns), "row": table.row, "key": ", ".join(table.key)}


def one_line_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn an error that the user can act on into a Dagster failure that reads as one line and is not retried."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BioscanError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        except OSError as error:
            # Disks and networks recover; anything else would fail again.
            raise dg.RetryRequested(max_retries=1, seconds_to_wait=5) from error

    return wrapped


def stage(
    *,
    group: str,
    kinds: set[str],
    table: schema.Table | None = None,
    deps: Sequence[Any] = (),
    partitions: dg.PartitionsDefinition | None = None,
    checks: Sequence[dg.AssetCheckSpec] = (),
    pool: str | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declare an asset of the graph: group, owners, kinds, column schema, and errors of one line."""

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return dg.asset(
            group_name=group,
            kinds=kinds,
            owners=OWNERS,
            metadata=table_metadata(table) if table else None,
            deps=list(deps),
            partitions_def=partitions,
            check_specs=list(checks) or None,
            pool=pool,
        )(one_line_errors(function))

    return declare


def run(
    lake: Lake,
    settings: Settings,
    asset: str,
    *,
    build: Callable[[Draft], None],
    inputs: Mapping[str, Any],
    sections: Sequence[str] = (),
    batch: str = CORPUS,
    delivery: str = "",
    resumable: bool = False,
) -> tuple[Output, bool]:
    """Reuse the output if nothing it depends on has changed, else build it.

    Args:
        lake: the lake.
        settings: all settings; those of `sections` are part of the fingerprint.
        asset: name of the asset.
        build: writes files and counts into the draft.
        inputs: content of the inputs, part of the fingerprint.
        sections: settings that the stage reads.
        batch: batch, or the corpus.
        delivery: fingerprint of the batch marker.
        resumable: keep what a killed attempt has left.

    Returns:
        The output, and whether it was built now.
    """
    chosen = settings.digest(*sections) if sections else ""
    fingerprint = lakes.digest([asset, batch, dict(inputs), chosen, lakes.code_digest()])
    standard = batches.standard(settings) if batch != CORPUS else ""
    with lake.lock(asset, batch):
        if output := lake.reuse(asset, batch, fingerprint, delivery, standard):
            return output, False
        with lake.writing(
            asset, batch, fingerprint, inputs=inputs, delivery=delivery, standard=standard, resumable=resumable
        ) as draft:
            build(draft)
    return lake.get(asset, batch), True


def report(
    result: tuple[Output, bool],
    rows: str | None = None,
    checks: Sequence[dg.AssetCheckResult] = (),
    **extra: Any,
) -> dg.MaterializeResult:
    """What the UI shows of a stage's output: counts, where it lies, whether it was built now."""
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
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(output.content), check_results=checks)
