"""The commands that work on tables and images without a corpus: `split`, `compare`, `detect`.

Belongs here: what is read, written and said. Does not belong here: partitions, comparison and detection themselves
(`bioscan_etl.splits`, `bioscan_etl.records`, `bioscan_etl.images`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import SourceError


def split(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Assign partitions to a table."""
    from bioscan_etl.settings import load_settings, with_protocol
    from bioscan_etl.splits.files import split_table
    from bioscan_etl.splits.targets import review

    settings = load_settings(arguments.settings).splits
    if arguments.protocol:
        settings = with_protocol(settings, arguments.protocol)
    done = split_table(
        arguments.table,
        arguments.output,
        settings,
        earlier=arguments.earlier,
        moves=arguments.moves,
        memory=arguments.memory,
    )
    reviewed = review(done.table, done.partitions)
    terminal.say(f"partitions of {arguments.table} (protocol {settings.protocol}): {arguments.output}")
    for what, path in (("memory for the next --earlier", arguments.memory), ("moves", arguments.moves)):
        if path:
            terminal.say(f"{what}: {path}")
    terminal.frame("targets and what was reached, by partition", reviewed.partitions)
    terminal.frame("targets and what was reached, by records of a species", reviewed.classes)
    counts = done.moves.group_by("before", "after", "reason").len("specimens")
    counts = counts.sort("specimens", "before", "after", "reason", descending=[True] + 3 * [False])
    if arguments.earlier:
        terminal.frame("moved", counts)
    findings = [*reviewed.findings, reviewed.held_out]
    for finding in findings:
        if not finding.passed:
            terminal.say(f"{finding.check}: {finding.count:,}, such as {', '.join(finding.samples)}")
    terminal.fact(
        table=arguments.table,
        protocol=settings.protocol,
        output=arguments.output,
        memory=arguments.memory,
        moves=arguments.moves,
        partitions=reviewed.partitions,
        classes=reviewed.classes,
        moved=counts,
        findings=[finding.as_dict() for finding in findings],
    )
    return 0


def compare(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Tell what changed between two snapshots of BOLD records."""
    from bioscan_etl.io.write import atomic_file
    from bioscan_etl.quality.spreadsheet import write_spreadsheet
    from bioscan_etl.records.compare import compare_files
    from bioscan_etl.records.sources import expand
    from bioscan_etl.settings import load_settings

    output: Path = arguments.output
    if output.suffix not in {".csv", ".parquet"}:
        raise SourceError(f"--output {output} must end in .csv or .parquet")
    settings = load_settings(arguments.settings).records
    with terminal.progress() as progress:
        found = compare_files(expand(arguments.earlier), expand(arguments.later), settings, progress)
    membership = output.with_name(f"{output.stem}-records{output.suffix}")
    for path, table in ((output, found.changes), (membership, found.membership)):
        if output.suffix == ".csv":
            write_spreadsheet(path, table)
        else:
            with atomic_file(path) as stream:
                table.write_parquet(stream)
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


def detect(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Find the specimens of images."""
    from bioscan_etl.images.find_specimens import find_specimens
    from bioscan_etl.settings import load_settings

    settings = load_settings(arguments.settings).images
    if arguments.model:
        settings = settings.model_copy(update={"detector": arguments.model})
    with terminal.progress() as progress:
        counts = find_specimens(arguments.images, arguments.output, settings, arguments.masks, progress)
    statuses = {name: count for name, count in counts.items() if name not in {"images", "masks"}}
    terminal.fact(
        images=counts["images"],
        statuses=statuses,
        output=arguments.output,
        masks=arguments.masks,
        masks_written=counts["masks"],
    )
    shown = ", ".join(f"{count:,} {name}" for name, count in statuses.items() if count)
    terminal.say(f"{counts['images']:,} images ({shown or 'none'}): {arguments.output}")
    if arguments.masks:
        terminal.say(f"{counts['masks']:,} masks: {arguments.masks}")
    return 0
