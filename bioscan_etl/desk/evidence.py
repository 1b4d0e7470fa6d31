"""The evidence of a doubt about several specimens, side by side.

Belongs here: members of a group, both spellings of a typo, images that are alike. Does not belong here: one specimen
(`specimen`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.desk.aligned import beside
from bioscan_etl.desk.corpus import OF_ROW, Corpus
from bioscan_etl.proposals.read import action_of, suggestion
from bioscan_etl.vocabulary import RANKS

_MOST = 60
_NAMES = 12


def evidence(corpus: Corpus, doubt: str) -> dict[str, Any] | None:
    """What a doubt rests on; None if there is no such doubt."""
    rows = corpus.doubts().filter(pl.col("id") == doubt).to_dicts()
    if not rows:
        return None
    row = rows[0]
    found: dict[str, Any] = {"doubt": {name: value for name, value in row.items() if name != "members"}}
    if row["kind"] == "typo":
        found |= _spellings(corpus, row["rank"], (row["name"], row["proposed"]))
    elif row["kind"] == "duplicate":
        found |= {"members": _alike(corpus, row["processid"])}
    elif row["kind"] == "report":
        found |= {"members": _rows(corpus, corpus.with_ids([row["shown"]])), "reports": _reports(corpus, row)}
    elif row["members"]:
        found |= _members(corpus, row["members"])
    else:
        found |= {"members": _rows(corpus, corpus.with_ids([row["shown"]]))}
    return found


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
    rows = (
        specimens.select("processid", "batch", "gates", "sha256", "dhash", "identification_method", *RANKS, *OF_ROW)
        .sort("processid")
        .with_columns(turn=pl.int_range(pl.len()).over("species"))
        .sort("turn", "processid")
        .head(most)
        .drop("turn")
        .sort("processid")
        .collect(engine="streaming")
    )
    made = corpus.labels_of(rows["processid"].to_list()).select(
        "processid", made="taxon", **{f"{rank}_made": rank for rank in RANKS}
    )
    return (
        rows.join(made.collect(engine="streaming"), on="processid", how="left", maintain_order="left")
        .with_columns(pl.col("dhash").cast(pl.String))
        .to_dicts()
    )


def _members(corpus: Corpus, members: list[str]) -> dict[str, Any]:
    rows = _rows(corpus, corpus.with_ids(members))
    known = pl.DataFrame([(row["dna_barcode"],) for row in rows], schema={"barcode": pl.String}, orient="row")
    identities = known.select(barcode_identity(pl.col("barcode"))).to_series()
    letters = [row | {"barcode": one} for row, one in zip(rows, identities, strict=True) if one is not None]
    reference = max((row["barcode"] for row in letters), key=len, default="")
    aligned = [{name: row[name] for name in ("processid", "placed", "differing")} for row in beside(reference, letters)]
    return {"members": rows, "all": len(members), "reference": reference, "aligned": aligned}


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
