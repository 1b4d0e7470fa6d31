"""Proof that partitions are sound, and the numbers that say how close they came to their targets.

Belongs here: what must hold of any partitioning, whichever protocol made it. Does not belong here: the search for
near duplicates (`near_duplicates`).

On a curated table the protocols keep every check: records of a barcode carry one label, so they move together, a
species is either novel or not, and no step takes all barcodes of a species. On a table where one barcode carries two
labels, a step that takes the barcode for one species takes it from the other as well, and any of the checks can
fail.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bioscan_etl.errors import InvariantError
from bioscan_etl.schema import SPLITS
from bioscan_etl.splits.rules import RULES
from bioscan_etl.splits.select import TEST, VAL, VAL_FROM, VAL_SHARE, VAL_UNSEEN, Quota

SEEN = ("train", "val", "test")
UNSEEN = ("key_unseen", "val_unseen", "test_unseen")
_CLASSES = (("1", 1, 1), ("2-7", 2, 7), ("8-19", 8, 19), ("20+", 20, 2**31))  # records of a species
_EXAMPLES = 5
_CHUNK = 250_000  # rows whose barcodes are stripped and hashed at a time
_STATEMENTS = {rule.id: rule.statement for rule in RULES}


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: id of the rule.
        passed: whether nothing breaks it.
        count: barcodes or species that break it.
        examples: up to five process IDs of records that do, sorted.
    """

    name: str
    passed: bool
    count: int
    examples: tuple[str, ...]


def check(table: pl.DataFrame, partitions: pl.DataFrame) -> list[Finding]:
    """Run the blocking checks.

    Args:
        table: columns processid, species, dna_barcode, text; one row per record.
        partitions: columns processid, split; the same process IDs in any order.

    Returns:
        One finding per blocking rule, in the order of `splits.rules`.

    Raises:
        InvariantError: the two tables do not hold the same process IDs.
    """
    records = _records(table, partitions)
    return [_straddling_barcodes(records, table), _seen_and_unseen(records), _without_key(records)]


def require(findings: list[Finding]) -> None:
    """Stop where a check failed.

    Raises:
        InvariantError: names every failed check, its count and examples.
    """
    failed = [
        f"{finding.name} ({finding.count}, such as {', '.join(finding.examples)}): {_STATEMENTS[finding.name]}"
        for finding in findings
        if not finding.passed
    ]
    if failed:
        raise InvariantError(
            f"the partitions are not sound: {' '.join(failed)} Records of one barcode must carry one label; "
            "look at the label conflicts of these records"
        )


def report(table: pl.DataFrame, partitions: pl.DataFrame) -> pl.DataFrame:
    """Targets against achieved.

    Args:
        table: columns processid, species, dna_barcode, text; one row per record.
        partitions: columns processid, split; the same process IDs in any order.

    Returns:
        One row per partition in the order of `schema.SPLITS`: split; samples, barcodes, species (distinct, int64);
        target_samples (what the protocol wants of the evaluation partitions given the species of this table, float,
        null for the others, which take what is left); share (samples of all samples, float).

    Raises:
        InvariantError: the two tables do not hold the same process IDs.
    """
    records = _records(table, partitions)
    counts = records.group_by("split").agg(
        samples=pl.len().cast(pl.Int64),
        barcodes=pl.col("barcode_hash").drop_nulls().n_unique().cast(pl.Int64),
        species=pl.col("species").drop_nulls().n_unique().cast(pl.Int64),
    )
    targets = pl.DataFrame(
        list(_targets(records).items()), schema={"split": pl.String, "target_samples": pl.Float64}, orient="row"
    )
    return (
        pl.DataFrame({"split": SPLITS})
        .join(counts, on="split", how="left", maintain_order="left")
        .join(targets, on="split", how="left", maintain_order="left")
        .with_columns(pl.col("samples", "barcodes", "species").fill_null(0))
        .with_columns(share=pl.col("samples") / max(len(records), 1))
    )


