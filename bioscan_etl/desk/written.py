"""What written pages read: images, details and evidence, each as a script or a picture with a number for its name.

Belongs here: these files, and how many there may be. Does not belong here: the pages, and which specimens they are
about (`export`, `excerpt`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.desk.corpus import OF_ROW
from bioscan_etl.desk.evidence import evidence_of
from bioscan_etl.desk.excerpt import GROUPS, SEVERAL, Excerpt, can_be_shown
from bioscan_etl.desk.groups import groups
from bioscan_etl.desk.pictures import Pictures
from bioscan_etl.desk.worklist import PART, as_json
from bioscan_etl.progress import Progress
from bioscan_etl.vocabulary import RANKS

MOST_COMPARED = 2_000
"""Doubts about several specimens that have a page of their own."""
MOST_DETAILED = 50_000
"""Specimens whose details (barcode, place, labels) are written; one takes about 1.5 KB."""
SIZES = ("thumbs", "images")
"""Folders of images; specimens that no doubt is about have a thumbnail alone."""

_MOST_SEEN = 24  # thumbnails of a group
_MOST_LISTED = 200  # process IDs of a group; rejecting more of them is for the desk


def beside(corpus: Excerpt, compared: Sequence[str], sweeps: Sequence[Mapping[str, Any]]) -> pl.Series:
    """Specimens with a thumbnail alone: members of groups, then those of each taxon in turn, the oddest first."""
    chosen = pl.col("id").is_in(list(compared)) & pl.col("kind").is_in(GROUPS)
    members = corpus.doubts().filter(chosen).select(processid=pl.col("members").list.head(_MOST_SEEN))
    odd = (found["columns"]["processid"][:_MOST_SEEN] for found in sweeps)
    more = [one for one in chain.from_iterable(zip_longest(*odd)) if one is not None]
    both = [members.explode("processid")["processid"].drop_nulls(), pl.Series("processid", more, pl.String)]
    return pl.concat(both).unique(maintain_order=True)


@dataclass(frozen=True, slots=True)
class Pictured:
    """Images that are written. The place of a specimen is the name of its files.

    Attributes:
        processids: specimens with a thumbnail.
        large: how many of them, the first ones, have a large image, too.
        masked: places of those with an outline.
    """

    processids: list[str]
    large: int
    masked: list[int]


def write_images(
    corpus: Excerpt, first: pl.Series, beside: pl.Series, most: int, folder: Path, progress: Progress
) -> Pictured:
    """Write images of specimens with their outlines, and thumbnails of others; both together at most `most`."""
    for size in SIZES:
        (folder / size).mkdir()
    shown = _with_image(corpus, first).head(most)
    others = _with_image(corpus, beside.filter(~beside.is_in(first.implode()))).head(most - shown.height)
    rows: list[tuple[dict[str, Any], tuple[str, ...]]] = [(row, SIZES) for row in shown.iter_rows(named=True)]
    rows += [(row, SIZES[:1]) for row in others.iter_rows(named=True)]
    found: list[str] = []
    masked: list[int] = []
    large = 0
    source = Pictures(corpus)
    try:
        for done, (row, sizes) in enumerate(rows, 1):
            kept = source.kept(row, sizes, masked=sizes == SIZES)
            if kept is not None:
                for size, data in kept.jpegs.items():
                    (folder / size / f"{len(found)}.jpg").write_bytes(data)
                if kept.outline is not None:
                    masked.append(len(found))
                    write_script(folder, f"masks/{len(found)}", as_json(kept.outline))
                found.append(row["processid"])
                large += sizes == SIZES
            progress("write images", done, len(rows))
    finally:
        source.close()
    return Pictured(found, large, masked)


def _with_image(corpus: Excerpt, processids: pl.Series) -> pl.DataFrame:
    """Those specimens that have an image which could be read, in their order."""
    wanted = pl.LazyFrame({"processid": processids})
    return wanted.join(corpus.specimens(), on="processid", maintain_order="left").filter(can_be_shown()).collect()


def write_evidence(corpus: Excerpt, states: pl.DataFrame, folder: Path, progress: Progress) -> list[str]:
    """Write the evidence of doubts about several specimens, open ones first; returns their ids."""
    several = states.filter(pl.col("kind").is_in(list(SEVERAL)))
    rows = several.sort(pl.col("state") == "decided", maintain_order=True).head(MOST_COMPARED)
    found = evidence_of(corpus, rows["id"].to_list())
    for done, (one, rests_on) in enumerate(found, 1):
        write_script(folder, f"doubts/{one}", as_json(rests_on))
        progress("write evidence", done, rows.height)
    of_groups = rows.filter(pl.col("kind").is_in(GROUPS) & (pl.col("group") != "")).select("id", "group")
    counted = groups(corpus, of_groups["group"].to_list(), corpus.same, _MOST_LISTED)
    for one, name in of_groups.iter_rows():
        write_script(folder, f"groups/{one}", as_json(counted.get(name)))
    return rows["id"].to_list()


def write_details(corpus: Excerpt, shown: pl.Series, folder: Path, progress: Progress) -> None:
    """Write the details of specimens in parts, and name the place of each in the doubts (`details`, -1: none)."""
    doubts = corpus.doubts()
    order = (
        doubts.select("shown", "batch")
        .filter(pl.col("shown").is_in(shown.implode()))
        .unique("shown", keep="first", maintain_order=True)
        .sort("batch", maintain_order=True)
        .select("shown")
        .with_row_index("details")
    )
    corpus.chosen = doubts.join(
        order.with_columns(pl.col("details").cast(pl.Int64)), on="shown", how="left", maintain_order="left"
    ).with_columns(pl.col("details").fill_null(-1))
    rows = order.join(
        _rows(corpus, order["shown"].to_list()),
        left_on="shown",
        right_on="processid",
        how="left",
        maintain_order="left",
    )
    rows = rows.drop("details")
    parts = range(0, rows.height, PART)
    for number, start in enumerate(parts):
        write_script(folder, f"details/{number}", as_json(rows.slice(start, PART).to_dicts()))
        progress("write details", number + 1, len(parts))


def _rows(corpus: Excerpt, processids: Sequence[str]) -> pl.DataFrame:
    """`processid`, `OF_ROW`, and `labels` (rank, label as delivered, label made) of some specimens."""
    made = corpus.labels_of(processids).select("processid", **{f"{rank}_made": rank for rank in RANKS})
    labels = pl.concat_list(
        pl.struct(rank=pl.lit(rank), delivered=f"{rank}_verbatim", made=f"{rank}_made") for rank in RANKS
    )
    own = corpus.with_ids(processids).join(made, on="processid", how="left")
    return own.select("processid", *OF_ROW, labels=labels).collect()


def write_script(folder: Path, name: str, content: bytes) -> None:
    """A script that hands JSON to the page, as a text: as an object literal, a key `__proto__` would be no key."""
    text = content.decode("utf-8").replace("\\", "\\\\").replace("'", "\\'")
    path = folder / "data" / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"bioscanDesk('{name}.json', '{text}');\n", encoding="utf-8")
