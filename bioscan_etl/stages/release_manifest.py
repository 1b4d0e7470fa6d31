"""The version: all parts verified, card, checksums and manifest written, then one rename, then `latest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bioscan_etl.io.tables import read_parquet
from bioscan_etl.lake.store import digest
from bioscan_etl.release.layout import FIGURES, STATISTICS
from bioscan_etl.release.manifest import read_head
from bioscan_etl.release.ship.version import publish
from bioscan_etl.stages.registry import MEMORY, PAGES
from bioscan_etl.stages.work import Work

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def build(work: Work) -> dict[str, Any]:
    """Publish the version, unless the last one was made from the same; returns its name and folder."""
    held, split = work.outputs["specimens"], work.outputs["partitions"]
    extra = {
        "report": work.outputs["quality_report"].folder / "report",
        f"report/{PAGES}": work.outputs["desk_pages"].folder / PAGES,
        STATISTICS: work.outputs["statistics"].folder / STATISTICS,
        FIGURES: work.outputs["figures"].folder / FIGURES,
    }
    if MEMORY in split.files:
        extra |= {name: split.path(name) for name in (MEMORY, "partition_moves.parquet")}
    version = publish(
        work.release,
        work.settings,
        rows_read=held.counts["ledger"]["rows_read"],
        inputs=_inputs(work),
        provenance=work.extra["provenance"],
        extra=extra,
        progress=work.progress,
    )
    head = read_head(version)
    return {
        "version": version.name,
        "release": str(version),
        "report": str(version / "report" / "index.html"),
        "ledger": head["ledger"],
        "splits": head["counts"]["splits"],
    }


def extra(situation: Situation) -> dict[str, Any]:
    """What each batch and stage was made with."""
    return {"provenance": situation.provenance()}


def _inputs(work: Work) -> list[dict[str, Any]]:
    """Every file the release was made from, without local folders."""
    found: list[dict[str, Any]] = []
    for batch in sorted(work.pinned.records):
        records = work.by_batch["raw_records"][batch].made_from["inputs"]["delivery"]["records"]
        found += [{"batch": batch, "kind": "records", "name": name, "sha256": sha256} for name, sha256, _ in records]
        index = work.by_batch["specimen_images"][batch].path("image_index.parquet")
        images = read_parquet(index, columns=["image_file", "sha256"]).drop_nulls().sort("image_file")
        if images.height:
            # One digest for the batch's images: the image index holds each file's own.
            found.append({"batch": batch, "kind": "images", "files": images.height, "sha256": digest(images.rows())})
    return found
