"""The state of the corpus: what is current, what is stale and why, and what the next run would do.

Belongs here: the state of every batch and of the corpus, read from the lake alone. Sensors, `run` and `status` use
it. Does not belong here: doing the work (`bioscan_etl.stages.run`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioscan_etl import landing
from bioscan_etl.errors import BioscanError, LakeError, sentence
from bioscan_etl.lake import decisions, failures, pins, small_files, withdrawals
from bioscan_etl.lake.failures import Failure
from bioscan_etl.lake.pins import Pin
from bioscan_etl.lake.record import Record, committed, find_record
from bioscan_etl.lake.store import Lake, digest
from bioscan_etl.landing import Batch
from bioscan_etl.release import versions
from bioscan_etl.release.manifest import read_head
from bioscan_etl.settings import Settings
from bioscan_etl.stages.commit import corpus_state, holding_records, last_release
from bioscan_etl.stages.registry import BATCH_STAGES, STAGES, batch_settings
from bioscan_etl.stages.situation import Situation


@dataclass(frozen=True, slots=True)
class BatchState:
    """The state of a batch.

    Attributes:
        name: its name.
        delivery: what landed; None if nothing landed or the marker is damaged.
        record: its current outputs; None if there are none.
        reasons: why it must be ingested (again), one line each; empty if it is current.
        problem: why it cannot be ingested, in one line; empty if it can.
        failure: the last failed attempt with the same `key`.
        key: identifies what must be ingested: delivery, settings and code.
        withdrawn: why a curator withdrew it; empty if it is not withdrawn.
    """

    name: str
    delivery: Batch | None
    record: Record | None
    reasons: tuple[str, ...]
    problem: str
    failure: Failure | None
    key: str
    withdrawn: str = ""
    settings_differ: bool = False

    @property
    def is_current(self) -> bool:
        """Whether its outputs were made from the landed delivery with the present settings and code."""
        return self.record is not None and not self.reasons

    @property
    def status(self) -> str:
        """One word: withdrawn, current, damaged, failed, stale or landed (not ingested yet)."""
        if self.withdrawn:
            return "withdrawn"
        if self.is_current:
            return "current"
        if self.problem:
            return "damaged"
        if self.failure is not None:
            return "failed"
        return "stale" if self.record is not None else "landed"

    @property
    def wants_work(self) -> bool:
        """Whether it should be ingested, and can be, apart from an earlier failure."""
        return self.status in ("stale", "landed", "failed")


def survey(lake: Lake, settings: Settings) -> list[BatchState]:
    """The state of every batch that has landed or is current, sorted by name; a damaged batch does not hide others.

    Raises:
        LakeError: the lake has another layout.
        SettingsError: the detector of the settings cannot be loaded.
    """
    lake.require_format()
    gone = withdrawals.withdrawn(lake)
    wanted = _Wanted(lake, settings)
    landed = set(landing.landed(lake))
    names = sorted({*landed, *committed(lake)})
    return [_state(lake, name, wanted, landed=name in landed, withdrawn=gone.get(name, "")) for name in names]


class _Wanted:
    """What every batch must be made with: settings, code and inputs other than the delivery."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        situation = Situation(lake, settings)
        self.settings = settings.values(batch_settings())
        self.code = {name: situation.code(name) for name in BATCH_STAGES}
        self.extra = {name: situation.extra_of(STAGES[name]) for name in BATCH_STAGES}
        self.digest = digest([self.settings, self.code, self.extra])


def _state(lake: Lake, name: str, wanted: _Wanted, *, landed: bool, withdrawn: str) -> BatchState:
    record, delivery, problem, reasons = None, None, "", []
    try:
        record = find_record(lake, name) if landing.is_name(name) else None
    except LakeError as error:
        reasons.append(sentence(error))
    try:
        delivery = landing.load(lake, name) if landed else None
    except BioscanError as error:
        problem = sentence(error)
    if delivery is not None:
        if record is not None and record.delivery != delivery.fingerprint:
            reasons.append("another delivery has landed")
        elif record is None and not reasons:
            reasons.append("not ingested yet")
    if record is not None:
        reasons += _differences(lake, record, wanted)
        if delivery is None and not problem and reasons:
            problem = f"its delivery is missing from {lake.landing / name}; land it again, or withdraw the batch"
    # A broken marker does not make current outputs stale, but someone must look at it.
    if problem and not reasons:
        reasons.append("its marker cannot be read")
    key = digest([delivery.fingerprint if delivery else "", wanted.digest])
    failure = failures.find(lake, name) if landing.is_name(name) else None
    return BatchState(
        name=name,
        delivery=delivery,
        record=record,
        reasons=tuple(reasons),
        problem=problem,
        failure=failure if failure is not None and failure.key == key and reasons else None,
        key=key,
        withdrawn=withdrawn,
        settings_differ=record is not None and bool(_changed_values(record.settings, wanted.settings)),
    )


