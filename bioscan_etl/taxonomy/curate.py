"""Curated labels of the whole corpus.

Belongs here: the order of the steps, and combining their results. Does not belong here: the
steps; each has its module.

normalised -> spellings that curators merged -> typos -> barcode conflicts -> inference from barcode -> (BIN conflicts,
inference from BIN) -> genus from binomial -> one lineage per name, filling upward -> filler ->
labels that curators set.

After the inference, records of one barcode have the same labels. Each later step is a function of
the labels, so they remain equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from bioscan_etl.barcodes.numbering import identity_keys, same_barcode
from bioscan_etl.decisions.vocabulary import keeps_spelling
from bioscan_etl.progress import Progress, silent
from bioscan_etl.schema import CURATED, DECISION_EFFECTS, DECISIONS
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.specimens.slices import ROW_GROUP, Slice, in_slices, join_by_processid
from bioscan_etl.taxonomy.changes import change_log, differences, name_changes
from bioscan_etl.taxonomy.conflicts import BIN, resolve_conflicts
from bioscan_etl.taxonomy.decided import Relabelled, kept_spellings, merge_spellings, relabel
from bioscan_etl.taxonomy.inference import bin_conflicts, bin_groups, infer_from_barcode, infer_from_bin
from bioscan_etl.taxonomy.lineage import combinations_of, fill_gaps, genus_from_species, one_lineage
from bioscan_etl.taxonomy.report import circular_methods, curation_report
from bioscan_etl.taxonomy.rules import RULES
from bioscan_etl.taxonomy.typos import correct_typos
from bioscan_etl.vocabulary import RANKS

# Counted from species upward; the published column has no number for phylum.
_INFERRED_NUMBER = {rank: number for number, rank in enumerate(reversed(RANKS[1:]), start=1)}


_INFERRED = [f"inferred_{rank}" for rank in RANKS]
# What curation reads of a specimen, in addition to its barcode.
_READ = ["processid", "dna_bin", "identification_method", "flags", *RANKS, *(f"{rank}_verbatim" for rank in RANKS)]
_SET = [*RANKS, "flags", "taxon", "inferred_ranks", *_INFERRED]


@dataclass(frozen=True)
class Curated:
    """The result of `curate`.

    Attributes:
        specimens: the curated specimens.
        labels: `processid`, sorted, and the columns of `schema.CURATED` that curation sets.
        barcodes: of each row of `labels`, the first one that has the same barcode; null for none.
        changes: `schema.CHANGES` of the ranks, from the labels as delivered to the final ones.
        report: counts for the curators' report; JSON-like.
        conflicts: barcodes and BINs without a majority (`conflicts.CONFLICTS`).
        typos: fixes and candidates (`typos.TYPOS`).
        effects: what became of the curators' decisions on labels (`schema.DECISION_EFFECTS`).
    """

    specimens: pl.LazyFrame
    labels: pl.DataFrame
    barcodes: pl.Series
    changes: pl.DataFrame
    report: dict[str, Any]
    conflicts: pl.DataFrame
    typos: pl.DataFrame
    effects: pl.DataFrame

    @cached_property
    def frame(self) -> pl.DataFrame:
        """`schema.CURATED`, sorted by process ID, in memory: for corpora that fit."""
        return self.lazy().collect()

    def lazy(self, progress: Progress = silent) -> pl.LazyFrame:
        """`schema.CURATED`, sorted by process ID, joined while it is read, for streaming into a file."""

        def within(part: Slice) -> pl.DataFrame:
            wide = self.specimens.filter(part.condition).drop(RANKS, "flags").collect()
            return join_by_processid(
                wide if wide["processid"].is_sorted() else wide.sort("processid"), part.of(self.labels)
            )

        return in_slices(CURATED, self.labels["processid"], within, progress, ROW_GROUP)


def curate(
    specimens: pl.DataFrame | pl.LazyFrame, settings: TaxonomySettings, decisions: pl.DataFrame | None = None
) -> Curated:
    """Give every specimen its final labels, and log every change (spec: taxonomy).

    A label counts as inferred if the record has no label at that rank after conflicts were resolved and
    the final one comes from records of its barcode or BIN, from its species name, or from the lineage of its
    names. Corrected labels, fillers and curators' labels do not count as inferred.

    Args:
        specimens: accepted specimens with the columns of `schema.SPECIMENS`, in any order; of a lazy frame only
            the columns that curation needs are read.
        settings: thresholds and choices.
        decisions: usable lines of `schema.DECISIONS`, or None. `merge`, `keep` and `relabel` are applied; a line
            that would break the hierarchy, or make the labels of a barcode differ, is left out and listed in
            `Curated.effects`.
    """
    lazy = specimens.lazy()
    frame = _read(lazy)
    bins, processids = frame["dna_bin"], frame["processid"]
    logs = name_changes(frame)
    # From here on, it only counts whether there was a name: numbers take a quarter of the memory of texts.
    frame = frame.with_columns(pl.col(f"{rank}_verbatim").cast(pl.Categorical) for rank in RANKS)
    # Barcodes of one record need no agreement.
    shared = (pl.len().over("barcode") > 1) & pl.col("barcode").is_not_null()
    labels = frame.select("row", *RANKS, group=pl.when(shared).then("barcode"))

    decided = DECISIONS.empty() if decisions is None else decisions
    merged = merge_spellings(labels, decided)
    corrected = correct_typos(merged.labels, bins, settings, kept_spellings(decided))
    resolved = resolve_conflicts(corrected.labels, settings)
    unlabelled = resolved.labels.select(pl.col(RANKS).is_null())
    labels, inferred = infer_from_barcode(resolved.labels, settings.infer_from_barcode)
    logs += [merged.log, corrected.log, resolved.log, inferred]
    of_barcodes, typos, effects = resolved.conflicts, corrected.typos, [merged.effects]
    del merged, corrected, resolved  # the labels of each of them
    conflicts = _with_records(of_barcodes, labels, processids)
    if settings.resolve_in_bin:
        members = labels.with_columns(same_barcode(bin_groups(labels, bins)).alias("group"))
        settled = resolve_conflicts(members, settings, BIN)
        labels = settled.labels.with_columns(labels["group"])
        logs.append(settled.log)
        conflicts = pl.concat([conflicts, _with_records(settled.conflicts, members, processids)])
    if settings.infer_from_bin:
        labels, inferred = infer_from_bin(labels, bins, of_barcodes)
        logs.append(inferred)
    labels, fillers, later = _by_combination(labels, settings)
    logs += later
    split_bins = bin_conflicts(labels, bins)

    applied = relabel(labels, frame.select("row", "processid", "barcode", "dna_bin"), decided)
    logs.append(applied.log)

    changes = change_log(logs, processids)
    effects += [applied.effects, _kept(decided, frame)]
    raised = _raised(frame, logs, split_bins, typos)
    curated = _assembled(frame, unlabelled, applied, fillers, raised)
    report = curation_report(
        curated,
        changes=changes,
        conflicts=conflicts,
        typos=typos,
        split_bins=split_bins,
    )
    labels = curated.select("processid", *_SET)
    return Curated(lazy, labels, curated["barcode"], changes, report, conflicts, typos, pl.concat(effects))


def _read(specimens: pl.LazyFrame) -> pl.DataFrame:
    """What curation needs, sorted by process ID, with `row`; `barcode` is the first row that carries it."""
    keys = identity_keys(pl.col("dna_barcode")).alias("keys")
    frame = specimens.select(*_READ, keys).unnest("keys").collect(engine="streaming")
    frame = frame if frame["processid"].is_sorted() else frame.sort("processid")
    frame = frame.with_row_index("row").with_columns(pl.col("row").cast(pl.UInt32))
    first = pl.col("row").min().over("first_key", "second_key")
    barcode = pl.when(pl.col("first_key").is_not_null()).then(first)
    return frame.with_columns(barcode=barcode).drop("first_key", "second_key")


def _by_combination(
    labels: pl.DataFrame, settings: TaxonomySettings
) -> tuple[pl.DataFrame, pl.DataFrame, list[pl.DataFrame]]:
    """Run the steps that are functions of a record's labels: returns labels, which are fillers, and logs."""
    start = combinations_of(labels)
    # Lazily: only the column that is used is joined.
    joined = labels.lazy().join(start.lazy(), on=RANKS, how="left", nulls_equal=True, maintain_order="left")
    members = joined.select("combination").collect().to_series()
    rows = pl.DataFrame({"combination": members, "row": labels["row"]})
    states = [start]
    logs = []
    named = genus_from_species(start)
    settled = one_lineage(named.combinations, settings)
    filled = fill_gaps(settled.combinations)
    for step in (named, settled, filled):
        log = differences(states[-1].select("combination", *RANKS), step.combinations, step.notes, "combination")
        logs.append(log.join(rows, on="combination", how="inner").drop("combination"))
        states.append(step.combinations)
    final = filled.combinations.select(RANKS)[members]
    filler = settled.combinations.select(RANKS).select(
        (pl.col(rank).is_null() & filled.combinations[rank].is_not_null()).alias(rank) for rank in RANKS
    )[members]
    return labels.select("row", "group").hstack(final), filler, logs


