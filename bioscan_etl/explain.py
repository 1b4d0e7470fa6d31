"""What happened to one specimen, and why: every row, image, rule, gate, change, partition and release of a process ID.

Belongs here: finding it in the lake and the releases, with filters over scans, so that no table is held in memory.
Does not belong here: the words (`bioscan_etl.cli.why`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl import schema, state, vocabulary
from bioscan_etl.errors import BioscanError, SourceError, sentence
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.lake.current import current
from bioscan_etl.lake.record import Record, find_record
from bioscan_etl.lake.store import Lake
from bioscan_etl.release import staging
from bioscan_etl.release.scan import scan_release
from bioscan_etl.rules import Rule, registry
from bioscan_etl.settings import Settings

MOST = 50
"""Most rows of one table that are shown; many rejected lines can contain a short text."""

_AROUND = 60  # letters of a rejected line on each side of the process ID
_READ = ("batch", "source_file", "source_line", "record_id", "snapshot_date")
_ASIDE = (*_READ, "reason", "kept_batch", "kept_record_id")
_CHECKED = ("checked_barcodes", "checked_geography", "normalised_names")
Row = dict[str, Any]


@dataclass(slots=True)
class Why:
    """All findings about a process ID; a row is a plain dictionary.

    Attributes:
        processid: the process ID searched for.
        batches: batch, status, why; each batch that has a row or an image of it.
        read: batch, source_file, source_line, record_id, snapshot_date; one row per batch with a record.
        set_aside: the same, and reason, kept_batch, kept_record_id; a row superseded by another batch is in both.
        rejected: batch, source_file, source_line, reason, detail, text; lines whose text contains the process ID.
        images: batch, image_file, status, detail, box, confidence; box is the detector's status.
        rules: batch, stage, rule, statement; batch is empty for the stages of the corpus.
        gates: gate, statement; of the current specimen.
        changes: field, step, before, after, rule, evidence, statement; of the current change log.
        partitions: split, before, reason; before and reason are set if it moved. At most one row.
        releases: version, place, split, labels, moved_from, moved_reason; one row per release, oldest first.
        problems: what could not be read, one line each.
    """

    processid: str
    batches: list[Row] = field(default_factory=list)
    read: list[Row] = field(default_factory=list)
    set_aside: list[Row] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    images: list[Row] = field(default_factory=list)
    rules: list[Row] = field(default_factory=list)
    gates: list[Row] = field(default_factory=list)
    changes: list[Row] = field(default_factory=list)
    partitions: list[Row] = field(default_factory=list)
    releases: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Whether any batch or release contains it."""
        here = (self.read, self.set_aside, self.rejected, self.images, self.changes)
        return any(here) or any(row["place"] != _ABSENT for row in self.releases)


_ABSENT = "not in this release"


def explain(lake: Lake, settings: Settings, processid: str) -> Why:
    """Find all that is known of a process ID; a damaged file or release is named and hides no other.

    Args:
        lake: the corpus.
        settings: its settings, which decide which batches are current.
        processid: matched exactly and case-sensitively.

    Raises:
        SourceError: the process ID is empty.
        BioscanError: the state of the batches cannot be determined; see `state.survey`.
    """
    if not processid.strip():
        raise SourceError("give a process ID")
    return _Search(lake, settings, processid.strip()).run()


