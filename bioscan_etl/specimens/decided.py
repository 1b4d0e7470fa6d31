"""Gates and places that curators decide.

Belongs here: applying `accept`, `reject` and `set`, and what became of them. Does not belong here: the form of a line
(`bioscan_etl.decisions`), the gates themselves (`assemble`) and labels (`taxonomy.decided`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl import schema
from bioscan_etl.decisions.reasons import line_reason
from bioscan_etl.decisions.values import coordinates
from bioscan_etl.decisions.vocabulary import LIFTABLE
from bioscan_etl.geography.countries import iso_of_name, with_names

ACCEPTED, REJECTED, SET = "CURATOR_ACCEPTED", "CURATOR_REJECTED", "CURATOR_SET"
DRAWN = "CURATOR_BOX"
_IMAGE_GATES = ("IMAGE_STATUS", "IMAGE_FLAG")
_PLACES = pl.Schema(
    {
        "processid": pl.String,
        "set_country": pl.Boolean,
        "new_country": pl.String,
        "new_iso": pl.String,
        "new_iso3": pl.String,
        "set_province": pl.Boolean,
        "new_province": pl.String,
        "set_coord": pl.Boolean,
        "new_lat": pl.Float64,
        "new_lon": pl.Float64,
    }
)
_CHANGES = ("processid", "field", "before", "after", "rule", "evidence")


def gate_decisions(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per specimen that a curator accepts or rejects.

    Args:
        decisions: usable lines of `schema.DECISIONS`.

    Returns:
        `processid` (sorted), `opened` (List[String]: gates that are opened for it) and `rejected` (Boolean).
    """
    lines = decisions.filter(pl.col("action").is_in(["accept", "reject"]))
    every = pl.lit(list(LIFTABLE), dtype=pl.List(pl.String))
    accepts = pl.col("action") == "accept"
    opened = pl.when(~accepts).then(pl.lit([], pl.List(pl.String))).when(pl.col("field").is_null()).then(every)
    return (
        lines.select("processid", rejected=~accepts, opened=opened.otherwise(pl.concat_list("field")))
        .group_by("processid")
        .agg(pl.col("opened").explode(empty_as_null=False).unique().sort(), pl.col("rejected").any())
        .select("processid", "opened", "rejected")
        .sort("processid")
    )


