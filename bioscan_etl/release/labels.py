"""`labels/`: the class vocabulary of a release, whose indices outlive it.

Belongs here: which index a label has, its parent, its specimens per partition, and the files that state it. Every form
takes its indices from these files. Does not belong here: whether the files of a release are right
(`release.check.label_indices`).

Rules:

1. A label is its name at its rank. Genera and species can be homonyms: there its order belongs to it (spec: taxonomy,
   ranks).
2. A first release numbers the labels of a rank from 0: those of train first, then those of `_PRECEDENCE`, each by name.
3. A later release keeps the index of every label of the release before, and appends new labels in the same order. A
   label that no specimen has any more stays with its last parent, so that no index is given twice. If it comes back, it
   has its index again.
4. A renamed label is an old one that no specimen has, and a new one. A label whose parent changes keeps its index. So
   does a genus or species that moves to another order, if it has no homonym.

    labels/<rank>.csv       `schema.LABELS`, by index
    labels/hierarchy.csv    `schema.LABEL_HIERARCHY`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import InvariantError, LakeError, SettingsError
from bioscan_etl.io.tables import read_csv, scan_parquet
from bioscan_etl.release.layout import LABELS
from bioscan_etl.release.rows import data_files
from bioscan_etl.release.tables import write_csv
from bioscan_etl.release.versions import versions

HIERARCHY = f"{LABELS}/hierarchy.csv"
NO_INDEX = -1
"""The index of a missing label."""

Vocabulary = Mapping[str, pl.DataFrame]
"""By rank: the columns of `schema.LABELS`, sorted by index, and `order`, the label's order where it distinguishes."""

WITHIN_ORDER = ("genus", "species")
"""Ranks whose labels are told apart by their order, too."""

# Published recipes number the species of train from 0. The partitions after it, in the order of their files.
_PRECEDENCE = ("train", "val", "test", "test_unseen", "other_heldout", "pretrain")
# There a specimen without a species is in no file of a recipe, and its labels come last.
_WITH_SPECIES = ("train", "val", "test", "test_unseen")
_UPPER: Mapping[str, str | None] = {vocabulary.RANKS[0]: None} | {low: up for up, low in pairwise(vocabulary.RANKS)}
_KEY = ("label", "order")


def path_of(rank: str) -> str:
    """Path of the file of a rank within a release."""
    return f"{LABELS}/{rank}.csv"


def label_tables() -> dict[str, schema.Table]:
    """The files of `labels/` and their tables."""
    return {path_of(rank): schema.LABELS for rank in vocabulary.RANKS} | {HIERARCHY: schema.LABEL_HIERARCHY}


