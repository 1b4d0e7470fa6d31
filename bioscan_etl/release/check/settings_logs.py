"""Do the logs of a release fit the settings that it states?

Belongs here: what quarantine, set-aside rows and the change log show about gates, markers and curation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.check.faults import Listing
from bioscan_etl.release.check.settings_rows import FIXES
from bioscan_etl.release.check.settings_stated import Stated, log_pieces

VERIFIED = MappingProxyType(
    {
        "records.marker": "rows set aside as of another marker have another one, all others this one",
        "records.null_markers": "no delivered name, place or sample in the change log is one of them (a text that is "
        "not named is not noticed)",
        "taxonomy.infer_from_barcode": "labels of the barcode are taken over, or cleared, in the change log",
        "taxonomy.infer_from_bin": "where false: no label in the change log comes from a BIN",
        "taxonomy.resolve_in_bin": "where false: no BIN settles a label in the change log",
        "taxonomy.typo_fix": "where false: no typo is mended in the change log",
        "taxonomy.typo_rarity": "no spelling that was mended is more frequent",
        "taxonomy.typo_min_length": "no word that was mended is shorter",
        "taxonomy.majority_share": "the counts in the change log: every winning label has it, and no cleared one",
        "taxonomy.minimum_support": "the counts in the change log: every winning label has as many records",
    }
)
"""Settings that are verified here, and how."""

QUARANTINE, SET_ASIDE, CHANGES = "quarantine.parquet", "set_aside.parquet", "changes.parquet"
_GATES = {"NO_IMAGE": "gates.require_image", "IMAGE_STATUS": "gates.require_image", "NO_BIN": "gates.require_bin"}
# A curator opened a gate of the specimen, which another one holds.
_OPENED = pl.col("flags").list.contains("CURATOR_ACCEPTED")
# Setting and value, and the rules that then never act.
_IDLE: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    ("geography.apply_coordinate_fixes", False, FIXES),
    ("taxonomy.infer_from_barcode", False, ("INFERRED_FROM_BARCODE",)),
    ("taxonomy.infer_from_barcode", True, ("BARCODE_PARTLY_LABELLED",)),
    ("taxonomy.infer_from_bin", False, ("INFERRED_FROM_BIN",)),
    ("taxonomy.resolve_in_bin", False, ("BIN_MAJORITY", "BIN_OUTVOTED", "BIN_CONFLICT_CLEARED")),
    ("taxonomy.typo_fix", False, ("NAME_TYPO_FIXED",)),
)
# Fields whose first value before a change is the text as it was delivered.
_DELIVERED = ("sampleid", "country", "province_state", "dna_bin", *vocabulary.RANKS)
_VOTE = r"^([a-z]+) of the (?:barcode|BIN)'s (\d+) labelled records: "
_TYPO = r"^(\d+) records against (\d+), "
_VOTES = schema.CHANGES.empty().select("processid", "field", "evidence")


@dataclass(slots=True)
class Logs:
    """What other checks need from the logs.

    Attributes:
        faults: what is wrong with the logs.
        relabelled: process IDs whose phylum or class was changed.
        fixed: process IDs whose coordinates were changed by a fix.
        rewritten: processid, field (genus or species), step and before, of the changes that writing a release made.
    """

    faults: Listing
    relabelled: list[pl.Series] = field(default_factory=lambda: [pl.Series(dtype=pl.String)])
    fixed: list[pl.Series] = field(default_factory=lambda: [pl.Series(dtype=pl.String)])
    rewritten: list[pl.DataFrame] = field(
        default_factory=lambda: [schema.CHANGES.empty().select("processid", "field", "step", "before")]
    )


def check(root: Path, stated: Stated) -> Logs:
    """Check the logs against the stated settings."""
    logs = Logs(Listing())
    _quarantine(root, stated, logs.faults)
    if "records.marker" in stated:
        _markers(root, stated, logs.faults)
    lost, cleared = [pl.Series(dtype=pl.String)], [_VOTES]
    columns = ("processid", "field", "step", "before", "after", "rule", "evidence")
    for piece in log_pieces(root, CHANGES, schema.CHANGES, columns):
        name = pl.col("field")
        rule = pl.col("rule")
        logs.relabelled.append(piece.filter(name.is_in(["phylum", "class"]))["processid"])
        logs.fixed.append(piece.filter(rule.is_in(FIXES))["processid"])
        made = name.is_in(["genus", "species"]) & rule.str.starts_with("VALUE_")
        logs.rewritten.append(piece.filter(made).select("processid", "field", "step", "before"))
        lost.append(piece.filter(rule.is_in(["BARCODE_MAJORITY", "BARCODE_OUTVOTED"]))["processid"])
        where = pl.col("evidence").str.extract(_VOTE, 1) == name
        cleared.append(piece.filter(rule == "BARCODE_CONFLICT", where).select("processid", "field", "evidence"))
        for wrong, message in (*_idle(piece, stated), *_nulls(piece, stated)):
            logs.faults.add(CHANGES, wrong, message)
        for wrong, message in (*_winners(piece, stated), *_typos(piece, stated)):
            logs.faults.add(CHANGES, wrong, message)
    for wrong, message in _losers(pl.concat(cleared), pl.concat(lost), stated):
        logs.faults.add(CHANGES, wrong, message)
    return logs


def _quarantine(root: Path, stated: Stated, listing: Listing) -> None:
    gates, status = pl.col("gates"), pl.col("image_status")
    good = status.is_in(list(stated["gates.image_statuses"])).fill_null(value=False)
    held = gates.list.contains("IMAGE_STATUS")
    shown = stated.shown("gates.image_statuses")
    for piece in log_pieces(root, QUARANTINE, schema.QUARANTINE, ("processid", "gates", "image_status", "flags")):
        _image_flags(piece, stated, listing)
        for gate, setting in _GATES.items():
            if setting in stated and not stated[setting]:
                message = f"is held by the gate {gate}, which {setting} False takes away"
                listing.add(QUARANTINE, piece.filter(gates.list.contains(gate)), message)
        if "gates.require_image" not in stated or not stated["gates.require_image"]:
            continue
        without = piece.filter(status.is_null() & ~gates.list.contains("NO_IMAGE"))
        listing.add(
            QUARANTINE, without, "has no image and is not held by the gate NO_IMAGE of gates.require_image True"
        )
        if "gates.image_statuses" in stated:
            message = f"is held for the image status {{image_status}}, which {shown} lets pass"
            listing.add(QUARANTINE, piece.filter(good & held), message)
            message = f"has the image status {{image_status}} and is not held for it, against {shown}"
            listing.add(QUARANTINE, piece.filter(status.is_not_null() & ~good & ~held & ~_OPENED), message)


def _image_flags(piece: pl.DataFrame, stated: Stated, listing: Listing) -> None:
    """The gate IMAGE_FLAG holds exactly the specimens with one of the flags of its setting."""
    if "gates.image_flags" not in stated or "gates.require_image" not in stated:
        return
    shown, flags = stated.shown("gates.image_flags"), stated["gates.image_flags"]
    named = pl.any_horizontal(pl.lit(value=False), *(pl.col("flags").list.contains(flag) for flag in flags))
    held, gated = pl.col("gates").list.contains("IMAGE_FLAG"), bool(stated["gates.require_image"])
    wrong = piece.filter(held & ~(named & gated))
    listing.add(QUARANTINE, wrong, f"is held by the gate IMAGE_FLAG, which its flags do not give: {shown}")
    if gated:
        wrong = piece.filter(named & ~held & ~_OPENED)
        listing.add(QUARANTINE, wrong, f"has an image flag and is not held by the gate IMAGE_FLAG, against {shown}")


def _markers(root: Path, stated: Stated, listing: Listing) -> None:
    marker, other = pl.col("marker_code"), pl.col("reason") == "other_marker"
    shown, ours = stated.shown("records.marker"), stated["records.marker"]
    for piece in log_pieces(root, SET_ASIDE, schema.SET_ASIDE, ("processid", "marker_code", "reason")):
        wrong = piece.filter(other & (marker == ours))
        listing.add(SET_ASIDE, wrong, f"is set aside as of another marker than {shown}, but has it")
        wrong = piece.filter(~other & (marker != ours))
        listing.add(SET_ASIDE, wrong, f"is set aside as {{reason}} with the marker {{marker_code}}, against {shown}")


def _idle(piece: pl.DataFrame, stated: Stated) -> Iterator[tuple[pl.DataFrame, str]]:
    for setting, value, rules in _IDLE:
        if setting in stated and stated[setting] is value:
            wrong = piece.filter(pl.col("rule").is_in(rules))
            yield wrong, f"{{field}} was changed by the rule {{rule}}, which never acts with {setting} {value}"


def _nulls(piece: pl.DataFrame, stated: Stated) -> Iterator[tuple[pl.DataFrame, str]]:
    if "records.null_markers" in stated:
        texts = [text.strip() for text in stated["records.null_markers"]]
        first = pl.col("field").is_in(_DELIVERED) & (pl.col("step") == 0)
        wrong = piece.filter(first & pl.col("before").str.strip_chars().is_in(texts))
        yield wrong, f"{{field}} was delivered as {{before}}, missing by {stated.shown('records.null_markers')}"


def _winners(piece: pl.DataFrame, stated: Stated) -> Iterator[tuple[pl.DataFrame, str]]:
    """Labels that won with too few records; the counts of a vote are at least those that counted."""
    evidence = pl.col("evidence")
    label = evidence.str.replace(_VOTE, "").str.strip_prefix(pl.concat_str("after", pl.lit(" (")))
    won = (
        piece.filter(pl.col("rule").is_in(["BARCODE_MAJORITY", "BIN_MAJORITY"]))
        .with_columns(
            support=label.str.extract(r"^(\d+)\)").cast(pl.Int64, strict=False),
            records=evidence.str.extract(_VOTE, 2).cast(pl.Int64, strict=False),
        )
        .filter(evidence.str.extract(_VOTE, 1) == pl.col("field"), pl.col("records") > 0)
    )
    said = "the {field} {after} won with {support} of {records} records, against "
    for setting, support in (
        ("taxonomy.majority_share", pl.col("support") / pl.col("records")),
        ("taxonomy.minimum_support", pl.col("support")),
    ):
        if setting in stated:
            yield won.filter(support < stated[setting]), said + stated.shown(setting)


def _losers(cleared: pl.DataFrame, lost: pl.Series, stated: Stated) -> Iterator[tuple[pl.DataFrame, str]]:
    """Labels that were cleared although one had the majority.

    Only where all records that were counted could vote: none of those with the same evidence was outvoted.
    """
    share, least = "taxonomy.majority_share", "taxonomy.minimum_support"
    if share not in stated or least not in stated:
        return
    evidence = pl.col("evidence")
    outvoted = cleared.filter(pl.col("processid").is_in(lost.implode())).select("evidence").unique()
    counts = evidence.str.replace(_VOTE, "").str.extract_all(r" \(\d+\)(?:; |$)")
    votes = (
        cleared.join(outvoted, on="evidence", how="anti")
        .with_columns(
            records=evidence.str.extract(_VOTE, 2).cast(pl.Int64, strict=False),
            counts=counts.list.eval(pl.element().str.extract(r"(\d+)").cast(pl.Int64, strict=False)),
        )
        # A label can hold what looks like a count.
        .filter(pl.col("counts").list.sum() == pl.col("records"), pl.col("records") > 0)
        .with_columns(support=pl.col("counts").list.max())
        .sort("processid", "field")
    )
    wins = (pl.col("support") / pl.col("records") >= stated[share]) & (pl.col("support") >= stated[least])
    message = "{field} was cleared although a label had {support} of {records} records, against "
    yield votes.filter(wins).drop("counts"), f"{message}{stated.shown(share)} and {stated.shown(least)}"


def _typos(piece: pl.DataFrame, stated: Stated) -> Iterator[tuple[pl.DataFrame, str]]:
    before, after, evidence = pl.col("before"), pl.col("after"), pl.col("evidence")
    mended = piece.filter(pl.col("rule") == "NAME_TYPO_FIXED").with_columns(
        rare=evidence.str.extract(_TYPO, 1).cast(pl.Int64, strict=False),
        common=evidence.str.extract(_TYPO, 2).cast(pl.Int64, strict=False),
    )
    if "taxonomy.typo_rarity" in stated:
        wrong = mended.filter(pl.col("rare") > stated["taxonomy.typo_rarity"] * pl.col("common"))
        message = "{before} became {after} with {rare} records against {common}, against "
        yield wrong, message + stated.shown("taxonomy.typo_rarity")
    if "taxonomy.typo_min_length" in stated:
        letters = pl.min_horizontal(name.str.split(" ").list.last().str.len_chars() for name in (before, after))
        # If a genus is corrected, the species changes with it, independent of the length of its epithet.
        own = (pl.col("field") != "species") | (before.str.split(" ").list.first() == after.str.split(" ").list.first())
        wrong = mended.filter(own & (letters < stated["taxonomy.typo_min_length"]))
        yield wrong, "the short name {before} became {after}, against " + stated.shown("taxonomy.typo_min_length")
