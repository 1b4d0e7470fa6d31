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
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.identity import barcode_identity_sql
from bioscan_etl.quality.rules import INVARIANTS
from bioscan_etl.rules import Severity
from bioscan_etl.splits.rules import RULES as SPLIT_RULES
from bioscan_etl.taxonomy.rules import RULES as TAXONOMY_RULES
from bioscan_etl.vocabulary import RANKS, SEEN, UNSEEN, UNSEEN_KEY, UNSEEN_QUERIES

ExpectationSeverity = Literal["blocking", "warning"]

BARCODE_KEYS = "barcode_keys"
"""The table in memory that conditions on barcodes look up; see `barcode_keys`."""

# Great Expectations warns of a query that does not name the table.
_OF_BATCH = f"{BARCODE_KEYS} /* of {{batch}} */"
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
            the table, and `BARCODE_KEYS` for other rows; so a literal brace is doubled. None for the order of the
            columns, which concerns no row.
        value: the value that a failing row shows: DuckDB SQL of a text over `columns`, a literal brace doubled.
        in_keys: DuckDB SQL over a row, with `identity` for the barcode without what does not count; the table
            `BARCODE_KEYS` has it in a column with the rule's id. None for a rule that reads no barcodes.
        counted: the query that has a row per failing row, of the table `BARCODE_KEYS`: barcodes are most of the bytes
            of a table, and it holds none. None: the rows that meet the condition are counted.
    """

    id: str
    statement: str
    columns: tuple[str, ...]
    severity: ExpectationSeverity
    condition: str | None
    value: str = "CAST(NULL AS VARCHAR)"
    in_keys: str | None = None
    counted: str | None = None

    @property
    def looks_elsewhere(self) -> bool:
        """Whether the condition on a row depends on other rows."""
        if self.condition is None:
            return False
        return self.counted is not None or self.condition.format(batch="\0") != self.condition.format(batch="")


def barcode_keys(rules: Iterable[ExpectationRule]) -> str | None:
    """The query of the table `BARCODE_KEYS` for some rules of a table, with `{batch}` for it; None if none needs it.

    One row per row of the table: its process ID, `k`, which tells its barcode from others (null without a barcode), and
    a column per rule, with what the rule says of the row. Barcodes are most of the bytes of a table: all rules share
    one reading.
    """
    reading = [rule for rule in rules if rule.in_keys is not None]
    if not reading:
        return None
    found = [f"{rule.in_keys} AS {sql_name(rule.id)}" for rule in reading]
    # A file without this column lacks the rules that look it up.
    found = [*(["processid"] if any("processid" in rule.columns for rule in reading) else []), *found]
    identity = f"SELECT *, {barcode_identity_sql('dna_barcode')} AS identity FROM {{batch}}"  # noqa: S608 (constants)
    return f"SELECT {_KEY_OF_IDENTITY} AS k, {', '.join(found)} FROM ({identity})"  # noqa: S608 (constants)


def expectation_rules(table: schema.Table) -> tuple[ExpectationRule, ...]:
    """All expectations on a table: those of its schema in the order of its columns, then the invariants."""
    rules = [_columns_in_order(table)]
    for column in table.columns:
        rules += _column_rules(column)
    rules += _key_rule(table)
    names = set(table.names())
    invariants = (*_INVARIANTS, *(_OF_CURATED_LABELS if _CURATED in names else ()))
    of_rows = [invariant for make in invariants if set((invariant := make()).columns) <= names]
    if any(rule.in_keys is not None for rule in of_rows):
        rules = [_counted_in_keys(rule) if rule.id == _PATTERN_RULE else rule for rule in rules]
    return (*rules, *of_rows)


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper())


def _columns_in_order(table: schema.Table) -> ExpectationRule:
    return ExpectationRule(
        "COLUMNS_IN_ORDER",
        f"The columns are those of table {table.name}, in the same order"
        + (f"; after them, only such whose names begin with {table.further}." if table.further else "."),
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
    text = _as_text(name)
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


def _shown(*names: str) -> str:
    """The values of columns as one text, missing ones left out; a single column without its name."""
    if len(names) == 1:
        return _as_text(names[0])
    parts = [f"{_text(f'{name}=')} || {_as_text(name)}" for name in names]
    return f"concat_ws('; ', {', '.join(parts)})"


def _as_text(name: str) -> str:
    """A value as text; a number that is none is `NaN`, and a text that reads `nan` stays as it is."""
    text = f"CAST({sql_name(name)} AS VARCHAR)"
    return f"CASE WHEN typeof({sql_name(name)}) IN ('DOUBLE', 'FLOAT') AND {text} = 'nan' THEN 'NaN' ELSE {text} END"


def sql_name(name: str) -> str:
    """A column's name as DuckDB reads it."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    """A literal of a condition."""
    return "'" + value.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(map(_text, values))


