"""From curated specimens and partitions to the released rows.

Belongs here: the columns of the metadata, the chunk rule, and the rewriting of values that some reader of the
CSV would misread. Does not belong here: file formats (`release.tables`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.identity import as_released
from bioscan_etl.errors import InvariantError, name_some
from bioscan_etl.processids import unfit
from bioscan_etl.release.digests import md5

CHUNK_DIGITS = {"pretrain": 2, "train": 1, "other_heldout": 1}
# Lower case. pandas' and pyarrow's null values, what R, Hive, SQL loaders and BOLD write for missing, and our own
# spelling of a missing label in formats without null.
READ_AS_MISSING = (
    "#n/a",
    "#n/a n/a",
    "#na",
    "(null)",
    "-1.#ind",
    "-1.#qnan",
    "-nan",
    "1.#ind",
    "1.#qnan",
    "<na>",
    "[null]",
    "\\n",
    "n/a",
    "na",
    "nan",
    "nat",
    "nil",
    "none",
    schema.NOT_CLASSIFIED,
    "null",
    "undefined",
)
# The full-width signs are formulas in spreadsheets with an East Asian locale.
FORMULA_START = r"^[=+\-@＝＋－＠]"
LINE_BREAK = r"[\p{Cc}\p{Zl}\p{Zp}]"
OUTER_BLANK = r"^[\s\p{Z}]+|[\s\p{Z}]+$"

BARCODES = ("dna_barcode", "nuc")
"""Columns of `schema.CURATED` with the barcode of a specimen, and with what was delivered."""

_SUFFIX = {"province_state": " Province", "country": " (country)", "sampleid": " (sample)"}
_REWRITTEN = tuple(
    column.name
    for column in schema.METADATA.columns
    if column.dtype == pl.String and column.name not in {"processid", "dna_barcode", "split", "chunk"}
)
_SUSPECT = "|".join(
    (
        LINE_BREAK,
        OUTER_BLANK,
        '[,"]',
        FORMULA_START,
        rf"^(?i:{'|'.join(re.escape(text) for text in READ_AS_MISSING)})?$",
    )
)


def looks_missing(text: pl.Expr) -> pl.Expr:
    """Whether a reader takes a text for missing; the empty text included."""
    return text.str.to_lowercase().is_in(["", *READ_AS_MISSING])


def _one_line(text: pl.Expr, _: str) -> pl.Expr:
    trimmed = text.str.replace_all(f"{LINE_BREAK}+", " ").str.replace_all(OUTER_BLANK, "")
    return pl.when(trimmed != "").then(trimmed)


def _single_quotes(text: pl.Expr, _: str) -> pl.Expr:
    return text.str.replace_all('"', "'", literal=True)


def _semicolons(text: pl.Expr, _: str) -> pl.Expr:
    return text.str.replace_all(",", ";", literal=True)


def _no_formula(text: pl.Expr, _: str) -> pl.Expr:
    return pl.when(text.str.contains(FORMULA_START)).then(pl.concat_str(pl.lit("'"), text)).otherwise(text)


def _no_missing(text: pl.Expr, column: str) -> pl.Expr:
    # One suffix for all ranks and for taxon, so that taxon stays the label of its rank.
    suffix = _SUFFIX.get(column, " (name)")
    return pl.when(looks_missing(text)).then(pl.concat_str(text, pl.lit(suffix))).otherwise(text)


_REWRITES: tuple[tuple[str, Callable[[pl.Expr, str], pl.Expr]], ...] = (
    ("VALUE_HAS_BLANKS", _one_line),
    ("VALUE_HAS_QUOTE", _single_quotes),
    ("VALUE_HAS_COMMA", _semicolons),
    ("VALUE_LOOKS_LIKE_FORMULA", _no_formula),
    ("VALUE_LOOKS_MISSING", _no_missing),
)


def chunk(processid: pl.Series, split: pl.Series) -> pl.Series:
    """Image subfolder of each specimen (spec: specimen images, packages).

    Args:
        processid: process IDs, text of length n.
        split: their partitions.

    Returns:
        Text of length n: the first two hex digits of md5(processid) in pretrain, the first one in train and
        other_heldout, empty elsewhere.
    """
    digits = split.replace_strict(CHUNK_DIGITS, default=0, return_dtype=pl.Int64)
    return pl.select(md5(processid).str.head(digits)).to_series().alias("chunk")


def metadata(
    curated: pl.DataFrame, partitions: pl.DataFrame, verification: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The released rows, with values that every reader reads alike.

    Args:
        curated: `schema.CURATED`.
        partitions: `schema.PARTITIONS`, of the same process IDs.
        verification: `schema.VERIFICATION`, of some of them; None: all labels are unverified.

    Returns:
        Rows of `schema.METADATA_EXTENDED` sorted by (split, order, family, processid), the splits in the order
        of `vocabulary.SPLITS` and missing labels last; and what was rewritten: columns of `schema.CHANGES` without
        step and ruleset, sorted by (processid, field) and, within those, in the order applied.

    Raises:
        InvariantError: the process IDs differ between the tables, are missing-like, or one has no barcode.
    """
    rows, order, changes = described(curated.drop(BARCODES), partitions, verification)
    barcodes, changed = known_bases(curated.select("processid", *BARCODES))
    rows, log = flagged(rows, [*changes, changed])
    return with_barcodes(rows, barcodes[order]), log