class _Search:
    """One search for a process ID."""

    def __init__(self, lake: Lake, settings: Settings, processid: str) -> None:
        self._lake = lake
        self._settings = settings
        self._known: Mapping[str, Rule] = registry()
        self._is_it = pl.col("processid") == processid
        self._found = Why(processid)

    def run(self) -> Why:
        """Search each batch, the corpus and each release."""
        for one in state.survey(self._lake, self._settings):
            try:
                record = find_record(self._lake, one.name) if one.record is not None else None
            except BioscanError as error:
                self._found.problems.append(sentence(error))
                continue
            if record is not None and self._batch(record):
                said = one.withdrawn or one.problem or (one.failure.sentence if one.failure else "")
                reasons = said or "; ".join(one.reasons[:MOST])
                self._found.batches.append({"batch": one.name, "status": one.status, "why": reasons})
        self._corpus()
        for folder in staging.versions(self._lake.releases):
            self._release(folder)
        return self._found

    def _batch(self, record: Record) -> bool:
        """Search the outputs of a batch; returns whether they contain the process ID."""
        found = self._found
        read = self._rows(record, "raw_records", "records", _READ)
        aside = self._rows(record, "raw_records", "set_aside", _ASIDE)
        rejected = self._rejected(record)
        images = self._images(record)
        found.read += read
        found.set_aside += aside
        found.rejected += rejected
        found.images += images
        for stage in _CHECKED:
            for row in self._rows(record, stage, stage, ("flags",)):
                self._add_rules(record.batch, stage, row["flags"])
        return bool(read or aside or rejected or images)

    def _rejected(self, record: Record) -> list[Row]:
        """Rejected lines whose text contains the process ID as a whole word, with the text around it."""
        wanted = self._found.processid
        edge = "[A-Za-z0-9-]"
        text = pl.col("raw_text")
        held = text.str.contains(wanted, literal=True)
        if re.fullmatch(schema.PROCESSID_PATTERN, wanted):
            held = held & text.str.contains(f"(?:^|[^A-Za-z0-9-]){re.escape(wanted)}(?:$|[^A-Za-z0-9-])")
        columns = ("batch", "source_file", "source_line", "reason", "detail", "raw_text")
        rows = self._rows(record, "raw_records", "rejects", columns, held)
        for row in rows:
            line = str(row.pop("raw_text"))
            hits = re.search(f"(?<!{edge}){re.escape(wanted)}(?!{edge})", line) or re.search(re.escape(wanted), line)
            at = hits.start() if hits else 0
            start, end = max(0, at - _AROUND), at + len(wanted) + _AROUND
            row["text"] = f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"
        return rows

    def _images(self, record: Record) -> list[Row]:
        """Image files of the batch, with the detector's result for the image that is used."""
        columns = ("batch", "image_file", "status", "detail")
        images = self._rows(record, "specimen_images", "image_index", columns)
        boxes = self._rows(record, "specimen_boxes", "boxes", ("image_file", "status", "confidence", "flags", "detail"))
        by_file = {box["image_file"]: box for box in boxes}
        for image in images:
            box = by_file.get(image["image_file"], {})
            image["detail"] = image["detail"] or box.get("detail")
            image["box"], image["confidence"] = box.get("status"), box.get("confidence")
        for box in boxes:
            self._add_rules(record.batch, "specimen_boxes", box["flags"])
        return images

    def _add_rules(self, batch: str, stage: str, flags: Sequence[str]) -> None:
        self._found.rules += [
            {"batch": batch, "stage": stage, "rule": flag, "statement": self._statement(flag)} for flag in flags
        ]

    def _statement(self, rule: str) -> str:
        known = self._known.get(rule)
        return known.statement if known else ""

    def _corpus(self) -> None:
        """Search the current outputs of the corpus."""
        found = self._found
        # Records superseded by those of another batch are only known in the corpus.
        aside = {(row["batch"], row["source_file"], row["source_line"], row["reason"]) for row in found.set_aside}
        found.set_aside += [
            row
            for row in self._current("specimens", "set_aside", _ASIDE)
            if (row["batch"], row["source_file"], row["source_line"], row["reason"]) not in aside
        ]
        seen = {row["rule"] for row in found.rules}
        for row in self._current("specimens", "specimens", ("flags", "gates")):
            # The flags of its batches are listed already.
            self._add_rules("", "specimens", [flag for flag in row["flags"] if flag not in seen])
            found.gates += [{"gate": gate, "statement": self._statement(gate)} for gate in row["gates"]]
        seen = {row["rule"] for row in found.rules}
        for row in self._current("curated_taxonomy", "curated", ("flags",)):
            self._add_rules("", "curated_taxonomy", [flag for flag in row["flags"] if flag not in seen])
        columns = ("field", "step", "before", "after", "rule", "evidence")
        changes = self._current("curated_taxonomy", "changes", columns)
        for row in sorted(changes, key=lambda row: (row["field"], row["step"])):
            found.changes.append(row | {"statement": self._statement(row["rule"])})
        moves = self._current("partitions", "partition_moves", ("before", "reason"))
        moved = moves[0] if moves else {"before": None, "reason": None}
        found.partitions += [row | moved for row in self._current("partitions", "partitions", ("split",))]

    def _release(self, folder: Path) -> None:
        """Search a release: its rows, otherwise where the specimen was quarantined, set aside or rejected."""
        row: Row = {"version": folder.name, "place": _ABSENT, "split": None, "labels": {}, "verification_status": None}
        row |= {"moved_from": None, "moved_reason": None}
        try:
            opened = scan_release(folder)
            wanted = ("split", "verification_status", *vocabulary.RANKS)
            names = [name for name in wanted if name in opened.columns()]
            released = opened.rows.filter(self._is_it).select(names).head(1).collect(engine="streaming").to_dicts()
            if released:
                labels = {rank: released[0].get(rank) for rank in vocabulary.RANKS}
                status = released[0].get("verification_status")
                row |= {"place": "released", "split": released[0].get("split"), "labels": labels}
                row |= {"verification_status": status}
            else:
                held = opened.held_back(pl.LazyFrame({"processid": [self._found.processid]}))
                row["place"] = held["place"][0] if held.height else _ABSENT
            moves = opened.moves().filter(self._is_it).select("before", "reason").head(1).collect().to_dicts()
            if moves:
                row |= {"moved_from": moves[0]["before"], "moved_reason": moves[0]["reason"]}
        except (BioscanError, pl.exceptions.PolarsError, OSError, UnicodeError) as error:
            self._found.problems.append(f"release {folder.name}: {sentence(error)}")
            return
        self._found.releases.append(row)

    def _rows(
        self, record: Record, stage: str, table: str, columns: Sequence[str], where: pl.Expr | None = None
    ) -> list[Row]:
        """Rows of a batch's table."""
        try:
            path = record.output(self._lake, stage).path(f"{table}.parquet")
        except (BioscanError, KeyError) as error:
            self._found.problems.append(f"{stage} of {record.batch}: {sentence(error)}")
            return []
        return self._scan(path, columns, where)

    def _current(self, stage: str, table: str, columns: Sequence[str]) -> list[Row]:
        """Rows of a current table of the corpus; none if it does not exist yet."""
        output = current(self._lake, stage)
        if output is None or f"{table}.parquet" not in output.files:
            return []
        return self._scan(output.folder / f"{table}.parquet", columns, None)

    def _scan(self, path: Path, columns: Sequence[str], where: pl.Expr | None) -> list[Row]:
        try:
            rows = scan_parquet(path).filter(self._is_it if where is None else where).select(columns)
            found = rows.head(MOST + 1).collect(engine="streaming").to_dicts()
        except (pl.exceptions.PolarsError, OSError) as error:
            self._found.problems.append(f"{path}: {sentence(error)}")
            return []
        if len(found) > MOST:
            self._found.problems.append(f"{path} has more matching rows; {MOST} are shown")
        return found[:MOST]
