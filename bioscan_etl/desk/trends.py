"""What changed in the data: over the releases, and over the batches of the last run.

Belongs here: reading releases and batches, and putting their counts side by side. Does not belong here: the counts
themselves (`tally`), settings and code (`made_by`), and drawing (`static/trends.js`).

Nothing is stored for this: releases hold their rows, flags and manifests, the lake holds the specimens of the last run.
A release never changes once it is published, so what was counted of it is kept until the desk ends. One that cannot be
read is named in `problems`, and hides no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.desk.made_by import made_by, program
from bioscan_etl.desk.tally import NEEDED, Tally, distance, shares, summed, tally
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.quality.history import history
from bioscan_etl.release import staging
from bioscan_etl.release.manifest import Provenance, read_head
from bioscan_etl.release.scan import scan_release
from bioscan_etl.settings import Settings
from bioscan_etl.specimens.gates import gates
from bioscan_etl.vocabulary import RANKS

MOST_RELEASES = 8
"""Releases that are counted, the last ones."""
_SHOWN = 6
"""Values of a distribution that are shown, those that changed most."""
_DISTRIBUTIONS = ("country", "order", "barcode_length")
_STATUSES = ("detected", "low_confidence", "empty", "multiple", "unreadable")


@dataclass(slots=True)
class Trends:
    """The trends of a corpus; keeps what it has counted of releases."""

    corpus: Corpus
    _counted: dict[tuple[str, int, int], Tally] = field(default_factory=dict)

    def read(self) -> dict[str, Any]:
        """Everything on the first page about change; what cannot be read is named in `problems`."""
        problems: list[str] = []
        heads = self._heads(problems)
        released = self._released(heads, problems)
        batches = self._batches(problems)
        last = list(heads)[-1:]
        made = made_by(heads[last[0]], _before(heads)) | {"desk": program()} if last else None
        found = side_by_side(self.corpus.settings, heads, released, batches)
        return {"problems": problems, **found, "made_by": made, "expectations": self._expectations(problems)}

    def _folders(self) -> list[Path]:
        return list(staging.versions(self.corpus.lake.releases))[-MOST_RELEASES:]

    def _heads(self, problems: list[str]) -> dict[str, dict[str, Any]]:
        """Heads of the manifests by version, oldest first."""
        found = {}
        for folder in self._folders():
            try:
                head = read_head(folder)
                if head.get("provenance") is not None:
                    Provenance.model_validate(head["provenance"])
                found[folder.name] = head
            except (OSError, ValueError, RecursionError) as error:
                problems.append(f"release {folder.name} cannot be read: {sentence(error)}")
        return found

    def _released(self, heads: Mapping[str, Any], problems: list[str]) -> dict[str, Tally]:
        found = {}
        for folder in self._folders():
            if folder.name not in heads:
                continue
            try:
                stamp = (folder / "manifest.json").stat()
                key = (folder.name, stamp.st_mtime_ns, stamp.st_size)
                if key not in self._counted:
                    self._counted[key] = of_release(folder)
                found[folder.name] = self._counted[key]
            except (BioscanError, pl.exceptions.PolarsError, OSError, UnicodeError) as error:
                problems.append(f"the rows of release {folder.name} cannot be counted: {sentence(error)}")
        return found

    def _batches(self, problems: list[str]) -> dict[str, Tally]:
        """The batches of the last run, by the date of their newest snapshot."""
        if not self.corpus.has_run():
            return {}
        try:
            return of_batches(self.corpus)
        except (BioscanError, pl.exceptions.PolarsError, OSError) as error:
            problems.append(f"the specimens of the last run cannot be counted: {sentence(error)}")
            return {}

    def _expectations(self, problems: list[str]) -> dict[str, Any]:
        try:
            found = history(self.corpus.lake, self._folders())
        except (BioscanError, pl.exceptions.PolarsError, OSError) as error:
            problems.append(f"the history of expectations cannot be read: {sentence(error)}")
            return {"where": [], "rows": []}
        return expectations(found)


def side_by_side(
    settings: Settings,
    heads: Mapping[str, Mapping[str, Any]],
    released: Mapping[str, Tally],
    batches: Mapping[str, Tally],
) -> dict[str, Any]:
    """Trends over releases and batches, as the first page shows them.

    Args:
        settings: name the gates.
        heads: of the manifests by version, oldest first.
        released: what the specimens of these releases are like, by version, oldest first.
        batches: of the batches of a run.
    """
    known = {gate.meta.output_name() for gate in gates(settings)} | {"CURATOR_REJECTED"}
    return {
        "arrivals": arrivals(heads),
        "releases": list(released),
        "rules": _rules(released, known),
        "release_shifts": _release_shifts(released),
        "release_labels": _labels(released),
        "batches": [{"batch": name, "specimens": one.specimens} for name, one in batches.items()],
        "batch_rules": _rules(batches, known),
        "batch_shifts": _batch_shifts(batches),
        "batch_labels": _labels(batches),
        "detector": detector(batches),
    }


def of_batches(corpus: Corpus) -> dict[str, Tally]:
    """What the specimens of each batch of a run are like, by the date of its newest snapshot."""
    specimens = corpus.specimens()
    dates = specimens.group_by("batch").agg(pl.col("snapshot_date").max()).collect(engine="streaming")
    order = dates.sort("snapshot_date", "batch", nulls_last=False)["batch"]
    # Rules of labels are only in the flags of accepted specimens.
    labels = corpus.curated().select("processid", curated_flags="flags")
    flags = pl.coalesce("curated_flags", "flags")
    ruled = specimens.join(labels, on="processid", how="left").select("gates", where="batch", flags=flags)
    found = tally(specimens.select(where="batch", **_columns(specimens)), only_released=False, ruled=ruled)
    return {name: found[name] for name in order if name in found}


def of_run(corpus: Corpus, version: str) -> Tally:
    """What the specimens of a run are like, as `of_release` counts those of the release that is made of it.

    Rules of `release.rules` apply later and are not counted.
    """
    held = corpus.specimens().filter(pl.col("gates").list.len() > 0)
    rows = corpus.curated().with_columns(gates=pl.lit([], pl.List(pl.String)))
    both = [part.select(where=pl.lit(version), **_columns(part)) for part in (rows, held)]
    return tally(pl.concat(both), only_released=True).get(version, Tally())


def _columns(rows: pl.LazyFrame) -> dict[str, pl.Expr]:
    """`NEEDED` but for `where`; what the rows do not have is null."""
    has = rows.collect_schema().names()
    return {
        name: pl.col(name).cast(dtype) if name in has else pl.lit(None, dtype)
        for name, dtype in NEEDED.items()
        if name != "where"
    }


def of_release(folder: Path) -> Tally:
    """What the specimens of a release are like, those that it holds back included.

    Raises:
        SourceError: the folder is no release that can be read.
    """
    opened = scan_release(folder)
    rows = opened.rows
    if "flags" in opened.columns():
        rows = rows.with_columns(gates=pl.lit([], pl.List(pl.String)))
    else:
        rows = rows.with_columns(gates=pl.lit([], pl.List(pl.String)), flags=pl.lit([], pl.List(pl.String)))
    rows = rows.with_columns(barcode_length=barcode_identity(pl.col("dna_barcode")).str.len_chars())
    held = opened.table("quarantine.parquet")
    both = [part.select(where=pl.lit(folder.name), **_columns(part)) for part in (rows, held)]
    return tally(pl.concat(both), only_released=True).get(folder.name, Tally())


def arrivals(heads: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """When each delivery of a batch came first.

    Args:
        heads: of the manifests by version, oldest first.

    Returns:
        By batch of the last release: `delivery`, `since` (the first version with it), `again` (an earlier version has
        another delivery of the batch), `new` (it is of the last release, and the batch or delivery is in no earlier
        one).
    """
    since: dict[tuple[str, str], str] = {}
    seen: set[str] = set()
    found: dict[str, dict[str, Any]] = {}
    last = list(heads)[-1:]
    for version, head in heads.items():
        batches = (head.get("provenance") or {}).get("batches") or {}
        for name, one in batches.items():
            again = name in seen and (name, one["delivery"]) not in since
            first = since.setdefault((name, one["delivery"]), version)
            if version == last[0]:
                new = first == version
                found[name] = {"delivery": one["delivery"], "since": first, "again": again, "new": new}
        seen |= set(batches)
    return found


def _before(heads: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return heads[list(heads)[-2]] if len(heads) > 1 else None


def _rules(groups: Mapping[str, Tally], known: set[str]) -> list[dict[str, Any]]:
    """Each gate and rule with its specimens in each group; gates first."""
    names = sorted({rule for one in groups.values() for rule in one.rules}, key=lambda rule: (rule not in known, rule))
    return [
        {
            "rule": rule,
            "is_gate": rule in known,
            "numbers": [one.rules.get(rule, 0) for one in groups.values()],
            "shares": [one.rules.get(rule, 0) / max(1, one.specimens) for one in groups.values()],
        }
        for rule in names
    ]


def _labels(groups: Mapping[str, Tally]) -> list[dict[str, Any]]:
    """Share of specimens without a label, by rank, in each group."""
    found = []
    for rank in RANKS:
        numbers = [one.unlabelled.get(rank, 0) for one in groups.values()]
        of = [max(1, sum(one.distributions.get("order", {}).values())) for one in groups.values()]
        found.append({"rank": rank, "numbers": numbers, "shares": [n / m for n, m in zip(numbers, of, strict=True)]})
    return found


def shift(name: str, before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, Any] | None:
    """How a distribution changed: distance, and the values that changed most; None if one is empty."""
    apart = distance(before, after)
    if apart is None:
        return None
    values = [
        {"value": value, "before": then, "after": now, "number": after.get(value, 0)}
        for value, then, now in shares(before, after)[:_SHOWN]
        if then != now
    ]
    return {"distribution": name, "distance": apart, "values": values}


def _release_shifts(released: Mapping[str, Tally]) -> list[dict[str, Any]]:
    """The last release against the one before it."""
    if len(released) < 2:
        return []
    before, after = list(released.values())[-2:]
    return _shifts(
        [(name, before.distributions.get(name, {}), after.distributions.get(name, {})) for name in _DISTRIBUTIONS]
    )


def _shifts(pairs: Sequence[tuple[str, Mapping[str, int], Mapping[str, int]]]) -> list[dict[str, Any]]:
    return [one for name, before, after in pairs if (one := shift(name, before, after)) is not None]


def _batch_shifts(batches: Mapping[str, Tally]) -> list[dict[str, Any]]:
    """Each batch against all others, the farthest first."""
    found = []
    for batch, one in batches.items():
        others = [other for name, other in batches.items() if name != batch]
        pairs = [(name, summed(others, name), one.distributions.get(name, {})) for name in _DISTRIBUTIONS]
        found += [change | {"batch": batch} for change in _shifts(pairs)]
    return sorted(found, key=lambda change: (-change["distance"], change["batch"], change["distribution"]))


def detector(batches: Mapping[str, Tally]) -> list[dict[str, Any]]:
    """What the detector says of each batch: shares of its statuses, and means of confidence, exposure and blur."""
    rows = []
    for status in _STATUSES:
        values = [
            one.statuses.get(status, 0) / sum(one.statuses.values()) if one.statuses else None
            for one in batches.values()
        ]
        rows.append({"measure": status, "is_share": True, "values": values})
    for name in ("confidence", "exposure", "blur"):
        rows.append({"measure": name, "is_share": False, "values": [one.means.get(name) for one in batches.values()]})
    rows.append(
        {"measure": "detector", "is_share": False, "values": ["; ".join(b.detectors) for b in batches.values()]}
    )
    return rows


def expectations(found: pl.DataFrame) -> dict[str, Any]:
    """The history of every expectation, those that ever failed first.

    Args:
        found: `quality.history.HISTORY`.

    Returns:
        where: batches and releases in their order; rows: table, expectation, failing and rows (each a list along
        `where`, None where it was not evaluated).
    """
    batches = sorted({one for one in found["where"] if one.startswith("batch ")})
    releases = sorted(
        {one for one in found["where"] if one.startswith("release ")}, key=lambda one: int(one.rpartition("v")[2])
    )
    places = [*releases, *batches]
    rows = []
    for (table, expectation), group in found.group_by("table", "expectation", maintain_order=True):
        at = {row["where"]: row for row in group.iter_rows(named=True)}
        failing = [at[one]["failing"] if one in at else None for one in places]
        rows.append(
            {
                "table": table,
                "expectation": expectation,
                "failing": failing,
                "rows": [at[one]["rows"] if one in at else None for one in places],
                "ever_failed": any(failing),
            }
        )
    return {"where": places, "rows": sorted(rows, key=lambda row: not row["ever_failed"])}