def described(
    curated: pl.DataFrame, partitions: pl.DataFrame, verification: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.Series, list[pl.DataFrame]]:
    """The rows of `metadata` without their barcodes, in order, and without what that changes of their flags.

    Args:
        curated: `schema.CURATED` without `BARCODES`.
        partitions: as of `metadata`.
        verification: as of `metadata`.

    Returns:
        The rows, which of the given rows each of them is, and what was rewritten.
    """
    _same_processids(curated, partitions)
    split = curated.select("processid").join(partitions, on="processid", how="left", maintain_order="left")["split"]
    known = schema.VERIFICATION.empty() if verification is None else verification
    status = curated.select("processid").join(known, on="processid", how="left", maintain_order="left").to_series(1)
    frame = curated.with_columns(split=split, verification_status=status.fill_null(schema.UNVERIFIED))
    del curated
    _no_rows(frame.filter(pl.col("processid").is_duplicated()), "are curated twice; materialise specimens again")
    unsafe = unfit(pl.col("processid")).is_not_null() | looks_missing(pl.col("processid"))
    _no_rows(frame.filter(unsafe), "have a process ID that is no file name or reads as missing; reject those records")
    changes = []
    for name in _REWRITTEN:
        frame, changed = _rewrite(frame, name)
        changes.append(changed)
    frame = frame.with_columns(chunk(frame["processid"], frame["split"]))
    order = frame.select(
        pl.arg_sort_by(
            pl.col("split").cast(pl.Enum(vocabulary.SPLITS)), "order", "family", "processid", nulls_last=True
        )
    ).to_series()
    columns = []
    for name in schema.METADATA_EXTENDED.names():
        if name in frame.columns:
            # One by one, so that only one column is there twice.
            columns.append(frame[name].gather(order))
            frame = frame.drop(name)
    return pl.DataFrame(columns), order, changes


