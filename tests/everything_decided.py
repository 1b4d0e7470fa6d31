"""Decisions of every action on a corpus that was run: each changes the next release.

Belongs here: choosing specimens for which a line has an effect. Does not belong here: what becomes of the lines.
"""

from pathlib import Path

import polars as pl
from decided import csv_of

from bioscan_etl.cli import main
from bioscan_etl.decisions.vocabulary import ACTIONS
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.lake.decisions import folder


def lines_of_every_action(output: Path) -> list[dict[str, str]]:
    """At least one line of each action, about specimens that are alone with their barcode where labels change."""
    lake = Lake(output)
    specimens = pl.read_parquet(get(lake, "specimens").path("specimens.parquet"))
    curated = pl.read_parquet(get(lake, "curated_taxonomy").path("curated.parquet"))
    doubts = pl.read_parquet(get(lake, "doubts").path("doubts.parquet"))
    alone = pl.len().over("dna_barcode") == 1
    rows = curated.filter(alone & pl.col("species").is_not_null() & pl.col("country").is_not_null())
    rejected, moved, drawn, relabelled, grouped, of_bin = rows.filter(pl.len().over("dna_bin") == 1).head(6).to_dicts()
    held = specimens.filter(pl.col("x0").is_not_null() & (pl.col("gates") == ["IMAGE_STATUS"])).to_dicts()[0]
    short = specimens.filter(pl.col("gates") == ["BARCODE_RUN_TOO_SHORT"]).to_dicts()[0]
    conflict = doubts.filter(rule="BARCODE_CONFLICT").to_dicts()[0]
    # A species whose specimens are rejected or relabelled may have none left to merge.
    gone = {row["species"] for row in (rejected, relabelled, grouped, of_bin)}
    species = sorted(set(curated["species"].drop_nulls()) - gone)
    # Names of two words: what follows is a name of the same form.
    named = [name for name in species if name.count(" ") == 1][:2]
    box = f"{max(drawn['x0'] - 5, 0)} {max(drawn['y0'] - 5, 0)} {drawn['x1']} {drawn['y1']}"
    reading = curated.filter(pl.col("processid").is_in(conflict["members"]))["genus"].drop_nulls()[0]
    found = [
        {"processid": held["processid"], "action": "accept", "field": "IMAGE_STATUS", "evidence": held["sha256"][:16]},
        {"processid": short["processid"], "action": "accept"},
        {"processid": rejected["processid"], "action": "reject", "reason": "contamination"},
        {"processid": moved["processid"], "action": "set", "field": "country", "value": "New Zealand"},
        {"processid": moved["processid"], "action": "set", "field": "province_state", "value": "Otago"},
        {"processid": moved["processid"], "action": "set", "field": "coord", "value": "-45.1, 170.25"},
        {"processid": drawn["processid"], "action": "box", "value": box, "reason": "wrongly_cropped"},
        _species(relabelled, {"processid": relabelled["processid"]}),
        _species(grouped, {"group": f"barcode:{grouped['processid']}"}),
        _species(of_bin, {"group": of_bin["dna_bin"]}),
        {"group": conflict["group"], "action": "relabel", "field": "species", "value": f"{reading} curatorum"},
        {"rank": "species", "name": named[0], "action": "merge", "value": f"{named[0]}ensis", "reason": "spelling"},
        {"rank": "species", "name": named[1], "action": "keep"},
        {"processid": moved["processid"], "action": "keep", "field": "COUNTRY_MISMATCH"},
    ]
    assert {line["action"] for line in found} == set(ACTIONS)
    return found


def _species(row: dict, target: dict[str, str]) -> dict[str, str]:
    return target | {"action": "relabel", "field": "species", "value": f"{row['genus']} decisus"}


def write_lines(output: Path, lines: list[dict[str, str]]) -> Path:
    """The file of a curator with these lines."""
    place = folder(Lake(output))
    place.mkdir(exist_ok=True)
    path = place / "e-stur.csv"
    path.write_text(csv_of(lines))
    return path


def decided_corpus(output: Path) -> list[dict[str, str]]:
    """A demo corpus with a release before any decision (v1), and one after decisions of every action (v2)."""
    assert main(["demo", "--output", str(output), "--specimens", "60", "-q"]) == 0
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    lines = lines_of_every_action(output)
    write_lines(output, lines)
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    return lines
