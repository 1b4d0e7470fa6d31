"""Differences between two releases: records, partitions, labels, other fields, images, each with its reason.

Belongs here: the comparison and its counts. Does not belong here: reading a release (`release.scan`), and
reporting the result (`release.diff.changelog`, the command line).

Two releases of millions of rows do not fit into memory together. One pass over each gives a hash per record.
Records whose hashes differ are then written to a scratch folder by ranges of process IDs, and each range
is compared value by value.

Reasons. A record *added* or *removed* is `new` or `gone`, or is in the other release at a place such as
`quarantined:NO_IMAGE`. A *moved* record has the reasons of the releases in between, `RECOMPUTED` if the protocol
assigns all partitions again each time, or `UNLISTED` if a protocol that lists its moves has not listed this one. A
value is *relabelled* (a rank) or *changed* because another value was `delivered`, because of a rule of the change log,
both (`delivered+RULE`), because a rule no longer applies (`undone:RULE`), or because it is `derived` from images, rules
and other values. An image is added or removed `with_record`, with its `package` or alone (`image`); or its `bytes`
differ.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from bioscan_etl.errors import SourceError
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.quality.spreadsheet import escape_formulas
from bioscan_etl.release import versions
from bioscan_etl.release.diff.decided import DECISION_CHANGES, decision_changes
from bioscan_etl.release.scan import MOVES, ReleaseTables
from bioscan_etl.schema import DIFF_KINDS, METADATA_EXTENDED, PARTITION_MOVES, RELEASE_DIFF
from bioscan_etl.vocabulary import RANKS

_GROUP = 100_000  # rows of a Parquet row group
_RANGE = 200_000  # records that are compared value by value at a time
_FILTERED = 500_000  # process IDs up to which a filter is faster than a join
# Columns that follow from others, or describe the origin of a row instead of its content.
_UNCOMPARED = ("processid", "split", "taxon", "chunk", "batch", "snapshot_date")
_DERIVED = (
    "image_measurement_value",
    "area_fraction",
    "scale_factor",
    "inferred_ranks",
    "genus_name_type",
    "species_name_type",
    *(f"inferred_{rank}" for rank in RANKS),
    "image_status",
    "confidence",
    "measurement_source",
    "flags",
    "verification_status",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """The counts of a comparison.

    Attributes:
        before: version of the first release.
        after: version of the second one.
        records_before: its records.
        records_after: those of the second one.
        records: records by kind of `schema.DIFF_KINDS`, for kinds that occur; images also count by record.
        reasons: kind, field, reason, rows; in the order of kinds and fields, then the most rows first.
        values: kind, field, before, after, reason, rows of moved and relabelled records; the most rows first.
        uncompared: columns that only one of the releases has.
        decisions: `decided.DECISION_CHANGES`, the curators' lines that came, went, or that another thing became of.
    """

    before: str
    after: str
    records_before: int
    records_after: int
    records: dict[str, int]
    reasons: pl.DataFrame
    values: pl.DataFrame
    uncompared: tuple[str, ...]
    decisions: pl.DataFrame = field(default_factory=DECISION_CHANGES.to_frame)

    @property
    def is_empty(self) -> bool:
        """Whether the releases have the same records and images."""
        return not self.records


def compare(
    before: ReleaseTables,
    after: ReleaseTables,
    write: Callable[[pl.DataFrame], None] | None = None,
    progress: Progress = silent,
    *,
    between: Sequence[pl.LazyFrame] = (),
    records_per_range: int = _RANGE,
) -> Difference:
    """Compare two releases.

    Args:
        before: the first.
        after: the second.
        write: receives the differences, `schema.RELEASE_DIFF`, part by part, in the order of process IDs, kinds and
            fields.
        progress: receives the number of records compared.
        between: `schema.PARTITION_MOVES` of the releases between them, oldest first, if there are any.
        records_per_range: records that are in memory at a time; no effect on results.

    Raises:
        SourceError: a file of a release is damaged.
    """
    try:
        return _compare(before, after, write, progress, between, records_per_range)
    except (pl.exceptions.PolarsError, UnicodeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(
            f"{before.root} and {after.root} cannot be compared: {reason}; bioscan-etl check finds the damage"
        ) from error


def moves_between(before: ReleaseTables, after: ReleaseTables) -> list[pl.LazyFrame]:
    """`schema.PARTITION_MOVES` of the versions between two of one folder, oldest first."""
    if before.root.parent != after.root.parent:
        return []
    every = versions.versions(before.root.parent)
    if before.root not in every or after.root not in every:
        return []
    found = [root / MOVES for root in every[every.index(before.root) + 1 : every.index(after.root)]]
    return [scan_parquet(path) for path in found if path.is_file()]


def compared_fields(before: ReleaseTables, after: ReleaseTables) -> tuple[list[str], tuple[str, ...]]:
    """Columns that both have and that are compared, and those that only one has; in the order of the schema."""
    names = [before.columns(), after.columns()]
    order = list(dict.fromkeys([*METADATA_EXTENDED.names(), *names[0], *names[1]]))
    both = [name for name in order if name in names[0] and name in names[1] and name not in _UNCOMPARED]
    one = [name for name in order if (name in names[0]) != (name in names[1])]
    return both, tuple(one)


def _compare(
    before: ReleaseTables,
    after: ReleaseTables,
    write: Callable[[pl.DataFrame], None] | None,
    progress: Progress,
    between: Sequence[pl.LazyFrame],
    records_per_range: int,
) -> Difference:
    fields, uncompared = compared_fields(before, after)
    sides = (before, after)
    known = [_digests(side, fields) for side in sides]
    affected = _affected(*known).with_columns(range=pl.int_range(pl.len(), dtype=pl.UInt32) // records_per_range)
    heights = [frame.height for frame in known]
    del known
    affected = _with_reasons(affected, before, after, between)
    ranges = -(-affected.height // records_per_range)
    counts = _Counts()
    with tempfile.TemporaryDirectory(prefix="bioscan-diff-") as scratch:
        parts = _Parts(sides, fields, affected, Path(scratch), ranges)
        for number in range(ranges):
            part = parts.read(number)
            counts.add(part)
            if write is not None:
                write(part)
            progress("compare", min((number + 1) * records_per_range, affected.height), affected.height)
    records, reasons, values = counts.total(fields)
    decisions = decision_changes(before, after)
    return Difference(
        before.version, after.version, heights[0], heights[1], records, reasons, values, uncompared, decisions
    )


def _texts(side: ReleaseTables, fields: Sequence[str]) -> list[pl.Expr]:
    """The fields as text: lists joined by '+', empty ones missing; all else as polars writes it."""
    types = side.rows.collect_schema()
    lists = [name for name in fields if types[name] == pl.List(pl.String)]
    joined = {name: pl.when(pl.col(name).list.len() > 0).then(pl.col(name).list.join("+")) for name in lists}
    return [joined[name].alias(name) if name in joined else pl.col(name).cast(pl.String) for name in fields]


def _digests(side: ReleaseTables, fields: Sequence[str]) -> pl.DataFrame:
    """Process ID, split, digest of the record's fields and of its images.

    Hashes of 64 bits are compared within one run, for one record at a time: of 5 million changed records the chance
    to miss one is 3e-13.
    """
    records = side.rows.select(
        "processid", pl.col("split").cast(pl.Categorical), digest=pl.struct(_texts(side, fields)).hash()
    ).collect(engine="streaming")
    images = (
        side.images()
        .select("processid", images=pl.struct("package", "sha256").hash() // 2**20)
        # A sum, because it does not depend on the order of files.
        .group_by("processid")
        .agg(pl.col("images").sum())
        .collect(engine="streaming")
    )
    return records.join(images, on="processid", how="left")


def _affected(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Process ID, split_before, split_after, fields and images (whether these differ); sorted by processid."""
    joined = before.join(after, on="processid", how="full", suffix="_after", coalesce=True).select(
        "processid",
        split_before=pl.col("split").cast(pl.String),
        split_after=pl.col("split_after").cast(pl.String),
        fields=pl.col("digest").ne_missing(pl.col("digest_after"))
        & pl.col("split").is_not_null()
        & pl.col("split_after").is_not_null(),
        images=pl.col("images").ne_missing(pl.col("images_after")),
    )
    return joined.filter(
        pl.col("split_before").ne_missing(pl.col("split_after")) | pl.col("fields") | pl.col("images")
    ).sort("processid")