def work_key(lake: Lake, settings: Settings, batch: Batch) -> str:
    """Identifies what must be made from a delivery: its content, the settings and the code."""
    return digest([batch.fingerprint, _Wanted(lake, settings).digest])


def corpus_key(situation: Situation) -> str:
    """Identifies what a release of this pin would be made from."""
    return digest(corpus_state(situation))


def _differences(lake: Lake, record: Record, wanted: _Wanted) -> list[str]:
    found = [f"setting {line}" for line in _changed_values(record.settings, wanted.settings)]
    for name in BATCH_STAGES:
        made = record.stages.get(name)
        if made is None:
            found.append(f"{name} was not made")
            continue
        found += code_changes(name, made.code, wanted.code[name])
        for what in sorted({*made.extra, *wanted.extra[name]}):
            if made.extra.get(what) != wanted.extra[name].get(what):
                found.append(f"another {what} ({name})")
        output = lake.find(name, made.fingerprint, record.batch)
        if output is None or not output.is_whole:
            found.append(f"files of {name} are missing from the lake")
    return found


def _changed_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Settings that differ, one line each."""
    return [
        f"{name}: {before.get(name, 'unknown')} -> {after.get(name, 'removed')}"
        for name in sorted({*before, *after})
        if name not in before or name not in after or before[name] != after[name]
    ]


def code_changes(stage: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Differences in the code of a stage, one line each."""
    found = []
    for part in sorted({*before, *after}):
        then, now = before.get(part), after.get(part)
        if then == now:
            continue
        if isinstance(then, Mapping) and isinstance(now, Mapping):
            for name in sorted({*then, *now}):
                if then.get(name) != now.get(name):
                    shown = f" {then.get(name, 'none')} -> {now.get(name, 'none')}" if part == "libraries" else ""
                    found.append(f"{name}{shown} changed ({stage})")
        else:
            found.append(f"code of {stage}: {then} -> {now}")
    return found


@dataclass(frozen=True, slots=True)
class CorpusState:
    """What the next corpus run would do.

    Attributes:
        batches: the state of every batch.
        reasons: why a release is due, one line each; empty if the last one is up to date.
        blocked: why no release can be made, in one line; empty if one can.
        failure: the last failed attempt at the release that is due.
        key: identifies what the release would be made from.
        pin: the batches that it would read; None if it is blocked.
        last: version of the last release, or empty.
    """

    batches: Sequence[BatchState]
    reasons: tuple[str, ...]
    blocked: str
    failure: Failure | None
    key: str
    pin: Pin | None
    last: str
    to_ingest: tuple[str, ...] = field(default_factory=tuple)


def corpus(lake: Lake, settings: Settings, batches: Sequence[BatchState] | None = None) -> CorpusState:
    """The state of the corpus; raises the errors of `survey`."""
    states = survey(lake, settings) if batches is None else batches
    last = last_release(lake)
    to_ingest = tuple(one.name for one in states if one.wants_work)
    try:
        pin = choose_pin(lake, settings, states)
        situation = Situation(lake, settings, pin=pin)
        now = corpus_state(situation)
    except BioscanError as error:
        return CorpusState(states, (), sentence(error), None, "", None, str(last.get("version", "")), to_ingest)
    key = corpus_key(situation)
    reasons = _due(last.get("made_from"), now)
    latest = versions.latest(lake.releases)
    if not reasons and (latest is None or latest.name != last.get("version")):
        reasons = ["the last release is not in the releases folder"]
    target = settings.release.publish_to
    if not reasons and target and last.get("mirrored") != target:
        reasons = [f"release {last.get('version')} is not mirrored to {target} yet"]
    failure = failures.find(lake, corpus=True)
    return CorpusState(
        states,
        tuple(reasons),
        "",
        failure if failure is not None and failure.key == key and reasons else None,
        key,
        pin,
        str(last.get("version", "")),
        to_ingest,
    )


def _due(before: Any, now: Mapping[str, Any]) -> list[str]:
    if not isinstance(before, Mapping):
        return ["there is no release yet"]
    found = []
    then = before.get("batches", {})
    for name in sorted({*then, *now["batches"]}):
        if name not in then:
            found.append(f"batch {name} was added")
        elif name not in now["batches"]:
            found.append(f"batch {name} was withdrawn")
        elif then[name] != now["batches"][name]:
            found.append(f"batch {name} was ingested again")
    if before.get("withdrawn") != now["withdrawn"] and not found:
        found.append("withdrawals changed")
    found += [f"setting {line}" for line in _changed_values(before.get("settings", {}), now["settings"])]
    codes = before.get("code", {})
    for name in now["code"]:
        found += code_changes(name, codes.get(name, {}), now["code"][name])
    if before.get("decisions", "") != now["decisions"]:
        found.append("the curators' decisions changed")
    if before.get("proposals", "") != now["proposals"]:
        found.append("the users' reports changed")
    return found