def _kept(decisions: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Effects of the lines that keep a spelling: it has to be there to be kept."""
    kept = decisions.filter(keeps_spelling())
    found = pl.concat([frame.select(rank=pl.lit(rank), name=rank).drop_nulls().unique() for rank in RANKS])
    there = kept.select("id", "rank", "name").join(found, on=["rank", "name"], how="semi")["id"]
    has = pl.col("id").is_in(there.implode())
    effects = kept.select(
        "id",
        status=pl.when(has).then(pl.lit("applied")).otherwise(pl.lit("dormant")),
        specimens=pl.lit(0, pl.Int64),
        detail=pl.when(~has).then(pl.lit("no accepted specimen carries the name")),
    )
    return DECISION_EFFECTS.conform(effects)


def _raised(
    frame: pl.DataFrame, logs: list[pl.DataFrame], split_bins: pl.DataFrame, typos: pl.DataFrame
) -> pl.DataFrame:
    """The rules that apply to each row, as `row` and `rule`; rows may repeat."""
    candidates = typos.filter(~pl.col("fixed"))
    methods = circular_methods(frame["identification_method"])
    is_circular = pl.col("identification_method").is_in(methods.implode())
    return pl.concat(
        [
            *(log.select("row", "rule") for log in logs),
            frame.filter(is_circular).select("row", rule=pl.lit("IDENTIFICATION_CIRCULAR")),
            split_bins.select("row", rule=pl.lit("BIN_CONFLICT")),
            *(
                frame.join(
                    candidates.filter(pl.col("rank") == rank).select(pl.col("from").alias(rank)), on=rank, how="semi"
                ).select("row", rule=pl.lit("NAME_TYPO_CANDIDATE"))
                for rank in candidates["rank"].unique().sort()
            ),
        ]
    )


def _with_flags(frame: pl.DataFrame, raised: pl.DataFrame) -> pl.DataFrame:
    """Add the rules to `flags`, sorted. Builds each list once per distinct set of rules, of which there are few."""
    bits = {rule.id: 1 << number for number, rule in enumerate(RULES)}
    sets = raised.select("row", bit=pl.col("rule").replace_strict(bits, return_dtype=pl.Int64))
    sets = sets.group_by("row").agg(raised=pl.col("bit").bitwise_or())
    before = pl.col("flags").list.join("|").cast(pl.Categorical)
    # Of two columns, not of the whole frame: a join copies what it is given.
    keyed = frame.select("row", before=before).join(sets, on="row", how="left", maintain_order="left").drop("row")
    distinct = keyed.unique()
    merged = [
        sorted({*filter(None, flags.split("|")), *(rule for rule, bit in bits.items() if (raised_bits or 0) & bit)})
        for flags, raised_bits in distinct.rows()
    ]
    table = distinct.with_columns(flags=pl.Series(merged, dtype=pl.List(pl.String)))
    flags = keyed.join(table, on=["before", "raised"], how="left", nulls_equal=True, maintain_order="left")["flags"]
    return frame.with_columns(flags)


def _assembled(
    frame: pl.DataFrame, unlabelled: pl.DataFrame, applied: Relabelled, fillers: pl.DataFrame, raised: pl.DataFrame
) -> pl.DataFrame:
    final = applied.labels
    by_curator = {
        rank: frame["row"].is_in(applied.cells.filter(pl.col("field") == rank)["row"].implode()) for rank in RANKS
    }
    inferred = {
        rank: unlabelled[rank] & final[rank].is_not_null() & ~fillers[rank] & ~by_curator[rank] for rank in RANKS
    }
    number = pl.max_horizontal(
        pl.when(f"inferred_{rank}").then(pl.lit(number, pl.UInt8)).otherwise(pl.lit(0, pl.UInt8))
        for rank, number in _INFERRED_NUMBER.items()
    )
    labelled = (
        frame.with_columns(final.select(RANKS))
        .with_columns(values.alias(f"inferred_{rank}") for rank, values in inferred.items())
        .with_columns(taxon=pl.coalesce(reversed(RANKS)), inferred_ranks=number)
    )
    return _with_flags(labelled, raised)


def _with_records(conflicts: pl.DataFrame, labels: pl.DataFrame, processids: pl.Series) -> pl.DataFrame:
    members = (
        labels.select("group")
        .with_columns(processid=processids)
        .join(conflicts, on="group", how="semi")
        .group_by("group")
        .agg(processids=pl.col("processid").sort())
    )
    return conflicts.join(members, on="group", how="left", maintain_order="left")
