"""What is expected of a table: one entry per expectation, from which both engines' checks are made.

Belongs here: the entries, each with the Great Expectations type and arguments that count its breaches and the
polars expression that lists them. Does not belong here: running them (`bioscan_etl.quality.validate`) and the
wording of the invariants (`bioscan_etl.quality.rules`).

Most entries follow from `bioscan_etl.schema`: nullability, key, vocabularies, patterns, ranges and the order
of the columns. The rest are invariants of curation over several columns or rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.sequences import identity
from bioscan_etl.quality.rules import INVARIANTS
from bioscan_etl.rules import Severity
from bioscan_etl.splits.rules import RULES as SPLIT_RULES
from bioscan_etl.taxonomy.rules import RULES as TAXONOMY_RULES

ExpectationSeverity = Literal["blocking", "warning"]

_SEPARATOR = "\x1f"
_RULES = {rule.id: rule for rule in (*INVARIANTS, *TAXONOMY_RULES, *SPLIT_RULES)}
_SEEN = ("train", "val", "test")
_UNSEEN = ("key_unseen", "val_unseen", "test_unseen")


@dataclass(frozen=True, slots=True)
class ExpectationRule:
    """One expectation on a table.

    Attributes:
        id: unique within a table; upper case, digits and underscores, so it can name an asset check.
        statement: one sentence that says what a failing row has wrong.
        columns: the columns it looks at; it is left out for a file that lacks one of them.
        severity: blocking stops a release, warning does not.
        expectation: class name in `great_expectations.expectations`, or one of `quality.duckdb_dialect`.
        arguments: the class' arguments.
        failing: true on failing rows, null or false elsewhere; None for what concerns no row.
        value: the value that a failing row shows, as text.
    """

    id: str
    statement: str
    columns: tuple[str, ...]
    severity: ExpectationSeverity
    expectation: str
    arguments: Mapping[str, Any] = field(hash=False)
    failing: pl.Expr | None = field(default=None, compare=False, repr=False)
    value: pl.Expr = field(default_factory=lambda: pl.lit(None, dtype=pl.String), compare=False, repr=False)


def expectation_rules(table: schema.Table) -> tuple[ExpectationRule, ...]:
    """All expectations on a table: those of its schema in the order of its columns, then the invariants."""
    rules = [_columns_in_order(table)]
    for column in table.columns:
        rules += _column_rules(column)
    rules += _key_rule(table)
    names = set(table.names())
    rules += [invariant for make in _INVARIANTS if set((invariant := make(names)).columns) <= names]
    return tuple(rules)


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper())


def _columns_in_order(table: schema.Table) -> ExpectationRule:
    return ExpectationRule(
        "COLUMNS_IN_ORDER",
        f"The columns differ from those of table {table.name}, or come in another order.",
        (),
        "blocking",
        "ExpectTableColumnsToMatchOrderedList",
        {"column_list": table.names()},
    )


def _column_rules(column: schema.Column) -> list[ExpectationRule]:
    """What the schema says of one column; lists and bytes have no single value to hold against it."""
    name, identifier = column.name, _identifier(column.name)
    value = pl.col(name)
    text = pl.lit(None, dtype=pl.String) if column.dtype.is_nested() else value.cast(pl.String, strict=False)
    # A missing or foreign value breaks the readers of a column that is promised to be set; elsewhere it is
    # the source's own value, for a curator to see.
    severity: ExpectationSeverity = "warning" if column.nullable else "blocking"
    rules = []
    if not column.nullable:
        rules.append(
            ExpectationRule(
                f"{identifier}_MISSING",
                f"`{name}` is missing.",
                (name,),
                "blocking",
                "ExpectColumnValuesToNotBeNull",
                {"column": name},
                value.is_null(),
            )
        )
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        return rules
    if column.allowed:
        rules.append(
            ExpectationRule(
                f"{identifier}_OUTSIDE_VOCABULARY",
                f"`{name}` is none of: {', '.join(column.allowed)}.",
                (name,),
                "blocking",
                "ExpectColumnValuesToBeInSet",
                {"column": name, "value_set": list(column.allowed)},
                ~value.is_in(list(column.allowed)),
                text,
            )
        )
    if column.pattern:
        rules.append(
            ExpectationRule(
                f"{identifier}_OUTSIDE_PATTERN",
                f"`{name}` does not match {column.pattern}.",
                (name,),
                severity,
                "ExpectColumnValuesToMatchRe2",
                {"column": name, "regex": column.pattern},
                ~value.str.contains(column.pattern),
                text,
            )
        )
    if column.minimum is not None or column.maximum is not None:
        low, high = column.minimum, column.maximum
        rules.append(
            ExpectationRule(
                f"{identifier}_OUT_OF_RANGE",
                f"`{name}` is {_bounds(low, high)}.",
                (name,),
                severity,
                "ExpectColumnValuesToBeBetween",
                {"column": name, "min_value": low, "max_value": high},
                pl.any_horizontal(
                    *([value < low] if low is not None else []),
                    *([value > high] if high is not None else []),
                ),
                text,
            )
        )
    return rules


def _bounds(low: float | None, high: float | None) -> str:
    parts = ([f"below {low:g}"] if low is not None else []) + ([f"above {high:g}"] if high is not None else [])
    return " or ".join(parts)


def _key_rule(table: schema.Table) -> list[ExpectationRule]:
    """The key's uniqueness; rows whose key has a missing part are not compared."""
    if not table.key:
        return []
    complete = pl.all_horizontal(pl.col(name).is_not_null() for name in table.key)
    single = len(table.key) == 1
    return [
        ExpectationRule(
            f"{'_'.join(map(_identifier, table.key))}_NOT_UNIQUE",
            f"More than one row has the same {' and '.join(f'`{name}`' for name in table.key)}.",
            table.key,
            "blocking",
            "ExpectColumnValuesToBeUnique" if single else "ExpectCompoundColumnsToBeUnique",
            {"column": table.key[0]} if single else {"column_list": list(table.key)},
            complete & (pl.len().over(table.key) > 1),
            _shown(*table.key),
        )
    ]