def open_gates(frame: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """Open the gates that curators open, and close that of rejected specimens.

    The gate IMAGE_STATUS stays closed for a specimen without a box: there is no crop of it.

    Args:
        frame: `processid`, `gates`, `flags`, `x0`; sorted.
        decided: of `gate_decisions`, at least of these specimens.
    """
    if decided.is_empty():
        return frame
    joined = frame.join(decided, on="processid", how="left", maintain_order="left")
    opened = pl.col("opened").fill_null(pl.lit([], pl.List(pl.String)))
    without_box = opened.list.set_difference(pl.lit(["IMAGE_STATUS"], pl.List(pl.String)))
    opened = pl.when(pl.col("x0").is_null()).then(without_box).otherwise(opened)
    left = pl.col("gates").list.set_difference(opened)
    rejected = pl.col("rejected").fill_null(value=False)
    added = pl.lit([REJECTED], pl.List(pl.String))
    lifted = left.list.len() < pl.col("gates").list.len()
    flagged = pl.concat_list("flags", pl.lit(ACCEPTED)).list.sort()
    return joined.with_columns(
        gates=pl.when(rejected).then(pl.concat_list("gates", added)).otherwise(left),
        flags=pl.when(lifted & ~rejected).then(flagged).otherwise("flags"),
    ).select(frame.columns)


def with_accepted_image(decided: pl.DataFrame) -> pl.Series:
    """Process IDs of specimens whose image a curator accepts, whatever the gates say of it."""
    images = pl.any_horizontal(pl.col("opened").list.contains(gate) for gate in _IMAGE_GATES)
    return decided.filter(images & ~pl.col("rejected"))["processid"]


def place_decisions(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per specimen whose place a curator sets, sorted by process ID.

    Args:
        decisions: usable lines of `schema.DECISIONS`.

    Returns:
        `processid`; and for country, province and coordinates whether they are set, and the new values.
    """
    rows: dict[str, dict[str, str | float | bool | None]] = {}
    lines = decisions.filter(pl.col("action") == "set")
    for processid, field, value in lines.select("processid", "field", "value").iter_rows():
        row = rows.setdefault(processid, dict.fromkeys(_PLACES) | {"processid": processid})
        if field == "country":
            row |= {"set_country": True, "new_country": value}
        elif field == "province_state":
            row |= {"set_province": True, "new_province": value}
        else:
            latitude, longitude = (coordinates(value) if value else None) or (None, None)
            row |= {"set_coord": True, "new_lat": latitude, "new_lon": longitude}
    frame = pl.DataFrame(list(rows.values()), schema=_PLACES).with_columns(
        pl.selectors.boolean().fill_null(value=False)
    )
    named = with_names(frame.select("processid", iso=iso_of_name(pl.col("new_country"))))
    return (
        frame.drop("new_country", "new_iso", "new_iso3")
        .join(
            named.select("processid", new_country="country", new_iso="iso", new_iso3="iso3"), on="processid", how="left"
        )
        .select(_PLACES.names())
        .sort("processid")
    )


def set_places(frame: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Give specimens the places that curators set, with the flag CURATOR_SET.

    Args:
        frame: `schema.SPECIMENS` but for the gates.
        places: of `place_decisions`.
    """
    if places.is_empty():
        return frame
    joined = frame.join(places, on="processid", how="left", maintain_order="left")
    differs = pl.any_horizontal(pl.col(one.meta.output_name()).ne_missing(one) for one in _new_values())
    return joined.with_columns(
        *_new_values(),
        flags=pl.when(differs).then(pl.concat_list("flags", pl.lit(SET)).list.sort()).otherwise("flags"),
    ).select(frame.columns)


def _new_values() -> list[pl.Expr]:
    pairs = {
        "country": ("set_country", "new_country"),
        "country_iso": ("set_country", "new_iso"),
        "country_iso3": ("set_country", "new_iso3"),
        "province_state": ("set_province", "new_province"),
        "coord-lat": ("set_coord", "new_lat"),
        "coord-lon": ("set_coord", "new_lon"),
    }
    return [pl.when(is_set).then(new).otherwise(name).alias(name) for name, (is_set, new) in pairs.items()]


def place_changes(before: pl.DataFrame, places: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """The changes that curators made to places.

    Args:
        before: `processid`, `country`, `province_state`, `coord-lat`, `coord-lon` as the rules left them.
        places: of `place_decisions`.
        decisions: usable lines.

    Returns:
        Columns of `schema.CHANGES` without step and ruleset, sorted by process ID and field.
    """
    joined = before.join(places, on="processid", how="inner")
    after = joined.with_columns(one for one in _new_values() if one.meta.output_name() in before.columns)
    lines = decisions.filter(pl.col("action") == "set")
    reasons = lines.select("processid", of="field", evidence=line_reason())
    parts = []
    for field in ("coord-lat", "coord-lon", "country", "province_state"):
        cells = pl.DataFrame({"processid": joined["processid"], "before": joined[field], "after": after[field]})
        cells = cells.filter(pl.col("before").ne_missing(pl.col("after"))).with_columns(
            pl.col("before", "after").cast(pl.String),
            field=pl.lit(field),
            of=pl.lit(field.split("-")[0]),
            rule=pl.lit(SET),
        )
        parts.append(cells.join(reasons, on=["processid", "of"], how="left").select(_CHANGES))
    return pl.concat(parts).sort("processid", "field")


def effects(decisions: pl.DataFrame, specimens: pl.LazyFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """What became of the lines that accept, reject and set, as `schema.DECISION_EFFECTS`.

    Args:
        decisions: usable lines.
        specimens: `schema.SPECIMENS` as written.
        changes: of `place_changes`.
    """
    lines = decisions.filter(pl.col("action").is_in(["accept", "reject", "set"])).select(
        "id", "processid", "action", "field"
    )
    named = lines.select("processid").unique()
    found = specimens.join(named.lazy(), on="processid", how="semi").select(
        "processid", "gates", "x0", flagged=pl.col("flags").list.contains(ACCEPTED)
    )
    changed = changes.select(
        "processid", field=pl.col("field").str.replace("^coord-.*", "coord"), changed=True
    ).unique()
    rows = (
        lines.join(found.collect(), on="processid", how="left", maintain_order="left")
        .join(changed, on=["processid", "field"], how="left", maintain_order="left")
        .with_columns(pl.col("changed").fill_null(value=False))
    )
    gates = pl.col("gates")
    accepts, rejects = pl.col("action") == "accept", pl.col("action") == "reject"
    held, shown = gates.list.len() > 0, gates.list.join(", ")
    no_box = gates.list.contains("IMAGE_STATUS") & pl.col("x0").is_null()
    cases = (
        (gates.is_null(), "unknown", pl.lit("no batch has this process ID")),
        (rejects, "applied", None),
        (
            accepts & held & no_box,
            "no_effect",
            pl.format("it still fails {}: its image has no box; give one with the action box", shown),
        ),
        (accepts & held, "no_effect", pl.format("it still fails {}", shown)),
        (accepts & ~pl.col("flagged"), "no_effect", pl.lit("it passes all gates")),
        (accepts, "applied", None),
        (held, "dormant", pl.format("the specimen is not accepted at present: {}", shown)),
        (~pl.col("changed"), "no_effect", pl.lit("the field has this value already")),
    )
    status, detail = pl.lit("applied"), pl.lit(None, pl.String)
    for condition, word, said in reversed(cases):
        status = pl.when(condition).then(pl.lit(word)).otherwise(status)
        detail = pl.when(condition).then(pl.lit(None, pl.String) if said is None else said).otherwise(detail)
    told = rows.select("id", status=status, detail=detail)
    return schema.DECISION_EFFECTS.conform(
        told.with_columns(specimens=(pl.col("status") == "applied").cast(pl.Int64)).sort("id")
    )