def known_bases(curated: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Barcodes as a release has them, and what was rewritten; rows are independent of each other.

    Args:
        curated: processid and `BARCODES` of some specimens.

    Returns:
        `dna_barcode`, with N for letters other than A, C, G, T and N, and `dna_barcode_verbatim`, in the same order.

    Raises:
        InvariantError: one has no barcode.
    """
    _no_rows(curated.filter(pl.col("dna_barcode").is_null()), "have no dna_barcode; the barcode gate must hold them")
    known, changed = _known_bases(curated)
    return known.select("dna_barcode", dna_barcode_verbatim="nuc"), changed


def flagged(rows: pl.DataFrame, changes: Iterable[pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with the rules that rewrote a value in their flags, and all that was rewritten, as of `metadata`."""
    log = pl.concat(changes).sort("processid", "field", maintain_order=True)
    return _with_flags(rows, log), log


def with_barcodes(rows: pl.DataFrame, barcodes: pl.DataFrame) -> pl.DataFrame:
    """`schema.METADATA_EXTENDED` of rows of `described` and their barcodes."""
    return schema.METADATA_EXTENDED.conform(rows.hstack(barcodes))


def append_changes(changes: pl.DataFrame, rewritten: pl.DataFrame, ruleset: str) -> pl.DataFrame:
    """The change log with the release's rewrites after the curation's changes of the same value.

    Args:
        changes: `schema.CHANGES`.
        rewritten: second result of `metadata`.
        ruleset: version of the rules.

    Returns:
        `schema.CHANGES`, sorted by (processid, field, step).
    """
    after = changes.group_by("processid", "field").agg(next=pl.col("step").max() + 1)
    numbered = rewritten.join(after, on=["processid", "field"], how="left", maintain_order="left").with_columns(
        step=pl.int_range(pl.len()).over("processid", "field") + pl.col("next").fill_null(0),
        ruleset=pl.lit(ruleset),
    )
    both = pl.concat([changes, schema.CHANGES.conform(numbered)])
    return schema.CHANGES.conform(both.sort(schema.CHANGES.key))


def _log(frame: pl.DataFrame, field: str, rule: str, evidence: str) -> pl.DataFrame:
    """Rows of the change log from columns processid, before, after."""
    return frame.select(
        "processid",
        "before",
        "after",
        field=pl.lit(field),
        rule=pl.lit(rule),
        evidence=pl.lit(evidence),
    ).select("processid", "field", "before", "after", "rule", "evidence")


def _rewrite(frame: pl.DataFrame, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rewrite one text column. Works on its suspect distinct values, which are few."""
    values = frame.select(value=pl.col(name)).unique().filter(pl.col("value").str.contains(_SUSPECT)).sort("value")
    rows = frame.select("processid", value=pl.col(name)).join(values, on="value", how="semi", maintain_order="left")
    steps = values.with_columns(after=pl.col("value"))
    changes = []
    for rule, rewrite in _REWRITES:
        steps = steps.with_columns(before=pl.col("after")).with_columns(after=rewrite(pl.col("before"), name))
        hit = steps.filter(pl.col("before").ne_missing(pl.col("after")))
        changed = rows.join(hit, on="value", how="inner", maintain_order="left")
        changes.append(_log(changed, name, rule, "the value as the CSV would hold it"))
    if values.height:
        rewritten = (
            frame.select(name)
            .join(
                steps.select(pl.col("value").alias(name), "after", found=pl.lit(value=True)),
                on=name,
                how="left",
                maintain_order="left",
            )
            .select(pl.when("found").then("after").otherwise(name).alias(name))
        )
        frame = frame.with_columns(rewritten)
    return frame, pl.concat(changes)


def _known_bases(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Turn letters other than A, C, G, T and N of dna_barcode into N."""
    fixed = (
        frame.select("processid", before="dna_barcode")
        .filter(pl.col("before").str.contains("[^ACGTN]"))
        .with_columns(after=as_released(pl.col("before")))
    )
    if fixed.height:
        # Only if there is something to change: rewriting all barcodes takes gigabytes at millions of rows.
        known = frame.select("processid", "dna_barcode").join(
            fixed.select("processid", "after"), on="processid", how="left", maintain_order="left"
        )
        frame = frame.with_columns(known.select(dna_barcode=pl.coalesce("after", "dna_barcode")))
    return frame, _log(fixed, "dna_barcode", "BARCODE_CODE_TO_N", "a letter other than A, C, G, T, N")


def _with_flags(frame: pl.DataFrame, log: pl.DataFrame) -> pl.DataFrame:
    """Add the rules that rewrote a value to the flags of its specimen."""
    rules = log.group_by("processid").agg(rewritten=pl.col("rule").unique())
    flags = (
        frame.select("processid", "flags")
        .join(rules, on="processid", how="left", maintain_order="left")
        .select(
            flags=pl.when(pl.col("rewritten").is_null())
            .then("flags")
            .otherwise(pl.concat_list("flags", "rewritten").list.unique().list.sort())
        )
    )
    return frame.with_columns(flags)


def _same_processids(curated: pl.DataFrame, partitions: pl.DataFrame) -> None:
    for left, right, message in (
        (curated, partitions, "are curated but have no partition"),
        (partitions, curated, "have a partition but are not curated"),
    ):
        lone = left.select("processid").join(right.select("processid"), on="processid", how="anti")
        _no_rows(lone, f"{message}; partition the same table again")


def _no_rows(frame: pl.DataFrame, message: str) -> None:
    if frame.height:
        raise InvariantError(f"{frame.height} specimens ({name_some(frame['processid'].to_list())}) {message}")