def _shown(*names: str) -> pl.Expr:
    """The values of columns as one text, missing ones left out; a single column without its name."""
    if len(names) == 1:
        return pl.col(names[0]).cast(pl.String)
    parts = [pl.format("{}={}", pl.lit(name), pl.col(name).cast(pl.String)) for name in names]
    return pl.concat_str(parts, separator="; ", ignore_nulls=True)


def _sql(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _invariant(
    rule_id: str, columns: tuple[str, ...], failing_sql: str, failing: pl.Expr, value: pl.Expr
) -> ExpectationRule:
    """An entry over several columns or rows.

    Args:
        rule_id: id of a rule of this stage, taxonomy or splits, which gives statement and severity.
        columns: the columns it needs.
        failing_sql: DuckDB condition, true on failing rows; may ask {batch} for other rows.
        failing: the same in polars.
        value: what a failing row shows.
    """
    rule = _RULES[rule_id]
    return ExpectationRule(
        rule_id,
        rule.statement,
        columns,
        "blocking" if rule.severity is Severity.BLOCKING else "warning",
        "ExpectQueryToReturnNoRows",
        # The condition is made of column names of the schema and constants of this module.
        {"unexpected_rows_query": f"SELECT 1 FROM (SELECT {failing_sql} AS failing FROM {{batch}}) WHERE failing"},  # noqa: S608
        failing,
        value,
    )


def _taxon_is_deepest(names: set[str]) -> ExpectationRule:
    deepest_first = vocabulary.RANKS[::-1]
    return _invariant(
        "TAXON_IS_DEEPEST_LABEL",
        ("taxon", *vocabulary.RANKS),
        f"taxon IS DISTINCT FROM coalesce({', '.join(map(_sql, deepest_first))})",
        pl.col("taxon").ne_missing(pl.coalesce(deepest_first)),
        _shown("taxon", "species", "genus"),
    )


def _differ_sql(key: str, value: str) -> str:
    """True on rows whose key has rows of different values; null keys and values are left out.

    Grouping and looking the key up takes a fraction of the memory of a window over the rows.
    """
    return (
        f"{key} IN (SELECT k FROM (SELECT {key} AS k, {value} AS v FROM {{batch}}) "  # noqa: S608 (constants)
        "WHERE k IS NOT NULL GROUP BY k HAVING min(v) <> max(v))"
    )


def _differ(key: pl.Expr, value: pl.Expr) -> pl.Expr:
    """The same in polars, by 64-bit hashes: among 5 million barcodes two collide once in a million releases."""
    hashed = pl.when(value.is_not_null()).then(value.hash())
    group = key.hash()
    return key.is_not_null() & (hashed.min().over(group) != hashed.max().over(group))


def _lineage(names: set[str]) -> ExpectationRule:
    """No gaps, one parent per name; genera and species are compared within their order, where homonyms differ."""
    sql = []
    failing = []
    for above, below in zip(vocabulary.RANKS, vocabulary.RANKS[1:], strict=False):
        key_sql, key = _sql(below), pl.col(below)
        if below in ("genus", "species"):
            key_sql = f"({key_sql} || '{_SEPARATOR}' || coalesce(\"order\", ''))"
            key = pl.concat_str(key, pl.col("order").fill_null(""), separator=_SEPARATOR)
        sql.append(f"({_sql(below)} IS NOT NULL AND {_sql(above)} IS NULL) OR {_differ_sql(key_sql, _sql(above))}")
        failing.append((pl.col(below).is_not_null() & pl.col(above).is_null()) | _differ(key, pl.col(above)))
    return _invariant(
        "INVARIANT_LINEAGE",
        vocabulary.RANKS,
        " OR ".join(sql),
        pl.any_horizontal(failing),
        _shown(*vocabulary.RANKS),
    )


def _identity() -> tuple[str, str, pl.Expr]:
    """Column of a table's barcodes; SQL (a hash) and expression of their identity."""
    stripped = identity(pl.col("dna_barcode"))
    stripped_sql = "nullif(trim(regexp_replace(dna_barcode, '[^ACGTN]', 'N', 'g'), 'N'), '')"
    return "dna_barcode", f"CASE WHEN {stripped_sql} IS NOT NULL THEN hash({stripped_sql}) END", stripped


def _barcode_labels(_: set[str]) -> ExpectationRule:
    column, barcode_sql, barcode = _identity()
    label_sql = f" || '{_SEPARATOR}' || ".join(f"coalesce({_sql(rank)}, '')" for rank in vocabulary.RANKS)
    label = pl.concat_str([pl.col(rank).fill_null("") for rank in vocabulary.RANKS], separator=_SEPARATOR)
    return _invariant(
        "INVARIANT_BARCODE_LABELS",
        (column, *vocabulary.RANKS),
        _differ_sql(barcode_sql, f"hash({label_sql})"),
        _differ(barcode, label),
        _shown(*vocabulary.RANKS),
    )


def _inferred_but_unlabelled(names: set[str]) -> ExpectationRule:
    return _invariant(
        "INFERRED_BUT_UNLABELLED",
        (*vocabulary.RANKS, *(f"inferred_{rank}" for rank in vocabulary.RANKS)),
        " OR ".join(f"(inferred_{rank} AND {_sql(rank)} IS NULL)" for rank in vocabulary.RANKS),
        pl.any_horizontal(pl.col(f"inferred_{rank}") & pl.col(rank).is_null() for rank in vocabulary.RANKS),
        _shown(*vocabulary.RANKS),
    )


def _inferred_ranks_disagree(names: set[str]) -> ExpectationRule:
    """6 class … 1 species; a phylum is never inferred alone."""
    coded = list(zip(vocabulary.RANKS[1:], range(6, 0, -1), strict=True))
    expected = pl.coalesce(*(pl.when(pl.col(f"inferred_{rank}")).then(pl.lit(code)) for rank, code in coded), pl.lit(0))
    cases = " ".join(f"WHEN inferred_{rank} THEN {code}" for rank, code in coded)
    return _invariant(
        "INFERRED_RANKS_DISAGREE",
        ("inferred_ranks", *(f"inferred_{rank}" for rank in vocabulary.RANKS)),
        f"inferred_ranks <> CASE {cases} ELSE 0 END",
        pl.col("inferred_ranks") != expected,
        pl.col("inferred_ranks").cast(pl.String),
    )


def _species_outside_genus(names: set[str]) -> ExpectationRule:
    return _invariant(
        "SPECIES_OUTSIDE_GENUS",
        ("species_name_type", "species", "genus"),
        "species_name_type = 'SCIENTIFIC' AND split_part(species, ' ', 1) <> genus",
        (pl.col("species_name_type") == "SCIENTIFIC")
        & (pl.col("species").str.split(" ").list.first() != pl.col("genus")),
        _shown("genus", "species"),
    )


def _coordinate_without_partner(names: set[str]) -> ExpectationRule:
    return _invariant(
        "COORDINATE_WITHOUT_PARTNER",
        ("coord-lat", "coord-lon"),
        '("coord-lat" IS NULL) <> ("coord-lon" IS NULL)',
        pl.col("coord-lat").is_null() != pl.col("coord-lon").is_null(),
        _shown("coord-lat", "coord-lon"),
    )


def _box_outside_image(names: set[str]) -> ExpectationRule:
    columns = ("x0", "y0", "x1", "y1", "width_original", "height_original")
    return _invariant(
        "BOX_OUTSIDE_IMAGE",
        columns,
        "x0 >= x1 OR y0 >= y1 OR x1 > width_original OR y1 > height_original",
        pl.any_horizontal(
            pl.col("x0") >= pl.col("x1"),
            pl.col("y0") >= pl.col("y1"),
            pl.col("x1") > pl.col("width_original"),
            pl.col("y1") > pl.col("height_original"),
        ),
        _shown(*columns),
    )


def _barcode_in_two_partitions(_: set[str]) -> ExpectationRule:
    column, barcode_sql, barcode = _identity()
    return _invariant(
        "BARCODE_IN_TWO_PARTITIONS",
        ("split", column),
        _differ_sql(barcode_sql, "split"),
        _differ(barcode, pl.col("split")),
        pl.format("split={}; barcode={}…", "split", barcode.str.slice(0, 24)),
    )


def _species_in_sql(splits: tuple[str, ...]) -> str:
    return f"IN (SELECT species FROM {{batch}} WHERE species IS NOT NULL AND split IN ({_texts(splits)}))"  # noqa: S608


def _species_in_seen_and_unseen(names: set[str]) -> ExpectationRule:
    seen = pl.col("split").is_in(list(_SEEN))
    unseen = pl.col("split").is_in(list(_UNSEEN))
    return _invariant(
        "SPECIES_IN_SEEN_AND_UNSEEN",
        ("split", "species"),
        f"split IN ({_texts(_SEEN + _UNSEEN)}) AND species {_species_in_sql(_SEEN)} "
        f"AND species {_species_in_sql(_UNSEEN)}",
        pl.col("species").is_not_null() & (seen | unseen) & seen.any().over("species") & unseen.any().over("species"),
        _shown("split", "species"),
    )


def _unseen_species_without_key(names: set[str]) -> ExpectationRule:
    return _invariant(
        "UNSEEN_SPECIES_WITHOUT_KEY",
        ("split", "species"),
        f"split IN ('val_unseen', 'test_unseen') AND species NOT {_species_in_sql(('key_unseen',))}",
        pl.col("species").is_not_null()
        & pl.col("split").is_in(["val_unseen", "test_unseen"])
        & ~(pl.col("split") == "key_unseen").any().over("species"),
        _shown("split", "species"),
    )


_INVARIANTS: tuple[Callable[[set[str]], ExpectationRule], ...] = (
    _taxon_is_deepest,
    _lineage,
    _barcode_labels,
    _inferred_but_unlabelled,
    _inferred_ranks_disagree,
    _species_outside_genus,
    _coordinate_without_partner,
    _box_outside_image,
    _barcode_in_two_partitions,
    _species_in_seen_and_unseen,
    _unseen_species_without_key,
)
