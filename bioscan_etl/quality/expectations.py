"""What is expected of a table: one entry per expectation, with the one condition that its failing rows meet.

Belongs here: the entries. Does not belong here: evaluating them (`bioscan_etl.quality.validate` makes of each condition
the query that Great Expectations counts and the query that lists the rows) and the wording of the invariants
(`bioscan_etl.quality.rules`).

Most entries follow from `bioscan_etl.schema`: nullability, key, vocabularies, patterns, ranges and the order
of the columns. The rest are invariants of curation over several columns or rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.identity import barcode_identity, barcode_identity_sql
from bioscan_etl.quality.rules import INVARIANTS
from bioscan_etl.rules import Severity
from bioscan_etl.splits.rules import RULES as SPLIT_RULES
from bioscan_etl.taxonomy.rules import RULES as TAXONOMY_RULES
from bioscan_etl.vocabulary import RANKS, SEEN, UNSEEN, UNSEEN_KEY, UNSEEN_QUERIES

ExpectationSeverity = Literal["blocking", "warning"]

_SEPARATOR = "\x1f"
_RULES = {rule.id: rule for rule in (*INVARIANTS, *TAXONOMY_RULES, *SPLIT_RULES)}


@dataclass(frozen=True, slots=True)
class ExpectationRule:
    """One expectation on a table.

    Attributes:
        id: unique within a table; upper case, digits and underscores, so it can name an asset check.
        statement: one sentence that says what holds if it passes.
        columns: the columns it reads; the expectation is skipped for a file that lacks one of them.
        severity: blocking stops a release, warning does not.
        condition: DuckDB condition over a row, true on failing rows, null or false elsewhere. It may query `{batch}`,
            the table, for other rows; so a literal brace is doubled. None for the order of the columns, which
            concerns no row.
        value: the value that a failing row shows, as text: an expression over `columns`.
    """

    id: str
    statement: str
    columns: tuple[str, ...]
    severity: ExpectationSeverity
    condition: str | None
    value: pl.Expr = field(default_factory=lambda: pl.lit(None, dtype=pl.String), compare=False, repr=False)


def expectation_rules(table: schema.Table) -> tuple[ExpectationRule, ...]:
    """All expectations on a table: those of its schema in the order of its columns, then the invariants."""
    rules = [_columns_in_order(table)]
    for column in table.columns:
        rules += _column_rules(column)
    rules += _key_rule(table)
    names = set(table.names())
    rules += [invariant for make in _INVARIANTS if set((invariant := make()).columns) <= names]
    return tuple(rules)


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper())


def _columns_in_order(table: schema.Table) -> ExpectationRule:
    return ExpectationRule(
        "COLUMNS_IN_ORDER",
        f"The columns are those of table {table.name}, in the same order.",
        (),
        "blocking",
        None,
    )


def _column_rules(column: schema.Column) -> list[ExpectationRule]:
    """The expectations that the schema sets on one column; lists and bytes have no single value to check."""
    name, identifier = column.name, _identifier(column.name)
    # A missing or foreign value breaks the readers of a column that is promised to be set; elsewhere it is
    # the source's own value, for a curator to see.
    severity: ExpectationSeverity = "warning" if column.nullable else "blocking"
    rules = []
    if not column.nullable:
        rules.append(
            ExpectationRule(
                f"{identifier}_MISSING", f"`{name}` is never missing.", (name,), "blocking", f"{sql_name(name)} IS NULL"
            )
        )
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        return rules
    text = pl.col(name).cast(pl.String, strict=False)
    if column.allowed:
        rules.append(
            ExpectationRule(
                f"{identifier}_OUTSIDE_VOCABULARY",
                f"`{name}` is one of: {', '.join(column.allowed)}.",
                (name,),
                "blocking",
                f"{sql_name(name)} NOT IN ({_texts(column.allowed)})",
                text,
            )
        )
    if column.pattern:
        rules.append(
            ExpectationRule(
                f"{identifier}_OUTSIDE_PATTERN",
                f"`{name}` matches {column.pattern}.",
                (name,),
                severity,
                f"NOT regexp_matches({sql_name(name)}, {_text(column.pattern)})",
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
                " OR ".join(
                    [
                        *([f"{sql_name(name)} < {low!r}"] if low is not None else []),
                        *([f"{sql_name(name)} > {high!r}"] if high is not None else []),
                    ]
                ),
                text,
            )
        )
    return rules


def _bounds(low: float | None, high: float | None) -> str:
    parts = ([f"at least {low:g}"] if low is not None else []) + ([f"at most {high:g}"] if high is not None else [])
    return " and ".join(parts)


def _key_rule(table: schema.Table) -> list[ExpectationRule]:
    """The key's uniqueness; rows whose key has a missing part are not compared."""
    if not table.key:
        return []
    key = ", ".join(map(sql_name, table.key))
    complete = " AND ".join(f"{sql_name(name)} IS NOT NULL" for name in table.key)
    return [
        ExpectationRule(
            f"{'_'.join(map(_identifier, table.key))}_NOT_UNIQUE",
            f"No two rows have the same {' and '.join(f'`{name}`' for name in table.key)}.",
            table.key,
            "blocking",
            f"{complete} AND ({key}) IN (SELECT ({key}) FROM {{batch}} WHERE {complete} "  # noqa: S608 (constants)
            f"GROUP BY {key} HAVING count(*) > 1)",
            _shown(*table.key),
        )
    ]