def _with_reasons(
    affected: pl.DataFrame, before: ReleaseTables, after: ReleaseTables, between: Sequence[pl.LazyFrame]
) -> pl.DataFrame:
    """Add `reason` of records added, removed and moved; null where the partition is the same."""
    added, removed = pl.col("split_before").is_null(), pl.col("split_after").is_null()
    parts = []
    for which, side, otherwise in ((added, before, "new"), (removed, after, "gone")):
        ids = affected.filter(which).select("processid")
        places = side.held_back(ids.lazy()) if ids.height else ids.with_columns(place=pl.lit(""))
        parts.append(
            ids.join(places, on="processid", how="left").select(
                "processid", reason=pl.coalesce("place", pl.lit(otherwise))
            )
        )
    moved = affected.filter(pl.col("split_before") != pl.col("split_after"))
    parts.append(_move_reasons(moved, after, between))
    return affected.join(pl.concat(parts), on="processid", how="left", maintain_order="left")


def _move_reasons(moved: pl.DataFrame, after: ReleaseTables, between: Sequence[pl.LazyFrame]) -> pl.DataFrame:
    """Process ID and reason of moved records (columns processid, split_before, split_after)."""
    unlisted = pl.lit("RECOMPUTED" if after.protocol == "bioscan-5m" else "UNLISTED")
    if moved.is_empty():
        return moved.select("processid", reason=unlisted)
    lists = [*between, after.moves()]
    listed = pl.concat(
        [
            PARTITION_MOVES.empty().lazy().with_columns(step=pl.lit(0)),
            *(frame.select(PARTITION_MOVES.names()).with_columns(step=pl.lit(n)) for n, frame in enumerate(lists)),
        ]
    )
    listed = listed.join(moved.lazy(), on="processid").sort("processid", "step")
    # A release with the partitions of the previous one repeats its list; a chain of lists must lead from the
    # first partition to the last.
    listed = listed.unique(["processid", "before", "after", "reason"], keep="first", maintain_order=True)
    chains = (
        listed.group_by("processid", maintain_order=True)
        .agg(
            leads=(pl.col("before").first() == pl.col("split_before").first())
            & (pl.col("after").last() == pl.col("split_after").first())
            & (pl.col("before").slice(1) == pl.col("after").head(pl.len() - 1)).all(),
            reason=pl.col("reason").unique(maintain_order=True).str.join("+"),
        )
        .filter("leads")
        .collect(engine="streaming")
    )
    return moved.join(chains, on="processid", how="left").select("processid", reason=pl.coalesce("reason", unlisted))


