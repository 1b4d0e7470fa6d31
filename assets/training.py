"""How an asset of the training is declared, and what the UI shows of its output.

Belongs here: the bridge between an output of the training and a Dagster materialisation. Does not belong here: what the
outputs hold (`bioscan_etl.training`), and the curation, whose assets are made from the stage registry
(`assets.factory`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from bioscan_etl.assets.factory import OWNERS, one_line_errors
from bioscan_etl.lake.store import Output
from bioscan_etl.printable import printable


def asset(*, kinds: set[str], deps: Sequence[Any] = ()) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declare an asset of the training: group, owners, kinds, and errors of one line."""

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return dg.asset(group_name="detector", kinds=kinds, owners=OWNERS, deps=list(deps), pool="detector")(
            one_line_errors(function)
        )

    return declare


def report(result: tuple[Output, bool], rows: str | None = None, **extra: Any) -> dg.MaterializeResult:
    """What the UI shows of an output: counts, where it lies, whether it was made now."""
    output, built = result
    dg.get_dagster_logger().info(printable(f"{'built' if built else 'nothing has changed'}: {output.folder}"))
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
