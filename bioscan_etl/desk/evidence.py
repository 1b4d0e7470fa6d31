"""The evidence of a doubt about several specimens, side by side.

Belongs here: members of a group, both spellings of a typo, images that are alike. Does not belong here: one specimen
(`specimen`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.desk.aligned import beside
from bioscan_etl.desk.corpus import OF_ROW, Corpus
from bioscan_etl.proposals.read import action_of, suggestion
from bioscan_etl.vocabulary import RANKS

_MOST = 60
_NAMES = 12
_BLOCK = 250
"""Doubts whose members are looked up at once: their barcodes take 10 MB."""
_OWN_EVIDENCE = ("typo", "duplicate", "report")
"""Kinds of doubts that rest on something else than their members."""


def evidence(corpus: Corpus, doubt: str) -> dict[str, Any] | None:
    """What a doubt rests on; None if there is no such doubt."""
    return next((found for _, found in evidence_of(corpus, [doubt])), None)


def evidence_of(corpus: Corpus, doubts: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each of some doubts rests on, by its id, in their order; nothing of one that there is not.

    The members of many doubts are looked up at once: thousands of searches for a few specimens each take longer than
    all the rest of the pages.
    """
    wanted = pl.DataFrame({"id": list(doubts)}, schema={"id": pl.String})
    rows = wanted.join(corpus.doubts(), on="id", how="inner", maintain_order="left")
    for block in rows.iter_slices(_BLOCK):
        is_group = ~pl.col("kind").is_in(_OWN_EVIDENCE) & (pl.col("members").list.len() > 0).fill_null(value=False)
        groups = block.filter(is_group).select("id", "members")
        found = dict(zip(groups["id"], _members(corpus, groups["members"]), strict=True))
        for row in block.select(corpus.doubts().columns).to_dicts():
            doubt = {name: value for name, value in row.items() if name != "members"}
            yield row["id"], {"doubt": doubt, **(found.get(row["id"]) or _single(corpus, row))}


def _single(corpus: Corpus, row: dict[str, Any]) -> dict[str, Any]:
    """What a doubt rests on that has no members."""
    if row["kind"] == "typo":
        return _spellings(corpus, row["rank"], (row["name"], row["proposed"]))
    if row["kind"] == "duplicate":
        return {"members": _alike(corpus, row["processid"])}
    shown = _rows(corpus, corpus.with_ids([row["shown"]]))
    return {"members": shown, "reports": _reports(corpus, row)} if row["kind"] == "report" else {"members": shown}


