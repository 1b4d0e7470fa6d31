"""The one answer to what is current, what is stale and why, and what the next run would do.

Belongs here: the state of every batch and of the corpus, read from the lake alone. Sensors, `run` and `status` ask
here. Does not belong here: doing the work (`bioscan_etl.stages.run`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioscan_etl import landing
from bioscan_etl.errors import BioscanError, LakeError, sentence
from bioscan_etl.lake import failures, pins, small_files, withdrawals
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
    """What is to be said of a batch.

    Attributes:
        name: of the batch.
        delivery: what landed; None where nothing did, or the marker is damaged.
        record: what is current of it; None where nothing is.
        reasons: why it is to be made (anew), one line each; empty where it is current.
        problem: why it cannot be made, in one line; empty where it can.
        failure: the last failed attempt at what is to be made now.
        key: names what is to be made: delivery, settings and code.
        withdrawn: why a curator withdrew it; empty where nobody did.
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
        """Whether its outputs are of what landed, with these settings and this code."""
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
        """Whether it should be made, and nothing is known that speaks against it but an earlier failure."""
        return self.status in ("stale", "landed", "failed")


def survey(lake: Lake, settings: Settings) -> list[BatchState]:
    """The state of every batch that has landed or is current, sorted by name; one damaged batch hides no other.

    Raises:
        LakeError: the lake is of another layout.
        SettingsError: the detector of the settings cannot be loaded.
    """
    lake.require_format()
    gone = withdrawals.withdrawn(lake)
    wanted = _Wanted(lake, settings)
    landed = set(landing.landed(lake))
    names = sorted({*landed, *committed(lake)})
    return [_state(lake, name, wanted, landed=name in landed, withdrawn=gone.get(name, "")) for name in names]


class _Wanted:
    """What every batch is to be made with now: settings, code and inputs that are no delivery."""

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
            problem = f"its delivery is gone from {lake.landing / name}; land it again, or withdraw the batch"
    # What is wrong with a marker does not make what is current stale; it is a reason to look.
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
    """Names what is to be made of a delivery now: content, settings and code."""
    return digest([batch.fingerprint, _Wanted(lake, settings).digest])


def corpus_key(situation: Situation) -> str:
    """Names what the release of a pin would be made from now."""
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
        f"{name}: {before.get(name, 'not known')} -> {after.get(name, 'gone')}"
        for name in sorted({*before, *after})
        if name not in before or name not in after or before[name] != after[name]
    ]


def code_changes(stage: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What of a stage's code differs, one line each."""
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
        reasons: why a release is due, one line each; empty where the last one is of what is there.
        blocked: why none can be made now, in one line; empty where one can.
        failure: the last failed attempt at the release that is due.
        key: names what the release would be made from.
        pin: the batches that it would read; None where it is blocked.
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
    """The state of the corpus; see `survey` for what it raises."""
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
        return ["no release is made yet"]
    found = []
    then = before.get("batches", {})
    for name in sorted({*then, *now["batches"]}):
        if name not in then:
            found.append(f"batch {name} came in")
        elif name not in now["batches"]:
            found.append(f"batch {name} was withdrawn")
        elif then[name] != now["batches"][name]:
            found.append(f"batch {name} was made anew")
    if before.get("withdrawn") != now["withdrawn"] and not found:
        found.append("withdrawals changed")
    found += [f"setting {line}" for line in _changed_values(before.get("settings", {}), now["settings"])]
    codes = before.get("code", {})
    for name in now["code"]:
        found += code_changes(name, codes.get(name, {}), now["code"][name])
    if before.get("extra") != now["extra"]:
        found.append("the overrides changed")
    return found


def choose_pin(lake: Lake, settings: Settings, batches: Sequence[BatchState]) -> Pin:
    """The batches that a release is made of now: every one that is current, and not withdrawn.

    A batch whose new delivery failed stays in with the one before, if that was made with these settings; a line says
    so. One that has not been ingested yet is only noted.

    Raises:
        LakeError: a batch is stale, was made with other settings and cannot be made anew, or was in the last release
            and is gone; or there is none.
    """
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
            # What is there is whole and of these settings: it stays until the new delivery is.
            if any("missing from the lake" in reason for reason in one.reasons):
                stale.append(f"{one.name} ({one.reasons[-1]}; {why})")
                continue
            records[one.name] = one.record
            notes[one.name] = f"this release holds the delivery before ({one.record.delivery[:12]}): " + (
                why or "the one that landed is not ingested yet"
            )
        else:
            stale.append(f"{one.name} ({one.reasons[0]})")
    if unknown := withdrawals.damaged(lake):
        raise LakeError(f"whether a batch is withdrawn cannot be read: {next(iter(unknown.values()))}")
    if stale:
        raise LakeError(
            f"{len(stale)} batches are not of the settings and code of now: {'; '.join(stale[:5])}"
            f"{' …' if len(stale) > 5 else ''}; ingest them first (bioscan-etl run), or withdraw what cannot be mended"
        )
    _require_last(lake, records, gone, batches)
    if not records:
        raise LakeError("no batch is ingested yet" + (f": {_first(notes)}" if notes else ""))
    return Pin(settings.digest(), dict(sorted(records.items())), gone, notes)


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
            f"{name} ({states[name].problem or ', '.join(states[name].reasons) if name in states else 'it is gone'})"
            for name in lost
        ]
        raise LakeError(
            f"release {made[-1].name} holds batches that the next one would lose: {'; '.join(why[:5])}; land them "
            "again, or say that they are to go: bioscan-etl withdraw BATCH --reason TEXT"
        )


def pin_now(lake: Lake, settings: Settings) -> Pin:
    """Choose the batches of a corpus run, and keep the choice: what it names is not removed before the release.

    Raises:
        LakeError: see `choose_pin`.
    """
    with holding_records(lake):
        pin = choose_pin(lake, settings, survey(lake, settings))
        pins.save_pin(lake, pin)
        small_files.write(lake.home / "pinned.json", {"pin": pin.digest})
    return pin


def pin_of_last_run(lake: Lake) -> str:
    """Digest of the pin that the last corpus run took.

    Raises:
        LakeError: there was none yet.
    """
    found = (small_files.read(lake.home / "pinned.json") or {}).get("pin")
    if not isinstance(found, str):
        raise LakeError("no batches are pinned yet; run the corpus from specimens on")
    return found
