"""The commands that work on tables and images without a corpus: `split`, `compare`, `detect`.

Belongs here: their options and output. Does not belong here: partitions, comparison and detection themselves
(`bioscan_etl.splits`, `bioscan_etl.records`, `bioscan_etl.images`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, File, Folder, Said, reflowed


@reflowed
def split(
    table: Path,
    /,
    *,
    protocol: Annotated[Literal["bioscan-5m", "stable"] | None, Parameter(metavar="PROTOCOL")] = None,
    output: File,
    earlier: File | None = None,
    moves: File | None = None,
    memory: File | None = None,
    settings: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Assign partitions to a table.

    Assign partitions to a curated table of processid, genus, species, dna_barcode, in its row order.

    Args:
        table: CSV or Parquet
        protocol: bioscan-5m or stable; without it, that of the settings, bioscan-5m without any; see
            docs/guide/partitions.md
        output: CSV or Parquet: processid, split
        earlier: stable: what was assigned before, as --memory wrote it (or a release's partition_memory.parquet):
            processid, split, genus, species, dna_barcode
        moves: stable: write each specimen that changed partition: from, to, reason
        memory: stable: write what the next --earlier needs
        settings: TOML with settings; [splits] is read
    """
    done = api.split(
        table, protocol=protocol, earlier=earlier, settings=settings, output=output, moves=moves, memory=memory
    )
    terminal.say(f"partitions of {table} (protocol {done.protocol}): {output}")
    for what, path in (("memory for the next --earlier", memory), ("moves", moves)):
        if path:
            terminal.say(f"{what}: {path}")
    terminal.frame("targets and what was reached, by partition", done.targets)
    terminal.frame("targets and what was reached, by records of a species", done.classes)
    counts = done.moves.group_by("before", "after", "reason").len("specimens")
    counts = counts.sort("specimens", "before", "after", "reason", descending=[True] + 3 * [False])
    if earlier:
        terminal.frame("moved", counts)
    for finding in done.findings:
        if not finding.passed:
            terminal.say(f"{finding.check}: {finding.count:,}, such as {', '.join(finding.samples)}")
    terminal.fact(
        table=table,
        protocol=done.protocol,
        output=output,
        memory=memory,
        moves=moves,
        partitions=done.targets,
        classes=done.classes,
        moved=counts,
        findings=[finding.as_dict() for finding in done.findings],
    )
    return 0


@reflowed
def compare(
    earlier: str,
    later: str,
    /,
    *,
    output: File,
    settings: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Tell what changed between two snapshots of BOLD records.

    Compare the records that two snapshots share, field by field, whatever their layouts; values are compared in one
    spelling and shown as delivered. FILE gets a row per change, FILE's name with -records the process IDs that one
    snapshot alone holds.

    Args:
        earlier: a records file or a folder of them, as for run --records
        later: the same of the later snapshot
        output: .csv or .parquet
        settings: TOML with settings
    """
    with terminal.progress() as progress:
        found = api.compare(earlier, later, settings=settings, output=output, progress=progress)
    membership = api.records_beside(output)
    added, removed = (int(found.membership["status"].eq(status).sum()) for status in ("added", "removed"))
    fields = found.fields.filter(found.fields["changed"] > 0)
    terminal.fact(
        shared=found.shared,
        changed=found.changed,
        added=added,
        removed=removed,
        fields=fields,
        uncompared=found.uncompared,
        output=output,
        membership=membership,
    )
    terminal.say(
        f"{found.shared:,} records in both, {found.changed:,} of them changed; {added:,} added, {removed:,} removed"
    )
    for field, changed, filled, emptied in fields.iter_rows():
        terminal.say(f"  {field:<28} {changed:>9,}   filled {filled:,}, emptied {emptied:,}")
    if found.uncompared:
        terminal.say(f"not compared, for one snapshot has no such column: {', '.join(found.uncompared)}")
    terminal.say(f"changes: {output}; added and removed records: {membership}")
    return 0


@reflowed
def detect(
    images: str,
    /,
    *,
    output: File,
    model: Annotated[str | None, Parameter(metavar="MODEL")] = None,
    trust_pickle: Annotated[bool, Parameter(negative=())] = False,
    masks: Folder | None = None,
    settings: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Find the specimens of images, without records.

    Find the specimen of each image as the pipeline does: box, confidence, status and sizes. One row per image, also
    where it is empty or cannot be read. See docs/explanation/detector.md.

    Args:
        images: folder, zip or s3://bucket/prefix
        output: .parquet or .csv
        model: trained (the default), segmentation, or the path of an .onnx or .pt model
        trust_pickle: open a .pt model, which can run any code on this computer
        masks: write the organism of each image as PNG
        settings: TOML with settings; [images] is read
    """
    with terminal.progress() as progress:
        counts = api.detect_to_file(
            images,
            output,
            model=model,
            trust_pickle=trust_pickle,
            masks=masks,
            settings=settings,
            progress=progress,
        )
    statuses = {name: count for name, count in counts.items() if name not in {"images", "masks"}}
    terminal.fact(images=counts["images"], statuses=statuses, output=output, masks=masks, masks_written=counts["masks"])
    shown = ", ".join(f"{count:,} {name}" for name, count in statuses.items() if count)
    terminal.say(f"{counts['images']:,} images ({shown or 'none'}): {output}")
    if masks:
        terminal.say(f"{counts['masks']:,} masks: {masks}")
    return 0
