"""Labels that curators decide: spellings that are merged or kept before the rules, and labels that are set after them.

Belongs here: applying `merge`, `keep` of a name, and `relabel`. Does not belong here: the form of a line
(`bioscan_etl.decisions`), and the rules (`typos`, `conflicts`, `lineage`).

A line that would make the labels inconsistent is left out and listed; the others apply.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bioscan_etl.decisions.reasons import line_reason
from bioscan_etl.decisions.vocabulary import BARCODE_OF, keeps_spelling
from bioscan_etl.schema import DECISION_EFFECTS
from bioscan_etl.taxonomy.changes import LOG, NOTES, differences
from bioscan_etl.taxonomy.invariants import Breach, label_breaches
from bioscan_etl.taxonomy.lineage import species_of
from bioscan_etl.vocabulary import MERGED, RANKS, RELABELLED

_RENAMED_WITH = {"genus": ("species",), "species": ("genus",)}
_GAP = "clear the ranks below too, or give them a label"
_ADVICE = {
    "INVARIANT_BARCODE_LABELS": "its barcode has other records: decide on them all, with the group barcode:PROCESSID",
    "INVARIANT_LINEAGE": f"a name must have one parent and no gap above it: decide on the ranks above too; {_GAP}",
}


@dataclass(frozen=True, slots=True)
class Merged:
    """Labels after spellings were merged.

    Attributes:
        labels: `row`, `group` and the ranks.
        log: `changes.LOG`.
        effects: `schema.DECISION_EFFECTS`.
    """

    labels: pl.DataFrame
    log: pl.DataFrame
    effects: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Labels after curators set some.

    Attributes:
        labels: `row` and the ranks.
        log: `changes.LOG`.
        cells: `row`, `field` and the `id` of the line that set the label.
        effects: `schema.DECISION_EFFECTS`.
    """

    labels: pl.DataFrame
    log: pl.DataFrame
    cells: pl.DataFrame
    effects: pl.DataFrame


def kept_spellings(decisions: pl.DataFrame) -> pl.DataFrame:
    """Names that a curator says are spelt rightly: `rank`, `name`."""
    return decisions.filter(keeps_spelling()).select("rank", "name").unique().sort("rank", "name")


def merge_spellings(labels: pl.DataFrame, decisions: pl.DataFrame) -> Merged:
    """Replace names that a curator merged, in all records, before any other rule.

    The species of a merged genus are renamed with it, and the genus of a species that is merged into one of another
    genus. A chain (a to b, b to c) is followed to its end; names that are
    merged in a circle stay as they are.

    Args:
        labels: `row`, `group` and the ranks, normalised.
        decisions: usable lines (`schema.DECISIONS`).
    """
    merges = decisions.filter(pl.col("action") == "merge")
    ends, circles = _ends(merges)
    after, notes, hits = labels, [], []
    for rank in RANKS:
        of_rank = ends.filter(pl.col("rank") == rank)
        if of_rank.is_empty():
            continue
        hit = after.join(of_rank.select("id", "to", "evidence", pl.col("name").alias(rank)), on=rank, how="inner")
        new = _renamed(hit, rank).sort("row")
        notes += [
            hit.select(key="row", field=pl.lit(field), rule=pl.lit(MERGED), evidence="evidence")
            for field in dict.fromkeys((rank, *_RENAMED_WITH.get(rank, ())))
        ]
        hits.append(hit.group_by("id").agg(specimens=pl.len().cast(pl.Int64)))
        after = after.update(new.select("row", *RANKS), on="row", how="left", include_nulls=True)
    told = pl.concat([pl.DataFrame(schema=NOTES), *(note.cast(NOTES) for note in notes)])
    # The last merge of a cell says why.
    log = differences(labels, after, told.unique(["key", "field"], keep="last", maintain_order=True), "row")
    counted = pl.concat([pl.DataFrame(schema={"id": pl.String, "specimens": pl.Int64}), *hits])
    effects = (
        merges.select("id")
        .join(counted, on="id", how="left", maintain_order="left")
        .with_columns(pl.col("specimens").fill_null(0))
        .with_columns(
            status=pl.when(pl.col("id").is_in(circles.implode()))
            .then(pl.lit("left_out"))
            .when(pl.col("specimens") > 0)
            .then(pl.lit("applied"))
            .otherwise(pl.lit("dormant")),
            detail=pl.when(pl.col("id").is_in(circles.implode()))
            .then(pl.lit("these names are merged in a circle"))
            .when(pl.col("specimens") == 0)
            .then(pl.lit("no accepted specimen carries the name")),
        )
    )
    return Merged(after, log.cast(LOG), DECISION_EFFECTS.conform(effects))