def lineages(rows: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Distinct rows of `split` and the ranks, with the number of their `specimens`."""
    distinct = rows.lazy().group_by("split", *vocabulary.RANKS).agg(specimens=pl.len().cast(pl.Int64))
    return distinct.collect(engine="streaming")


def vocabulary_of(found: pl.DataFrame, earlier: Vocabulary | None = None) -> dict[str, pl.DataFrame]:
    """The labels of all ranks with their indices.

    Args:
        found: `lineages` of the released specimens. A label has a label at each rank above.
        earlier: the labels of the release before; None for a first one.

    Returns:
        The vocabulary; rows of a rank have the indices 0 to their number less one.

    Raises:
        InvariantError: a lineage has a gap.
    """
    made: dict[str, pl.DataFrame] = {}
    for rank, upper in _UPPER.items():
        here = found.filter(pl.col(rank).is_not_null())
        if upper is not None and here[upper].null_count():
            name = here.filter(pl.col(upper).is_null())[rank].min()
            raise InvariantError(f"the {rank} {name!r} has no {upper}; a class needs a parent at each rank above")
        current = _parents(_counted(here, rank), upper, made)
        before = _BLANK if earlier is None else earlier[rank]
        known = _known(current, before)
        fresh = current.join(known, on=_KEY, how="anti", nulls_equal=True).sort("place", *_KEY, nulls_last=True)
        fresh = fresh.select(*_KEY, index=pl.int_range(pl.len(), dtype=pl.Int64) + before.height)
        listed = current.join(pl.concat([known, fresh]), on=_KEY, how="inner", nulls_equal=True, validate="1:1")
        gone = before.join(listed, on="index", how="anti").with_columns(
            pl.lit(0, pl.Int64).alias(split) for split in vocabulary.SPLITS
        )
        made[rank] = pl.concat(part.select(_COLUMNS) for part in (listed, gone)).sort("index")
    return made


_COLUMNS = (*schema.LABELS.names(), "order")
_BLANK = schema.LABELS.empty().with_columns(order=pl.lit(None, pl.String))


def _counted(here: pl.DataFrame, rank: str) -> pl.DataFrame:
    """Labels of a rank: label, order, parent, place in the numbering, specimens per partition."""
    ranked = {split: number for number, split in enumerate(_PRECEDENCE)}
    last = len(_PRECEDENCE)
    place = pl.col("split").replace_strict(ranked, default=last, return_dtype=pl.Int8)
    unlisted = pl.col("species").is_null() & pl.col("split").is_in(_WITH_SPECIES)
    upper = _UPPER[rank]
    return (
        here.with_columns(
            label=rank,
            order=pl.col("order") if rank in WITHIN_ORDER else pl.lit(None, pl.String),
            parent=pl.lit(None, pl.String) if upper is None else pl.col(upper),
            place=pl.when(unlisted).then(pl.lit(last, pl.Int8)).otherwise(place),
        )
        .with_columns(weight=pl.col("specimens").sum().over("label", "order", "parent"))
        .group_by(_KEY)
        .agg(
            # One parent each, unless a rewrite for the CSV makes two labels the same: then the more frequent one.
            pl.col("parent").sort_by("weight", "parent", descending=[True, False]).first(),
            pl.col("place").min(),
            *(pl.col("specimens").filter(pl.col("split") == split).sum().alias(split) for split in vocabulary.SPLITS),
        )
    )


def _parents(labels: pl.DataFrame, upper: str | None, made: Vocabulary) -> pl.DataFrame:
    """Labels with `parent_index`."""
    if upper is None:
        return labels.with_columns(parent_index=pl.lit(NO_INDEX, pl.Int64))
    of_parent = pl.col("order") if upper in WITHIN_ORDER else pl.lit(None, pl.String)
    parents = _listed(made[upper]).select(parent="label", parent_order="order", parent_index="index")
    keyed = labels.with_columns(parent_order=of_parent)
    return keyed.join(parents, on=["parent", "parent_order"], how="left", nulls_equal=True, validate="m:1")


def _known(current: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Label, order and index of the current labels that the release before has."""
    known = _listed(before).select(*_KEY, "index")
    same = current.select(_KEY).join(known, on=_KEY, how="inner", nulls_equal=True)
    # A name whose order changed, if no homonym leaves a doubt which of them it is.
    left = [frame.join(same, on=_KEY, how="anti", nulls_equal=True) for frame in (current.select(_KEY), known)]
    now, then = (frame.filter(pl.col("label").is_unique()) for frame in left)
    moved = now.join(then.select("label", "index"), on="label", how="inner")
    return pl.concat([same, moved.select(*_KEY, "index")])


def _listed(labels: pl.DataFrame) -> pl.DataFrame:
    """Labels of a rank, each once: an old homonym may come to lie in the order of one that has specimens."""
    listed = labels.sort(pl.sum_horizontal(vocabulary.SPLITS) == 0, "index")
    return listed.unique(_KEY, keep="first", maintain_order=True)


def hierarchy(labels: Vocabulary) -> pl.DataFrame:
    """`schema.LABEL_HIERARCHY` of all labels that are no label's parent, sorted by rank and index.

    Labels that no specimen has any more are there, too: a model of an earlier release has outputs for them.
    """
    chains: list[pl.DataFrame] = []
    for number, rank in enumerate(vocabulary.RANKS):
        below = vocabulary.RANKS[number + 1 : number + 2]
        parents = labels[below[0]].select(index="parent_index") if below else labels[rank].select("index").clear()
        chain = labels[rank].join(parents, on="index", how="anti").select(pl.col("index").alias(f"{rank}_index"))
        for upper, lower in reversed(list(pairwise(vocabulary.RANKS[: number + 1]))):
            above = labels[lower].select(
                pl.col("index").alias(f"{lower}_index"), pl.col("parent_index").alias(f"{upper}_index")
            )
            chain = chain.join(above, on=f"{lower}_index", how="left", maintain_order="left")
        chains.append(chain.sort(f"{rank}_index"))
    columns = schema.LABEL_HIERARCHY.names()
    return pl.concat(chains[::-1], how="diagonal").select(pl.col(columns).fill_null(NO_INDEX))


def with_indices(rows: pl.DataFrame, labels: Vocabulary, ranks: Sequence[str] = vocabulary.RANKS) -> pl.DataFrame:
    """Rows with a column `<rank>_index` (int64, `NO_INDEX` if missing) for each of some ranks, in order.

    Args:
        rows: the ranks, and `order`.
        labels: the vocabulary.
        ranks: those wanted.
    """
    for rank in ranks:
        name, index = _listed(labels[rank]), f"{rank}_index"
        # Null orders are equal, null labels are none.
        keyed = rows.with_columns(_order=pl.col("order") if rank in WITHIN_ORDER else pl.lit(None, pl.String))
        known = name.select(pl.col("label").alias(rank), pl.col("order").alias("_order"), pl.col("index").alias(index))
        joined = keyed.join(known, on=[rank, "_order"], how="left", nulls_equal=True, maintain_order="left")
        rows = joined.drop("_order").with_columns(pl.col(index).fill_null(NO_INDEX))
    return rows


def write_labels(labels: Vocabulary, tree: Path) -> None:
    """Write the files below a release's folder."""
    for rank in vocabulary.RANKS:
        write_csv(schema.LABELS.conform(labels[rank].select(schema.LABELS.names())), tree / path_of(rank))
    write_csv(schema.LABEL_HIERARCHY.conform(hierarchy(labels)), tree / HIERARCHY)


def read_labels(tree: Path) -> dict[str, pl.DataFrame]:
    """The vocabulary of a release, from its files.

    Raises:
        LakeError: a file is missing or damaged, or its indices are not 0 to their number less one.
    """
    read = {}
    for rank in vocabulary.RANKS:
        path = tree / path_of(rank)
        try:
            # Labels are never quoted; a text that looks like a number is a label.
            read[rank] = read_csv(path, schema=schema.LABELS.schema(), quote_char=None)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise LakeError(f"{path} cannot be read: {str(error).splitlines()[0]}; move that release away") from None
        upper = _UPPER[rank]
        if not sound(read[rank], None if upper is None else read[upper]):
            raise LakeError(f"{path} is damaged: its indices are not those of labels; move that release away")
    return with_order(read)


def sound(labels: pl.DataFrame, above: pl.DataFrame | None) -> bool:
    """Whether the indices of a rank are 0 to their number less one, in order, and its parents are labels.

    Args:
        labels: `schema.LABELS` of a rank.
        above: that of the rank above; None for a phylum.
    """
    dense = labels["index"].equals(pl.int_range(labels.height, eager=True).alias("index"))
    lowest, highest = (NO_INDEX, NO_INDEX) if above is None else (0, above.height - 1)
    return dense and not any(labels.null_count().row(0)) and labels["parent_index"].is_between(lowest, highest).all()


def with_order(read: Vocabulary) -> dict[str, pl.DataFrame]:
    """`schema.LABELS` by rank with the column `order`, found through the parents."""
    found = {rank: labels.with_columns(order=pl.lit(None, pl.String)) for rank, labels in read.items()}
    orders = read["order"].select(parent_index="index", order="label")
    for rank in vocabulary.RANKS[vocabulary.RANKS.index("order") + 1 :]:
        labels = read[rank].join(orders, on="parent_index", how="left", maintain_order="left")
        orders = labels.select(parent_index="index", order="order")
        if rank in WITHIN_ORDER:
            found[rank] = labels
    return found


def labels_before(releases: Path, labels_from: str) -> dict[str, pl.DataFrame] | None:
    """The vocabulary that the next release continues; None if its indices begin anew.

    Args:
        releases: folder of the versions.
        labels_from: folder of a release that a first one continues; empty: none.

    Raises:
        LakeError: the labels of the release before cannot be read.
        SettingsError: `labels_from` is no release.
    """
    found = versions(releases)
    if found:
        return labels_of(found[-1])
    if not labels_from:
        return None
    folder = Path(labels_from)
    if not (folder / LABELS).is_dir() and not any(data_files(folder, split) for split in vocabulary.SPLITS):
        raise SettingsError(f"{labels_from}, given as release.labels_from, is no release: it has no {LABELS}/ or data/")
    return labels_of(folder)


def labels_of(release: Path) -> dict[str, pl.DataFrame]:
    """The vocabulary of a release; one made before there was `labels/` gets the indices that a first release gives.

    Those are the numbers of its BarcodeBERT files, if it has any.

    Raises:
        LakeError: its files cannot be read.
    """
    if (release / LABELS).is_dir():
        return read_labels(release)
    files = [path for split in vocabulary.SPLITS for path in data_files(release, split)]
    try:
        return vocabulary_of(lineages(scan_parquet(files).select("split", *vocabulary.RANKS)))
    except (OSError, pl.exceptions.PolarsError, InvariantError) as error:
        raise LakeError(
            f"{release}/data cannot be read: {str(error).splitlines()[0]}; move that release away"
        ) from None