class _Parts:
    """The differences, one range of process IDs after the other."""

    def __init__(
        self,
        sides: tuple[ReleaseTables, ReleaseTables],
        fields: Sequence[str],
        affected: pl.DataFrame,
        scratch: Path,
        ranges: int,
    ) -> None:
        self._fields, self._affected, self._scratch, self._ranges = fields, affected, scratch, ranges
        self._packages = [side.packages for side in sides]
        changed = affected.filter("fields").select("processid", "range")
        pictured = affected.filter("images").select("processid", "range")
        self._rows = [
            self._spill(f"rows-{n}", side.rows.select("processid", *_texts(side, fields)), changed)
            for n, side in enumerate(sides)
        ]
        self._images = [self._spill(f"images-{n}", side.images(), pictured) for n, side in enumerate(sides)]
        self._logs = [
            self._spill(f"changes-{n}", side.changes().filter(pl.col("field").is_in(fields)), changed)
            for n, side in enumerate(sides)
        ]

    def _spill(self, name: str, frame: pl.LazyFrame, ids: pl.DataFrame) -> Callable[[int], pl.DataFrame]:
        """Rows of these process IDs, to be read by range; in the scratch folder where there are several."""
        chosen = frame
        if len(ids) <= _FILTERED:
            # The filter is pushed down to the Parquet file, so that the wide columns are read only for these rows.
            chosen = chosen.filter(pl.col("processid").is_in(ids["processid"].implode()))
        chosen = chosen.join(ids.lazy(), on="processid")
        if self._ranges <= 1 or ids.is_empty():
            found = (chosen if len(ids) else chosen.clear()).drop("range").collect(engine="streaming")
            return lambda _: found
        folder = self._scratch / name
        chosen.sink_parquet(
            pl.PartitionBy(folder, key="range", include_key=False), mkdir=True, compression="lz4", engine="streaming"
        )
        empty = frame.clear().collect()

        def read(number: int) -> pl.DataFrame:
            files = sorted((folder / f"range={number}").glob("*.parquet"))
            return read_parquet(files) if files else empty

        return read

    def read(self, number: int) -> pl.DataFrame:
        """`schema.RELEASE_DIFF` of a range, sorted by process ID, kind and field."""
        affected = self._affected.filter(pl.col("range") == number)
        rows, logs, images = ([read(number) for read in sides] for sides in (self._rows, self._logs, self._images))
        found = pl.concat(
            [
                _partitions(affected),
                _values(rows[0], rows[1], logs[0], logs[1], self._fields),
                _images(images[0], images[1], affected, self._packages),
            ]
        )
        kinds = {kind: place for place, kind in enumerate(DIFF_KINDS)}
        places = {name: place for place, name in enumerate(self._fields)}
        order = [
            pl.col("kind").replace_strict(kinds, return_dtype=pl.Int32),
            pl.col("field").replace_strict(places, default=-1, return_dtype=pl.Int32),
        ]
        return RELEASE_DIFF.conform(found.sort("processid", *order, "field"))


