"""The part of a corpus that is written: its doubts, with every specimen that their pages show.

Belongs here: which specimens and taxa that are. Does not belong here: the files in which they are written (`export`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from bioscan_etl.decisions.vocabulary import BARCODE_OF
from bioscan_etl.desk.corpus import OF_ROW, Corpus
from bioscan_etl.errors import SourceError
from bioscan_etl.vocabulary import RANKS

SEVERAL = ("conflict", "typo", "species", "duplicate")
GROUPS = ("conflict", "species")
"""Kinds of doubts about several specimens, which have a page with their evidence; and those about a group of them."""
REPORT = "report"
"""Kind of the doubts that users' reports are."""
_MEMBERS = 60
_LARGEST_TAXON = 2_000
"""Specimens of a taxon that is written; of larger ones the desk has the page."""
_COLUMNS = tuple(
    dict.fromkeys(
        (
            *("processid", "batch", "gates", "sha256", "dhash", "identification_method", "area_fraction", "exposure"),
            *(*RANKS, *(f"{rank}_verbatim" for rank in RANKS), *OF_ROW),
        )
    )
)
_NONE_ALIKE = pl.DataFrame(schema={"named": pl.String, "processid": pl.String})


@dataclass(slots=True)
class Excerpt(Corpus):
    """A corpus of a few doubts, and of the specimens that they are about.

    Attributes:
        chosen: the doubts, as of `Corpus.doubts`.
        held: `_COLUMNS` of the specimens, sorted by process ID.
        labels: process ID, taxon and ranks of those that are accepted, sorted by process ID.
        same: `Corpus.same_barcodes` of those that name a group.
        named: name and version of the corpus.
    """

    chosen: pl.DataFrame | None = None
    held: pl.DataFrame | None = None
    labels: pl.DataFrame | None = None
    same: pl.DataFrame = field(default_factory=lambda: _NONE_ALIKE)
    named: tuple[str, str] = ("", "")

    def title(self) -> str:
        """What the corpus is called."""
        return self.named[0]

    def version(self) -> str:
        """Identifies the run whose doubts are written."""
        return self.named[1]

    def doubts(self) -> pl.DataFrame:
        """The doubts."""
        assert self.chosen is not None
        return self.chosen

    def specimens(self) -> pl.LazyFrame:
        """The specimens."""
        assert self.held is not None
        return self.held.lazy()

    def curated(self) -> pl.LazyFrame:
        """Their labels."""
        assert self.labels is not None
        return self.labels.lazy()

    def with_ids(self, processids: Sequence[str]) -> pl.LazyFrame:
        """The specimens that have one of some process IDs."""
        assert self.held is not None
        return _found(self.held, processids)

    def labels_of(self, processids: Sequence[str]) -> pl.LazyFrame:
        """The labels of some process IDs."""
        assert self.labels is not None
        return _found(self.labels, processids)

    def of_batch(self, batch: str) -> Excerpt:
        """The doubts about specimens of a batch, with all specimens."""
        return replace(self, chosen=about(self.doubts(), self.specimens(), batch))


def _found(frame: pl.DataFrame, processids: Sequence[str]) -> pl.LazyFrame:
    """Rows of a frame sorted by process ID, by binary search."""
    wanted = pl.Series("processid", processids, pl.String).drop_nulls().unique().sort()
    places = frame["processid"].search_sorted(wanted)
    inside = places < frame.height
    places, wanted = places.filter(inside), wanted.filter(inside)
    there = places.filter(frame["processid"].gather(places) == wanted)
    return frame[there].lazy()


def about(doubts: pl.DataFrame, specimens: pl.LazyFrame, batch: str) -> pl.DataFrame:
    """The doubts about a batch, or about a group with a specimen of it."""
    own = specimens.filter(pl.col("batch") == batch).select("processid").collect()
    members = doubts.select("id", processid="members").explode("processid").drop_nulls("processid")
    with_own = members.join(own, on="processid", how="semi")["id"].unique().implode()
    return doubts.filter((pl.col("batch") == batch) | pl.col("id").is_in(with_own))


def excerpt(corpus: Corpus, batch: str | None, taxa: Sequence[tuple[str, str]], *, is_public: bool) -> Excerpt:
    """The doubts of a corpus with every specimen that their pages show.

    Args:
        corpus: the corpus.
        batch: only doubts about specimens of this batch; None: all.
        taxa: rank and name of the taxa that have a page.
        is_public: leave out what users wrote of specimens.

    Raises:
        SourceError: no doubt is about the batch.
    """
    doubts = corpus.doubts()
    if batch is not None:
        doubts = about(doubts, corpus.specimens(), batch)
        if doubts.is_empty():
            raise SourceError(
                f"no doubt of the last run is about batch {batch!r}; bioscan-etl status lists the batches"
            )
    if is_public:
        doubts = doubts.with_columns(why=pl.when(pl.col("kind") != REPORT).then("why"))
    shown = pl.concat([doubts["shown"], doubts["members"].list.head(_MEMBERS).explode()]).drop_nulls().unique()
    # Images that are alike: all of them have a flag.
    alike = pl.col("flags").list.contains("EXACT_DUPLICATE_IMAGE") | pl.col("flags").list.contains(
        "NEAR_DUPLICATE_IMAGE"
    )
    own = _members(corpus, taxa)
    wanted = pl.col("processid").is_in(shown.implode()) | pl.col("processid").is_in(own.implode()) | alike
    bins, of_barcode = _groups(doubts)
    # A decision about a group counts all of its specimens.
    same = corpus.same_barcodes(of_barcode.to_list()) if len(of_barcode) else _NONE_ALIKE
    wanted |= pl.col("dna_bin").is_in(bins.implode()) | pl.col("processid").is_in(same["processid"].unique().implode())
    held = _sorted(corpus.specimens().filter(wanted | _spelt(doubts)).select(_COLUMNS))
    labels = _sorted(
        corpus.curated()
        .select("processid", "taxon", *RANKS)
        .join(held.lazy().select("processid"), on="processid", how="semi", maintain_order="left")
    )
    named = (corpus.title(), corpus.version())
    return Excerpt(
        corpus.lake, corpus.settings, corpus.curator, chosen=doubts, held=held, labels=labels, same=same, named=named
    )