def choose_pin(
    lake: Lake,
    settings: Settings,
    batches: Sequence[BatchState],
    files: decisions.Files | None = None,
    reports: decisions.Files | None = None,
) -> Pin:
    """Choose the batches of the next release: all current batches that are not withdrawn.

    If a new delivery of a batch failed, its previous delivery is used, provided that it was made with the present
    settings; a note states this. A batch that was never ingested only gets a note.

    Args:
        lake: the lake.
        settings: of the corpus.
        batches: the state of every batch.
        files: the curators' decisions; None: as they are now.
        reports: the users' reports; None: as they are now.

    Raises:
        LakeError: a batch is stale, or was made with other settings and cannot be ingested again, or was in the last
            release and is missing; or no batch is left.
    """
    files = decisions.find(lake) if files is None else files
    reports = decisions.find(lake, decisions.REPORTS) if reports is None else reports
    records, notes, stale = {}, {}, []
    gone = {one.name: one.withdrawn for one in batches if one.withdrawn}
    for one in batches:
        if one.withdrawn:
            continue
        why = one.problem or (one.failure.sentence if one.failure else "")
        if one.record is None:
            if landing.is_name(one.name):
                notes[one.name] = f"not in this release: {why or 'landed, not ingested yet'}"
            continue
        if one.is_current:
            records[one.name] = one.record
        elif one.settings_differ:
            stale.append(f"{one.name} ({one.reasons[0]}{f'; {why}' if why else ''})")
        elif why or (one.delivery is not None and one.reasons == ("another delivery has landed",)):
            # The previous delivery is complete and has these settings: use it until the new one is ingested.
            if any("missing from the lake" in reason for reason in one.reasons):
                stale.append(f"{one.name} ({one.reasons[-1]}; {why})")
                continue
            records[one.name] = one.record
            notes[one.name] = f"this release contains the previous delivery ({one.record.delivery[:12]}): " + (
                why or "the new one is not ingested yet"
            )
        else:
            stale.append(f"{one.name} ({one.reasons[0]})")
    if unknown := withdrawals.damaged(lake):
        raise LakeError(f"the withdrawals cannot be read: {next(iter(unknown.values()))}")
    if stale:
        raise LakeError(
            f"{len(stale)} batches are not current: {'; '.join(stale[:5])}"
            f"{' …' if len(stale) > 5 else ''}; ingest them first (bioscan-etl run), or withdraw those that fail"
        )
    _require_last(lake, records, gone, batches)
    if not records:
        raise LakeError("no batch is ingested yet" + (f": {_first(notes)}" if notes else ""))
    return Pin(settings.digest(), dict(sorted(records.items())), gone, files.digest, reports.digest, notes)


def _first(notes: Mapping[str, str]) -> str:
    name = next(iter(notes))
    return f"batch {name}: {notes[name]}"


def _require_last(
    lake: Lake, records: Mapping[str, Record], gone: Mapping[str, str], batches: Sequence[BatchState]
) -> None:
    """Refuse to lose a batch of the last release in silence."""
    made = versions.versions(lake.releases)
    if not made:
        return
    try:
        head = read_head(made[-1])
    except (OSError, ValueError):
        return  # `versions.published` says so where it matters
    provenance = head.get("provenance")
    held = set(provenance["batches"]) if provenance else {one["batch"] for one in head.get("inputs", [])}
    lost = sorted(held - set(records) - set(gone))
    if lost:
        states = {one.name: one for one in batches}
        why = [
            f"{name} ({states[name].problem or ', '.join(states[name].reasons) if name in states else 'it is missing'})"
            for name in lost
        ]
        raise LakeError(
            f"release {made[-1].name} contains batches that the next one would lose: {'; '.join(why[:5])}; land "
            "them again, or withdraw them: bioscan-etl withdraw BATCH --reason TEXT"
        )


def pin_now(lake: Lake, settings: Settings) -> Pin:
    """Choose the batches of a corpus run and save the choice; their outputs are kept at least until the release.

    Raises:
        LakeError: see `choose_pin`.
    """
    with holding_records(lake):
        files, reports = decisions.find(lake), decisions.find(lake, decisions.REPORTS)
        pin = choose_pin(lake, settings, survey(lake, settings), files, reports)
        decisions.save_copy(lake, files)
        decisions.save_copy(lake, reports)
        pins.save_pin(lake, pin)
        small_files.write(lake.home / "pinned.json", {"pin": pin.digest})
    return pin


def pin_of_last_run(lake: Lake) -> str:
    """Digest of the pin of the last corpus run.

    Raises:
        LakeError: no run was pinned yet.
    """
    found = (small_files.read(lake.home / "pinned.json") or {}).get("pin")
    if not isinstance(found, str):
        raise LakeError("no batches are pinned yet; start the corpus run at the stage specimens")
    return found