def _partitions(affected: pl.DataFrame) -> pl.DataFrame:
    """Records added, removed and moved."""
    kind = (
        pl.when(pl.col("split_before").is_null())
        .then(pl.lit("added"))
        .when(pl.col("split_after").is_null())
        .then(pl.lit("removed"))
        .otherwise(pl.lit("moved"))
    )
    return affected.filter(pl.col("reason").is_not_null()).select(
        "processid",
        kind=kind,
        field=pl.lit("split"),
        before="split_before",
        after="split_after",
        reason="reason",
    )


def _values(
    before: pl.DataFrame, after: pl.DataFrame, log_before: pl.DataFrame, log_after: pl.DataFrame, fields: Sequence[str]
) -> pl.DataFrame:
    """Fields that differ, with their reasons; the frames hold the same process IDs, or none."""
    both = before.join(after, on="processid", suffix=" after", validate="1:1")
    rows = [RELEASE_DIFF.empty().drop("reason")]
    rows += [
        both.filter(pl.col(name).ne_missing(pl.col(f"{name} after"))).select(
            "processid",
            kind=pl.lit("relabelled" if name in RANKS else "changed"),
            field=pl.lit(name),
            before=pl.col(name),
            after=pl.col(f"{name} after"),
        )
        for name in fields
    ]
    logged = pl.concat(rows)
    for side, log in (("before", log_before), ("after", log_after)):
        # The value that was delivered, and the rule that acted last.
        acted = log.group_by("processid", "field").agg(
            pl.col("before").sort_by("step").first().alias(f"raw_{side}"),
            pl.col("rule").sort_by("step").last().alias(f"rule_{side}"),
        )
        logged = logged.join(acted, on=["processid", "field"], how="left").with_columns(
            pl.when(pl.col(f"rule_{side}").is_null()).then(side).otherwise(f"raw_{side}").alias(f"raw_{side}")
        )
    same_raw = pl.col("raw_before").eq_missing(pl.col("raw_after"))
    ruled, was_ruled = pl.col("rule_after").is_not_null(), pl.col("rule_before").is_not_null()
    reason = (
        pl.when(pl.col("field").is_in(_DERIVED))
        .then(pl.lit("derived"))
        .when(same_raw & ruled)
        .then(pl.col("rule_after"))
        .when(same_raw & was_ruled)
        .then("undone:" + pl.col("rule_before"))
        .when(ruled)
        .then("delivered+" + pl.col("rule_after"))
        .otherwise(pl.lit("delivered"))
    )
    found = logged.select("processid", "kind", "field", "before", "after", reason=reason)
    # The code of a country is not logged: it follows the name.
    named = found.filter(pl.col("field") == "country").select("processid", of_name="reason")
    code = pl.when(pl.col("field") == "country_iso").then("of_name")
    return (
        found.join(named, on="processid", how="left", maintain_order="left")
        .with_columns(reason=pl.coalesce(code, "reason"))
        .drop("of_name")
    )