def _sorted(frame: pl.LazyFrame) -> pl.DataFrame:
    """A table sorted by process ID; one that is, as those of a run are, is not copied."""
    found = frame.collect(engine="streaming")
    return found if found["processid"].is_sorted() else found.sort("processid")


def _spelt(doubts: pl.DataFrame) -> pl.Expr:
    """Specimens with a name that is likely misspelt, or with the likely right one."""
    names = doubts.filter(pl.col("kind") == "typo").select("rank", name=pl.concat_list("name", "proposed"))
    return pl.any_horizontal(
        pl.lit(value=False),
        *(
            pl.col(rank).is_in(own["name"].explode().drop_nulls().unique().implode())
            for (rank,), own in names.group_by("rank", maintain_order=True)
        ),
    )


def _groups(doubts: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """BINs whose labels are in doubt, and a specimen of each barcode whose labels are."""
    groups = doubts.filter(pl.col("kind").is_in(GROUPS))["group"].drop_nulls().unique()
    is_barcode = groups.str.starts_with(BARCODE_OF)
    return groups.filter(~is_barcode), groups.filter(is_barcode).str.strip_prefix(BARCODE_OF)


def _members(corpus: Corpus, taxa: Sequence[tuple[str, str]]) -> pl.Series:
    """Process IDs of the specimens of taxa."""
    if not taxa:
        return pl.Series("processid", [], pl.String)
    chosen = pl.DataFrame(list(taxa), schema={"rank": pl.String, "name": pl.String}, orient="row")
    of_taxa = pl.any_horizontal(
        pl.col(rank).is_in(own["name"].implode()) for (rank,), own in chosen.group_by("rank", maintain_order=True)
    ).fill_null(value=False)
    parts = [frame.filter(of_taxa).select("processid") for frame in (corpus.curated(), corpus.specimens())]
    return pl.concat(parts).unique().collect(engine="streaming")["processid"]


def doubted_taxa(corpus: Corpus, doubts: pl.DataFrame, most: int) -> list[tuple[str, str]]:
    """Rank and name of the taxa with most doubts, each at its deepest rank, and none above `_LARGEST_TAXON`.

    Args:
        corpus: the corpus.
        doubts: those that are open, as of `Corpus.doubts`.
        most: number of taxa.
    """
    counts = doubts["label_made"].drop_nulls().value_counts().sort("count", "label_made", descending=[True, False])
    names = counts["label_made"].head(4 * most)
    if names.is_empty():
        return []
    deepest: dict[str, tuple[str, int]] = {}
    for rank in reversed(RANKS):
        left = names.filter(~names.is_in(list(deepest)))
        found = corpus.curated().filter(pl.col(rank).is_in(left.implode())).group_by(rank).len()
        deepest |= {name: (rank, count) for name, count in found.collect(engine="streaming").iter_rows()}
    return [(deepest[name][0], name) for name in names if name in deepest and deepest[name][1] <= _LARGEST_TAXON][:most]


def first_shown(corpus: Excerpt, states: pl.DataFrame) -> pl.Series:
    """Specimens whose doubts are listed, the most important first: pictures and details are written for the first ones.

    Those of open doubts come first, then those of doubts about images, then those with an image. Of the same worth,
    every batch has its turn.

    Args:
        corpus: the doubts.
        states: the same rows with their state.
    """
    worth = ["is_open", "is_image", "has_image"]
    pictured = corpus.specimens().filter(can_be_shown()).select("processid").collect()["processid"]
    return (
        corpus.doubts()
        .select(
            *("shown", "batch"),
            is_open=states["state"] != "decided",
            is_image=pl.col("kind") == "image",
            has_image=pl.col("shown").is_in(pictured.implode()),
        )
        .drop_nulls("shown")
        .sort(worth, descending=True, maintain_order=True)
        .unique("shown", keep="first", maintain_order=True)
        .with_columns(turn=pl.int_range(pl.len()).over("batch", *worth))
        .sort(*worth, "turn", descending=[True, True, True, False], maintain_order=True)["shown"]
    )


def can_be_shown() -> pl.Expr:
    """Whether a specimen has an image that could be read."""
    return pl.col("image_file").is_not_null() & (pl.col("image_status") != "unreadable").fill_null(value=True)
