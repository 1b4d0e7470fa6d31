"""Which specimens a line about a group or a name is about, and the states of all doubts with them.

Belongs here: finding them among specimens of which there are doubts. Does not belong here: whether the line answers a
doubt (`state`), and what it does to labels (`taxonomy.decided`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.decisions.vocabulary import BARCODE_OF
from bioscan_etl.doubts.state import with_state
from bioscan_etl.vocabulary import RANKS

REACH = pl.Schema({"line": pl.String(), "processid": pl.String()})
"""A row per line (its id) and specimen that it is about."""


def named_barcodes(lines: pl.DataFrame) -> pl.Series:
    """Process IDs by which lines name a barcode."""
    group = lines["group"].drop_nulls()
    return group.filter(group.str.starts_with(BARCODE_OF)).str.strip_prefix(BARCODE_OF).unique()


def facts_of(specimens: pl.LazyFrame, processids: pl.Series) -> pl.DataFrame:
    """What lines can name of some specimens: processid, dna_bin, barcode (the identity), normalised labels.

    Args:
        specimens: `schema.SPECIMENS`.
        processids: of the specimens.
    """
    wanted = pl.LazyFrame({"processid": processids.drop_nulls().unique()}, schema={"processid": pl.String})
    return (
        specimens.join(wanted, on="processid", how="semi")
        .select("processid", "dna_bin", *RANKS, barcode=barcode_identity(pl.col("dna_barcode")))
        .collect(engine="streaming")
    )


def facts_named(specimens: pl.LazyFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """What lines can name, as `facts_of`, of all specimens that they name by a BIN, a barcode or a label.

    Args:
        specimens: `schema.SPECIMENS`.
        lines: `schema.DECISIONS`.
    """
    identity = barcode_identity(pl.col("dna_barcode"))
    named = named_barcodes(lines)
    barcodes = facts_of(specimens, named)["barcode"].drop_nulls().unique()
    wanted = [
        pl.col("dna_bin").is_in(lines["group"].drop_nulls().unique().implode()),
        *(
            pl.col(rank).is_in(names.unique().implode())
            for rank in RANKS
            if (names := lines.filter(pl.col("rank") == rank)["name"]).len()
        ),
    ]
    if barcodes.len():
        wanted.append(identity.is_in(barcodes.implode()))
    return (
        specimens.filter(pl.any_horizontal(wanted))
        .select("processid", "dna_bin", *RANKS, barcode=identity)
        .collect(engine="streaming")
    )


def reach(lines: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """The specimens of lines about a group or a name.

    Args:
        lines: `schema.DECISIONS`.
        facts: of `facts_of`, those that a line names by `barcode:` included.

    Returns:
        `REACH`.
    """
    said = lines.select("group", "rank", "name", line="id")
    member = pl.col("group").str.strip_prefix(BARCODE_OF)
    named = said.filter(pl.col("group").str.starts_with(BARCODE_OF)).with_columns(member=member)
    barcodes = named.join(facts.select("barcode", member="processid"), on="member", how="inner").drop_nulls("barcode")
    found = [
        barcodes.join(facts, on="barcode", how="inner").select(REACH.names()),
        said.join(facts, left_on="group", right_on="dna_bin", how="inner").select(REACH.names()),
    ]
    for rank in RANKS:
        of_rank = said.filter(pl.col("rank") == rank).select("line", "name")
        found.append(of_rank.join(facts, left_on="name", right_on=rank, how="inner").select(REACH.names()))
    return pl.concat(found).unique(maintain_order=True)


def settled(doubts: pl.DataFrame, lines: pl.DataFrame, specimens: pl.LazyFrame) -> pl.DataFrame:
    """`state.with_state` of doubts, lines about groups and names included.

    Args:
        doubts: `schema.DOUBTS`.
        lines: lines of `schema.DECISIONS` that have no problem.
        specimens: `schema.SPECIMENS`; read only if a line is about a group or a name.
    """
    groups = lines.filter(pl.col("processid").is_null())
    if groups.is_empty():
        return with_state(doubts, lines)
    facts = facts_of(specimens, pl.concat([doubts["processid"], named_barcodes(groups)]))
    return with_state(doubts, lines, reach(groups, facts))