def _images(
    before: pl.DataFrame, after: pl.DataFrame, affected: pl.DataFrame, packages: Sequence[tuple[str, ...]]
) -> pl.DataFrame:
    """Images of either release whose sums differ."""
    joined = before.join(after, on=["processid", "package"], how="full", suffix="_after", coalesce=True).filter(
        pl.col("sha256").ne_missing(pl.col("sha256_after"))
    )
    joined = joined.join(affected.select("processid", "split_before", "split_after"), on="processid", how="left")
    added, removed = pl.col("sha256").is_null(), pl.col("sha256_after").is_null()
    kind = pl.when(added).then(pl.lit("image_added")).when(removed).then(pl.lit("image_removed"))
    with_record = (added & pl.col("split_before").is_null()) | (removed & pl.col("split_after").is_null())
    with_package = (added & ~pl.col("package").is_in(packages[0])) | (removed & ~pl.col("package").is_in(packages[1]))
    reason = (
        pl.when(~added & ~removed)
        .then(pl.lit("bytes"))
        .when(with_record)
        .then(pl.lit("with_record"))
        .when(with_package)
        .then(pl.lit("package"))
        .otherwise(pl.lit("image"))
    )
    return joined.select(
        "processid",
        kind=kind.otherwise(pl.lit("image_changed")),
        field="package",
        before="sha256",
        after="sha256_after",
        reason=reason,
    )


class _Counts:
    """Sums over the parts: they hold different process IDs."""

    _values = ("kind", "field", "before", "after", "reason")
    _reasons = ("kind", "field", "reason")

    def __init__(self) -> None:
        empty = RELEASE_DIFF.empty().with_columns(rows=pl.lit(0, pl.Int64))
        self._sums = {by: empty.select(*by, "rows") for by in (self._values, self._reasons)}
        self._records: dict[str, int] = {}

    def add(self, part: pl.DataFrame) -> None:
        for kind, ids in part.group_by("kind").agg(pl.col("processid").n_unique()).iter_rows():
            self._records[kind] = self._records.get(kind, 0) + ids
        for by, known in self._sums.items():
            chosen = part if by is self._reasons else part.filter(pl.col("kind").is_in(("moved", "relabelled")))
            fresh = chosen.group_by(by).agg(rows=pl.len().cast(pl.Int64))
            self._sums[by] = pl.concat([known, fresh]).group_by(by).agg(pl.col("rows").sum())

    def total(self, fields: Sequence[str]) -> tuple[dict[str, int], pl.DataFrame, pl.DataFrame]:
        kinds = {kind: place for place, kind in enumerate(DIFF_KINDS)}
        places = {name: place for place, name in enumerate(fields)}
        order: list[pl.Expr] = [
            pl.col("kind").replace_strict(kinds, return_dtype=pl.Int32),
            pl.col("field").replace_strict(places, default=-1, return_dtype=pl.Int32),
            pl.col("field"),
            -pl.col("rows"),
        ]
        values = self._sums[self._values].sort(*order, "before", "after", "reason", nulls_last=True)
        reasons = self._sums[self._reasons].sort(*order, "reason")
        return {kind: self._records[kind] for kind in DIFF_KINDS if kind in self._records}, reasons, values


def write_diff(
    before: ReleaseTables,
    after: ReleaseTables,
    output: Path,
    progress: Progress = silent,
    *,
    records_per_range: int = _RANGE,
) -> Difference:
    """Compare two releases and write every difference to a file, atomically.

    Args:
        before: the first.
        after: the second.
        output: `.parquet` (`schema.RELEASE_DIFF`) or `.csv` (the same, with `'` before formula-like texts).
        progress: receives the number of records compared.
        records_per_range: records that are in memory at a time; no effect on results.

    Raises:
        SourceError: the output has another ending, or a file of a release is damaged.
    """
    if output.suffix not in {".csv", ".parquet"}:
        raise SourceError(f"--output {output} ends in neither .csv nor .parquet; name it accordingly")
    between = moves_between(before, after)
    with atomic_file(output) as stream:
        if output.suffix == ".csv":
            stream.write(",".join(RELEASE_DIFF.names()).encode() + b"\n")
            return compare(
                before,
                after,
                lambda part: escape_formulas(part).write_csv(stream, include_header=False),
                progress,
                between=between,
                records_per_range=records_per_range,
            )
        with pq.ParquetWriter(stream, RELEASE_DIFF.arrow(), compression="zstd") as writer:
            return compare(
                before,
                after,
                lambda part: writer.write_table(part.to_arrow().cast(RELEASE_DIFF.arrow()), row_group_size=_GROUP),
                progress,
                between=between,
                records_per_range=records_per_range,
            )