def _renamed(hit: pl.DataFrame, rank: str) -> pl.DataFrame:
    """Labels after `rank` became `to`, with what is named after it."""
    if rank == "genus":
        hit = hit.with_columns(species=species_of(pl.col("to"), pl.col("genus")))
    elif rank == "species":
        words = (pl.col(name).str.split(" ").list.first() for name in ("species", "to"))
        before, after = words
        hit = hit.with_columns(genus=pl.when(pl.col("genus") == before).then(after).otherwise("genus"))
    return hit.with_columns(pl.col("to").alias(rank))


def _ends(merges: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """`id`, `rank`, `name`, `to` (the end of the chain), `evidence`; and the ids of lines in a circle."""
    steps = {(rank, name): to for rank, name, to in merges.select("rank", "name", "value").iter_rows()}
    rows, circles = [], []
    for row in merges.with_columns(evidence=line_reason()).iter_rows(named=True):
        rank, to = row["rank"], row["value"]
        seen = {row["name"]}
        while to not in seen and (rank, to) in steps:
            seen.add(to)
            to = steps[rank, to]
        if to in seen:
            circles.append(row["id"])
        else:
            rows.append((row["id"], rank, row["name"], to, row["evidence"]))
    schema = dict.fromkeys(("id", "rank", "name", "to", "evidence"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row"), pl.Series(circles, dtype=pl.String)


def relabel(labels: pl.DataFrame, identity: pl.DataFrame, decisions: pl.DataFrame) -> Relabelled:
    """Set the labels that curators decided, after all rules.

    A line about a name applies to all records that have that label before any line is applied. If several apply to one
    label of a record, the one about the deepest rank wins; one about a BIN wins over these, one about a barcode over
    that, and one about the specimen over all.

    Args:
        labels: `row` and the ranks, in process ID order.
        identity: `row`, `processid`, `barcode` (a number for each barcode) and `dna_bin`.
        decisions: usable lines.
    """
    lines = decisions.filter(pl.col("action") == "relabel").with_columns(why=line_reason())
    left: dict[str, str] = {}
    while True:
        chosen = lines.filter(~pl.col("id").is_in(list(left)))
        cells = _cells(labels, identity, chosen)
        after = _with_cells(labels, cells)
        breaking = _breaking(after, cells, identity)
        if not breaking:
            break
        left |= breaking
    log = differences(labels, after, _notes(cells, chosen), "row").cast(LOG)
    counts = cells.group_by("id").agg(specimens=pl.len().cast(pl.Int64))
    said = pl.DataFrame(
        {"id": list(left), "why_not": list(left.values())}, schema={"id": pl.String, "why_not": pl.String}
    )
    effects = (
        lines.select("id")
        .join(counts, on="id", how="left", maintain_order="left")
        .join(said, on="id", how="left", maintain_order="left")
        .with_columns(pl.col("specimens").fill_null(0))
        .with_columns(
            status=pl.when(pl.col("why_not").is_not_null())
            .then(pl.lit("left_out"))
            .when(pl.col("specimens") > 0)
            .then(pl.lit("applied"))
            .otherwise(pl.lit("dormant")),
            detail=pl.coalesce(
                "why_not",
                pl.when(pl.col("specimens") == 0).then(
                    pl.lit("no accepted specimen is concerned, or a more specific line applies instead")
                ),
            ),
        )
    )
    return Relabelled(
        after, log, cells.select("row", "field", "id").sort("row", "field"), DECISION_EFFECTS.conform(effects)
    )


def _cells(labels: pl.DataFrame, identity: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The labels to set: `row`, `field`, `value`, `id`; one row per label."""
    columns = ["id", "field", "value"]
    found = [pl.DataFrame(schema={"row": pl.UInt32, **dict.fromkeys(columns, pl.String), "depth": pl.Int32})]
    if lines.is_empty():
        return found[0]

    def add(hits: pl.DataFrame, depth: int) -> None:
        found.append(hits.select("row", *columns, depth=pl.lit(depth, pl.Int32)))

    for depth, rank in enumerate(RANKS):
        named = lines.filter(pl.col("rank") == rank).select(*columns, pl.col("name").alias(rank))
        add(labels.select("row", rank).join(named, on=rank, how="inner"), depth)
    group = pl.col("group")
    of_barcode = group.str.starts_with(BARCODE_OF)
    bins = lines.filter(group.is_not_null() & ~of_barcode).select(*columns, dna_bin="group")
    add(identity.select("row", "dna_bin").join(bins, on="dna_bin", how="inner"), len(RANKS))
    members = lines.filter(of_barcode).select(*columns, processid=group.str.strip_prefix(BARCODE_OF))
    named = members.join(identity.select("processid", "barcode"), on="processid", how="inner")
    barcodes = named.filter(pl.col("barcode").is_not_null()).drop("processid")
    add(identity.select("row", "barcode").join(barcodes, on="barcode", how="inner"), len(RANKS) + 1)
    own = lines.filter(pl.col("processid").is_not_null()).select(*columns, "processid")
    add(identity.select("row", "processid").join(own, on="processid", how="inner"), len(RANKS) + 2)
    # Two groups of one barcode, named by two of its specimens, are the one case in which two lines are left.
    order = pl.concat(found).sort("row", "field", "depth", "id")
    return order.unique(["row", "field"], keep="last", maintain_order=True)


def _with_cells(labels: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    after = labels
    for rank in RANKS:
        chosen = cells.filter(pl.col("field") == rank)
        if chosen.height:
            after = (
                after.join(chosen.select("row", "value", hit=pl.lit(True)), on="row", how="left", maintain_order="left")
                .with_columns(pl.when("hit").then("value").otherwise(rank).alias(rank))
                .drop("value", "hit")
            )
    return after


def _notes(cells: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    told = cells.join(lines.select("id", "why"), on="id", how="left", maintain_order="left")
    return told.select(key="row", field="field", rule=pl.lit(RELABELLED), evidence="why").cast(NOTES)


def _breaking(after: pl.DataFrame, cells: pl.DataFrame, identity: pl.DataFrame) -> dict[str, str]:
    """Why a line cannot apply, by its id: the lines whose labels contradict those of other records or ranks."""
    if cells.is_empty():
        return {}
    breaches = label_breaches(after.join(identity.select("row", "processid", "barcode"), on="row", how="left"))
    found: dict[str, str] = {}
    for breach in breaches:
        found |= dict.fromkeys(_culprits(breach, cells, identity), f"{breach.detail}; {_ADVICE[breach.rule]}")
    return found


def _culprits(breach: Breach, cells: pl.DataFrame, identity: pl.DataFrame) -> list[str]:
    """Ids of the lines that set one of the labels that disagree; otherwise of the nearest ones."""
    at = RANKS.index(breach.rank)
    near = pl.col("field").is_in(RANKS[max(at - 1, 0) : at + 2])
    concerned = pl.col("processid").is_in(breach.processids)
    placed = cells.join(identity.select("row", "processid"), on="row")
    tries = (placed.filter(concerned & near), placed.filter(concerned), placed.filter(near), placed)
    return next(found["id"].unique().sort().to_list() for found in tries if found.height)