def _invariant(rule_id: str, columns: tuple[str, ...], condition: str, value: str) -> ExpectationRule:
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

    Grouping and looking the key up takes a fraction of the memory of a window over the rows.
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


_PATTERN_RULE = "DNA_BARCODE_OUTSIDE_PATTERN"


def _counted_in_keys(rule: ExpectationRule) -> ExpectationRule:
    """The rule on the pattern of barcodes, counted with the keys: an identity is letters, and known by then."""
    if _text("^[A-Z]+$") not in (rule.condition or ""):
        return rule
    found = sql_name(rule.id)
    return replace(
        rule,
        in_keys=f"CASE WHEN identity = dna_barcode THEN false ELSE {rule.condition} END",
        counted=f"SELECT 1 FROM {_OF_BATCH} WHERE {found}",  # noqa: S608 (constants)
    )


_KEY_OF_IDENTITY = "md5_number(identity)"
_BARCODE_KEY = f"md5_number({barcode_identity_sql('dna_barcode')})"
"""Grouping millions of barcodes takes gigabytes, grouping their MD5 does not. DuckDB's own hash of texts is too weak:
of 5 million barcodes it confuses dozens that differ in two bases eight apart."""


def _one_per_barcode(rule_id: str, columns: tuple[str, ...], same: str, value: str) -> ExpectationRule:
    """An entry that fails on rows whose barcode has rows of different values; rows without a barcode are left out.

    Args:
        rule_id: as of `_invariant`.
        columns: process ID and barcode, and the columns of `same` and `value`.
        same: what is the same in all rows of one barcode.
        value: what a failing row shows.
    """
    found = sql_name(rule_id)
    keys = f"FROM {BARCODE_KEYS} WHERE k IS NOT NULL"
    different = f"SELECT k {keys} GROUP BY k HAVING min({found}) <> max({found})"
    suspects = f"SELECT processid {keys} AND processid IS NOT NULL AND k IN ({different})"
    # Of the rows that have the process ID of a failing one, nearly all fail. Keys are made of no others.
    key = f"CASE WHEN processid IS NULL OR processid IN ({suspects}) THEN {_BARCODE_KEY} END"
    counted = f"SELECT 1 FROM {_OF_BATCH} WHERE k IN ({different})"  # noqa: S608 (constants)
    return replace(_invariant(rule_id, columns, f"{key} IN ({different})", value), in_keys=same, counted=counted)


def _barcode_labels() -> ExpectationRule:
    label = f" || '{_SEPARATOR}' || ".join(f"coalesce({sql_name(rank)}, '')" for rank in RANKS)
    return _one_per_barcode(
        "INVARIANT_BARCODE_LABELS", ("processid", "dna_barcode", *RANKS), f"md5_number({label})", _shown(*RANKS)
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
    beginning = f"left({barcode_identity_sql('dna_barcode')}, 24)"
    return _one_per_barcode(
        "BARCODE_IN_TWO_PARTITIONS",
        ("processid", "split", "dna_barcode"),
        "split",
        f"'split=' || split || '; barcode=' || {beginning} || '…'",
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
    _inferred_but_unlabelled,
    _inferred_ranks_disagree,
    _species_outside_genus,
    _coordinate_without_partner,
    _box_outside_image,
    _barcode_in_two_partitions,
    _species_in_seen_and_unseen,
    _unseen_species_without_key,
)
_OF_CURATED_LABELS: tuple[Callable[[], ExpectationRule], ...] = (_lineage, _barcode_labels)
"""Invariants that curation establishes: labels as delivered have gaps, and conflicts within a barcode."""
_CURATED = "inferred_ranks"
"""Column of the tables whose labels are curated."""