def _shown(*names: str) -> pl.Expr:
    """The values of columns as one text, missing ones left out; a single column without its name."""
    if len(names) == 1:
        return pl.col(names[0]).cast(pl.String)
    parts = [pl.format("{}={}", pl.lit(name), pl.col(name).cast(pl.String)) for name in names]
    return pl.concat_str(parts, separator="; ", ignore_nulls=True)


def sql_name(name: str) -> str:
    """A column's name as DuckDB reads it."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    """A literal of a condition."""
    return "'" + value.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(map(_text, values))


def _invariant(rule_id: str, columns: tuple[str, ...], condition: str, value: pl.Expr) -> ExpectationRule:
    """An entry over several columns or rows.

    Args:
        rule_id: id of a rule of this stage, taxonomy or splits, which gives statement and severity.
        columns: the columns it needs.
        condition: true on failing rows.
        value: what a failing row shows.
    """
    rule = _RULES[rule_id]
    severity: ExpectationSeverity = "blocking" if rule.severity is Severity.BLOCKING else "warning"
    return ExpectationRule(rule_id, rule.statement, columns, severity, condition, value)


def _taxon_is_deepest() -> ExpectationRule:
    return _invariant(
        "TAXON_IS_DEEPEST_LABEL",
        ("taxon", *RANKS),
        f"taxon IS DISTINCT FROM coalesce({', '.join(map(sql_name, RANKS[::-1]))})",
        _shown("taxon", "species", "genus"),
    )


def _differ(key: str, value: str) -> str:
    """True on rows whose key has rows of different values; null keys and values are left out.

    Grouping and looking the key up takes a fraction of the memory of a window over the rows. Keys and values may be
    64-bit hashes: among 5 million barcodes two collide once in a million releases.
    """
    return (
        f"{key} IN (SELECT k FROM (SELECT {key} AS k, {value} AS v FROM {{batch}}) "  # noqa: S608 (constants)
        "WHERE k IS NOT NULL GROUP BY k HAVING min(v) <> max(v))"
    )


def _lineage() -> ExpectationRule:
    """No gaps, one parent per name; genera and species are compared within their order, where homonyms differ."""
    breaches = []
    for above, below in pairwise(RANKS):
        key = sql_name(below)
        if below in ("genus", "species"):
            key = f"({key} || '{_SEPARATOR}' || coalesce(\"order\", ''))"
        gap = f"({sql_name(below)} IS NOT NULL AND {sql_name(above)} IS NULL)"
        breaches.append(f"{gap} OR {_differ(key, sql_name(above))}")
    return _invariant("INVARIANT_LINEAGE", RANKS, " OR ".join(breaches), _shown(*RANKS))


def _barcode() -> str:
    """A hash of a row's barcode; null if it has none."""
    identity = barcode_identity_sql("dna_barcode")
    return f"CASE WHEN {identity} IS NOT NULL THEN hash({identity}) END"