def report_by_class(table: pl.DataFrame, partitions: pl.DataFrame) -> pl.DataFrame:
    """Targets against achieved, per partition and class of species.

    A species' class is its number of records in the seen, or in the unseen partitions. Below 8 records the protocols
    want nothing of it, up to 19 nothing for val but the long tail.

    Args:
        table: columns processid, species, dna_barcode, text; one row per record.
        partitions: columns processid, split; the same process IDs in any order.

    Returns:
        One row per kind ("seen", "unseen"), class ("1", "2-7", "8-19", "20+") and partition of the kind, in this
        order: kind, records (the class), split; species (of the class), samples, barcodes, int64; target_samples
        (null for train and key_unseen, which take what is left); share (samples of all samples of the class, 0
        where there is none) and target_share, float.

    Raises:
        InvariantError: the two tables do not hold the same process IDs.
    """
    records = _records(table, partitions).filter(pl.col("species").is_not_null())
    rows: list[tuple[str, str, str, int, int, int, float | None]] = []
    for kind, splits in (("seen", SEEN), ("unseen", UNSEEN)):
        own = records.filter(pl.col("split").is_in(splits)).with_columns(size=pl.len().over("species"))
        for name, low, high in _CLASSES:
            group = own.filter(pl.col("size").is_between(low, high))
            targets = _targets(group)
            for split in splits:
                part = group.filter(pl.col("split") == split)
                barcodes = part["barcode_hash"].drop_nulls().n_unique()
                rows.append((kind, name, split, group["species"].n_unique(), len(part), barcodes, targets.get(split)))
    names = ("kind", "records", "split", "species", "samples", "barcodes", "target_samples")
    types = (pl.String, pl.String, pl.String, pl.Int64, pl.Int64, pl.Int64, pl.Float64)
    total = pl.max_horizontal(pl.col("samples").sum().over("kind", "records"), 1)
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row").with_columns(
        share=pl.col("samples") / total, target_share=pl.col("target_samples") / total
    )


def species_also_held_out(table: pl.DataFrame, partitions: pl.DataFrame) -> Finding:
    """Unseen species of which records lie in other_heldout: with "stable", those that became unseen by growing.

    Args:
        table: columns processid, species, dna_barcode, text; one row per record.
        partitions: columns processid, split; the same process IDs in any order.
    """
    labelled = _records(table, partitions).filter(pl.col("species").is_not_null())
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


def _records(table: pl.DataFrame, partitions: pl.DataFrame) -> pl.DataFrame:
    """Columns processid, species, split and barcode_hash (null without a barcode) of every record.

    Barcodes are compared by their hash where millions are: their texts would need as much memory as the table.
    """
    split = split_of_each(table, partitions)
    hashes = [
        chunk.select(pl.when(pl.col("barcode").is_not_null()).then(pl.col("barcode").hash())).to_series()
        for chunk in (_stripped(table.slice(start, _CHUNK)) for start in range(0, len(table), _CHUNK))
    ]
    return table.select("processid", pl.col("species").cast(pl.String)).with_columns(
        split.alias("split"), (pl.concat(hashes) if hashes else pl.Series(dtype=pl.UInt64)).alias("barcode_hash")
    )


def _stripped(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(barcode=pl.col("dna_barcode").cast(pl.String).str.strip_chars("N"))


def _finding(name: str, breaking: pl.DataFrame, unit: str) -> Finding:
    examples = breaking["processid"].sort().head(_EXAMPLES).to_list()
    return Finding(name, breaking.is_empty(), breaking[unit].n_unique(), tuple(examples))


def _straddling_barcodes(records: pl.DataFrame, table: pl.DataFrame) -> Finding:
    # The few barcodes that their hashes suspect are compared as texts.
    suspects = (
        records.select("split", "barcode_hash")
        .with_row_index("row")
        .filter(pl.col("barcode_hash").is_not_null())
        .filter(pl.col("split").n_unique().over("barcode_hash") > 1)
        .get_column("row")
    )
    breaking = (
        records[suspects]
        .with_columns(_stripped(table[suspects]).get_column("barcode"))
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
        pl.col("split").is_in(("val_unseen", "test_unseen")),
        ~(pl.col("split") == "key_unseen").any().over("species"),
    )
    return _finding("UNSEEN_SPECIES_WITHOUT_KEY", breaking, "species")


def _targets(records: pl.DataFrame) -> dict[str, float]:
    """Records that the protocol wants in each evaluation partition, summed over species."""
    per_species = (
        records.filter(pl.col("species").is_not_null())
        .group_by("species")
        .agg(
            seen=pl.col("split").is_in(SEEN).sum(),
            untested=pl.col("split").is_in(("train", "val")).sum(),
            unseen=pl.col("split").is_in(UNSEEN).sum(),
            unseen_untested=pl.col("split").is_in(("key_unseen", "val_unseen")).sum(),
        )
    )

    def wanted(column: str, quota: Quota) -> float:
        sizes = per_species[column].value_counts(name="species").rows()
        return float(sum(quota.target(records) * species for records, species in sizes))

    small = per_species.filter(pl.col("untested") < VAL_FROM)["untested"].sum()
    return {
        "val": wanted("untested", VAL) + VAL_SHARE * float(small),
        "test": wanted("seen", TEST),
        "val_unseen": wanted("unseen_untested", VAL_UNSEEN),
        "test_unseen": wanted("unseen", TEST),
    }
