"""Checks of partitions.

Belongs here: what must hold for any partitioning, independent of the protocol. Does not belong here: how close it is
to its targets (`targets`), and the search for near duplicates (`near_duplicates`, `near_images`).

On a curated table the protocols pass every check: records of a barcode have one label, so they move together, a
species is either novel or not, and no step selects all barcodes of a species. If one barcode has two labels, selecting
it for one species also takes it from the other, and any of the checks can fail.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.errors import InvariantError
from bioscan_etl.findings import SAMPLES, Finding
from bioscan_etl.rules import Severity
from bioscan_etl.splits.rules import RULES
from bioscan_etl.vocabulary import SEEN, UNSEEN, UNSEEN_KEY, UNSEEN_QUERIES

_RULES = {rule.id: rule for rule in RULES}
_ADVICE = "Records of one barcode must have one label: review the label conflicts of these records"


def check(table: pl.DataFrame, partitions: pl.DataFrame) -> list[Finding]:
    """Run the blocking checks.

    Args:
        table: columns processid, species, dna_barcode, text; one row per record.
        partitions: columns processid, split; the same process IDs in any order.

    Returns:
        One finding per blocking rule, in the order of `splits.rules`; `count` is of barcodes or species, `samples`
        are process IDs of records.

    Raises:
        InvariantError: the two tables do not hold the same process IDs.
    """
    return findings(records_of(table, partitions), table)


def findings(records: pl.DataFrame, table: pl.DataFrame) -> list[Finding]:
    """Run the checks of `check` on the result of `records_of`."""
    return [_straddling_barcodes(records, table), _seen_and_unseen(records), _without_key(records)]


def require(findings: list[Finding]) -> None:
    """Raise if a check failed.

    Raises:
        InvariantError: lists every failed check with its count and samples.
    """
    failed = [
        f"{finding.check} ({finding.count}, such as {', '.join(finding.samples)}); required: {finding.statement}"
        for finding in findings
        if not finding.passed
    ]
    if failed:
        raise InvariantError(f"the partitions are not valid: {' '.join(failed)} {_ADVICE}")


def species_also_held_out(table: pl.DataFrame, partitions: pl.DataFrame) -> Finding:
    """Unseen species with records in other_heldout: with "stable", species that became unseen as they grew.

    Args:
        table: columns processid, species, dna_barcode, text; one row per record.
        partitions: columns processid, split; the same process IDs in any order.
    """
    return held_out(records_of(table, partitions))


def held_out(records: pl.DataFrame) -> Finding:
    """Run `species_also_held_out` on the result of `records_of`."""
    labelled = records.filter(pl.col("species").is_not_null())
    shared = labelled.filter(
        pl.col("split").is_in(UNSEEN).any().over("species"), (pl.col("split") == "other_heldout").any().over("species")
    ).filter(pl.col("split") == "other_heldout")
    return _finding("UNSEEN_SPECIES_ALSO_HELD_OUT", shared, "species")


def split_of_each(table: pl.DataFrame, partitions: pl.DataFrame) -> pl.Series:
    """The partition of each record, in the order of the rows of `table`.

    Args:
        table: column processid; one row per record.
        partitions: columns processid, split; the same process IDs in any order.

    Returns:
        Text series `split` without nulls.

    Raises:
        InvariantError: the two tables do not hold the same process IDs.
    """
    if table["processid"].equals(partitions["processid"]) and not partitions["split"].null_count():
        return partitions["split"].alias("split")
    split = (
        table.select("processid")
        .join(partitions.select("processid", "split"), on="processid", how="left", maintain_order="left")
        .get_column("split")
    )
    if len(table) != len(partitions) or len(split) != len(table) or split.null_count():
        lost = table.join(partitions, on="processid", how="anti")["processid"].head(1).to_list()
        raise InvariantError(
            f"{len(table)} records and {len(partitions)} partition rows do not match"
            + (f": {lost[0]} has no partition" if lost else "")
            + "; partition the same table that is checked"
        )
    return split


def records_of(table: pl.DataFrame, partitions: pl.DataFrame) -> pl.DataFrame:
    """Columns processid, species, split and barcode_hash (null without a barcode) of every record.

    Barcodes are compared by hash: millions of texts would need as much memory as the table.
    """
    split = split_of_each(table, partitions)
    barcode = pl.col("dna_barcode").cast(pl.String)
    return table.select(
        "processid",
        pl.col("species").cast(pl.String),
        split.alias("split"),
        barcode_hash=pl.when(barcode.is_not_null()).then(barcode.hash()),
    )


def _finding(rule_id: str, breaking: pl.DataFrame, unit: str) -> Finding:
    rule = _RULES[rule_id]
    blocking = rule.severity is Severity.BLOCKING
    return Finding(
        check=rule.id,
        passed=breaking.is_empty(),
        count=breaking[unit].n_unique(),
        statement=rule.statement,
        samples=tuple(breaking["processid"].bottom_k(SAMPLES).sort().to_list()),
        blocking=blocking,
        detail=_ADVICE if blocking and breaking.height else "",
    )


def _straddling_barcodes(records: pl.DataFrame, table: pl.DataFrame) -> Finding:
    # Only the few barcodes whose hashes occur in several partitions are compared as texts.
    suspects = (
        records.select("split", "barcode_hash")
        .with_row_index("row")
        .filter(pl.col("barcode_hash").is_not_null())
        .filter(pl.col("split").n_unique().over("barcode_hash") > 1)
        .get_column("row")
    )
    breaking = (
        records[suspects]
        .with_columns(table[suspects].get_column("dna_barcode").cast(pl.String).alias("barcode"))
        .filter(pl.col("split").n_unique().over("barcode") > 1)
    )
    return _finding("BARCODE_IN_TWO_PARTITIONS", breaking, "barcode")


def _seen_and_unseen(records: pl.DataFrame) -> Finding:
    labelled = records.filter(pl.col("species").is_not_null())
    breaking = labelled.filter(
        pl.col("split").is_in(SEEN).any().over("species"), pl.col("split").is_in(UNSEEN).any().over("species")
    ).filter(pl.col("split").is_in((*SEEN, *UNSEEN)))
    return _finding("SPECIES_IN_SEEN_AND_UNSEEN", breaking, "species")


def _without_key(records: pl.DataFrame) -> Finding:
    labelled = records.filter(pl.col("species").is_not_null())
    breaking = labelled.filter(
        pl.col("split").is_in(UNSEEN_QUERIES),
        ~(pl.col("split") == UNSEEN_KEY).any().over("species"),
    )
    return _finding("UNSEEN_SPECIES_WITHOUT_KEY", breaking, "species")