def _reports(corpus: Corpus, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What users reported that a doubt is made of, with the action that would take over what they suggest."""
    lines = corpus.proposals().filter((pl.col("processid") == row["processid"]) & (pl.col("status") == "doubt"))
    found = [
        {name: one[name] for name in ("reason", "field", "value", "note", "reporter", "date")}
        | {"action": action_of(one["field"])}
        for one in lines.unique("id").sort("date", "id").to_dicts()
    ]
    return [one for one in found if suggestion(one["field"], one["value"]) == row["proposed"]]


def _rows(corpus: Corpus, specimens: pl.LazyFrame, most: int = _MOST) -> list[dict[str, Any]]:
    """Specimens with labels as normalised, and what was made of them; of too many, each species has its turn."""
    return _rows_of(corpus, specimens.with_columns(group=pl.lit(0, pl.UInt32)), most).drop("group").to_dicts()


def _rows_of(corpus: Corpus, specimens: pl.LazyFrame, most: int) -> pl.DataFrame:
    """At most `most` specimens of each `group` (UInt32), as `_rows`, sorted by group and process ID."""
    columns = ("processid", "batch", "gates", "sha256", "dhash", "identification_method", *RANKS, *OF_ROW)
    rows = (
        specimens.select("group", *columns)
        .sort("group", "processid")
        .with_columns(turn=pl.int_range(pl.len()).over("group", "species"))
        .sort("group", "turn", "processid")
        .filter(pl.int_range(pl.len()).over("group") < most)
        .drop("turn")
        .sort("group", "processid")
        .collect(engine="streaming")
    )
    made = corpus.labels_of(rows["processid"].to_list()).select(
        "processid", made="taxon", **{f"{rank}_made": rank for rank in RANKS}
    )
    return rows.join(made.collect(engine="streaming"), on="processid", how="left", maintain_order="left").with_columns(
        pl.col("dhash").cast(pl.String)
    )


def _members(corpus: Corpus, groups: pl.Series) -> list[dict[str, Any]]:
    """Members of each group with their barcodes on the longest one of them.

    Args:
        corpus: the corpus.
        groups: lists of process IDs.
    """
    pairs = (
        pl.DataFrame({"processid": groups}, schema={"processid": pl.List(pl.String)})
        .with_row_index("group")
        .explode("processid")
        .drop_nulls()
        .unique()
    )
    specimens = corpus.with_ids(pairs["processid"].to_list()).join(pairs.lazy(), on="processid", how="inner")
    rows = _rows_of(corpus, specimens, _MOST)
    identities = rows.select(barcode_identity(pl.col("dna_barcode"))).to_series().to_list()
    by_group: list[list[tuple[dict[str, Any], str | None]]] = [[] for _ in groups]
    for group, row, identity in zip(rows["group"], rows.drop("group").to_dicts(), identities, strict=True):
        by_group[group].append((row, identity))
    return [
        {"members": [row for row, _ in own], "all": number, **_aligned(own)}
        for own, number in zip(by_group, groups.list.len(), strict=True)
    ]


def _aligned(rows: Sequence[tuple[dict[str, Any], str | None]]) -> dict[str, Any]:
    """Barcodes of specimens on the longest one, the first one of equally long ones."""
    letters = [{"processid": row["processid"], "barcode": one} for row, one in rows if one is not None]
    reference = max((row["barcode"] for row in letters), key=len, default="")
    aligned = [{name: row[name] for name in ("processid", "placed", "differing")} for row in beside(reference, letters)]
    return {"reference": reference, "aligned": aligned}


def _spellings(corpus: Corpus, rank: str, names: tuple[str, str | None]) -> dict[str, Any]:
    found = []
    for name in filter(None, names):
        of_name = corpus.specimens().filter(pl.col(rank) == name)
        count, bins, barcodes = (
            of_name.select(
                pl.len(),
                pl.col("dna_bin").drop_nulls().unique().sort().head(20).implode(),
                barcode_identity(pl.col("dna_barcode")).drop_nulls().n_unique().alias("barcodes"),
            )
            .collect()
            .row(0)
        )
        lineages = (
            of_name.group_by(RANKS[: RANKS.index(rank)])
            .agg(records=pl.len())
            .sort("records", *RANKS[: RANKS.index(rank)], descending=[True, *[False] * RANKS.index(rank)])
            .head(5)
            .collect()
            .to_dicts()
        )
        found.append(
            {
                "name": name,
                "records": count,
                "bins": list(bins),
                "barcodes": barcodes,
                "lineages": lineages,
                "members": _rows(corpus, of_name, _NAMES),
            }
        )
    return {"rank": rank, "spellings": found}


def _alike(corpus: Corpus, processid: str) -> list[dict[str, Any]]:
    """The specimen, then those with the same image or a similar one."""
    own = corpus.with_ids([processid]).select("sha256", "dhash").collect().to_dicts()
    if not own:
        return []
    which = pl.col("processid") == processid
    if own[0]["sha256"]:
        which |= pl.col("sha256") == own[0]["sha256"]
    if own[0]["dhash"] is not None:
        bits = (pl.col("dhash") ^ pl.lit(own[0]["dhash"], pl.UInt64)).bitwise_count_ones()
        which |= (bits <= corpus.settings.images.near_duplicate_bits).fill_null(value=False)
    rows = _rows(corpus, corpus.specimens().filter(which))
    return sorted(rows, key=lambda row: (row["processid"] != processid, row["processid"]))