def _barcode_labels() -> ExpectationRule:
    label = f" || '{_SEPARATOR}' || ".join(f"coalesce({sql_name(rank)}, '')" for rank in RANKS)
    return _invariant(
        "INVARIANT_BARCODE_LABELS",
        ("dna_barcode", *RANKS),
        _differ(_barcode(), f"hash({label})"),
        _shown(*RANKS),
    )


def _inferred_but_unlabelled() -> ExpectationRule:
    return _invariant(
        "INFERRED_BUT_UNLABELLED",
        (*RANKS, *(f"inferred_{rank}" for rank in RANKS)),
        " OR ".join(f"(inferred_{rank} AND {sql_name(rank)} IS NULL)" for rank in RANKS),
        _shown(*RANKS),
    )


def _inferred_ranks_disagree() -> ExpectationRule:
    """6 class … 1 species; a phylum is never inferred alone."""
    coded = zip(RANKS[1:], range(6, 0, -1), strict=True)
    cases = " ".join(f"WHEN inferred_{rank} THEN {code}" for rank, code in coded)
    return _invariant(
        "INFERRED_RANKS_DISAGREE",
        ("inferred_ranks", *(f"inferred_{rank}" for rank in RANKS)),
        f"inferred_ranks <> CASE {cases} ELSE 0 END",
        _shown("inferred_ranks"),
    )


def _species_outside_genus() -> ExpectationRule:
    return _invariant(
        "SPECIES_OUTSIDE_GENUS",
        ("species_name_type", "species", "genus"),
        "species_name_type = 'SCIENTIFIC' AND split_part(species, ' ', 1) <> genus",
        _shown("genus", "species"),
    )


def _coordinate_without_partner() -> ExpectationRule:
    return _invariant(
        "COORDINATE_WITHOUT_PARTNER",
        ("coord-lat", "coord-lon"),
        '("coord-lat" IS NULL) <> ("coord-lon" IS NULL)',
        _shown("coord-lat", "coord-lon"),
    )


def _box_outside_image() -> ExpectationRule:
    columns = ("x0", "y0", "x1", "y1", "width_original", "height_original")
    return _invariant(
        "BOX_OUTSIDE_IMAGE",
        columns,
        "x0 >= x1 OR y0 >= y1 OR x1 > width_original OR y1 > height_original",
        _shown(*columns),
    )


def _barcode_in_two_partitions() -> ExpectationRule:
    return _invariant(
        "BARCODE_IN_TWO_PARTITIONS",
        ("split", "dna_barcode"),
        _differ(_barcode(), "split"),
        pl.format("split={}; barcode={}…", "split", barcode_identity(pl.col("dna_barcode")).str.slice(0, 24)),
    )


def _species_in(splits: Iterable[str]) -> str:
    return f"IN (SELECT species FROM {{batch}} WHERE species IS NOT NULL AND split IN ({_texts(splits)}))"  # noqa: S608


def _species_in_seen_and_unseen() -> ExpectationRule:
    return _invariant(
        "SPECIES_IN_SEEN_AND_UNSEEN",
        ("split", "species"),
        f"split IN ({_texts(SEEN + UNSEEN)}) AND species {_species_in(SEEN)} AND species {_species_in(UNSEEN)}",
        _shown("split", "species"),
    )


def _unseen_species_without_key() -> ExpectationRule:
    return _invariant(
        "UNSEEN_SPECIES_WITHOUT_KEY",
        ("split", "species"),
        # A missing species is not in an empty list either.
        f"split IN ({_texts(UNSEEN_QUERIES)}) AND species IS NOT NULL AND species NOT {_species_in([UNSEEN_KEY])}",
        _shown("split", "species"),
    )


_INVARIANTS: tuple[Callable[[], ExpectationRule], ...] = (
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
