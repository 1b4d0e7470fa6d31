"""Batches that are far from their predecessors.

Belongs here: the rule. Does not belong here: what is measured (`profile`).

The predecessors of a batch are the other current batches, of the same settings and code, that were compared before it;
if those are fewer than `alerts.least_predecessors`, all other such batches. A figure x is reported if

    |x - m| > max(most_deviation * s, least_difference)

where m is the median of the predecessors and s their median absolute deviation times 1.4826, which for normally
distributed figures is their standard deviation. A few odd predecessors change neither. To a share, the sampling error
of a batch of this size is added: s = hypot(s, sqrt(m * (1 - m) / n)). Where all predecessors are alike s is 0, and
`least_difference` decides. A country is reported if no predecessor has it, and it has at least `new_country_share` of
the batch's records with a country.

A delivery is compared with earlier batches only, and once. Later batches do not change the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import median

from bioscan_etl.alerts.conditions import Conditions, batch_subject
from bioscan_etl.alerts.event import alert, event_id
from bioscan_etl.alerts.profile import MEASURES, Measure, Profile, is_kept, profile_of
from bioscan_etl.errors import LakeError
from bioscan_etl.lake.record import Record
from bioscan_etl.lake.store import Lake
from bioscan_etl.settings import AlertSettings

MOST_PROFILES = 20
"""Batches that one round measures. A table of 100,000 rows takes about 0.1 s, and a round should take seconds."""
_TO_SIGMA = 1.4826  # 1 / the third quartile of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Deviation:
    """A figure of a batch that is far from its predecessors.

    Attributes:
        measure: the figure.
        value: of the batch.
        median: of the predecessors.
        most: largest difference from the median that is not reported.
        predecessors: how many there are.
    """

    measure: Measure
    value: float
    median: float
    most: float
    predecessors: int

    @property
    def sentence(self) -> str:
        """What a message says."""
        low = max(0.0, self.median - self.most)
        high = (
            min(self.measure.whole, self.median + self.most) if self.measure.unit != "bp" else self.median + self.most
        )
        shown = [_shown(self.measure, one) for one in (self.value, self.median, low, high)]
        return (
            f"{self.measure.title}: {shown[0]}; median of {self.predecessors} predecessors {shown[1]}, "
            f"expected {shown[2]} to {shown[3]}"
        )


def _shown(measure: Measure, value: float) -> str:
    return f"{100 * value:.1f} %" if measure.is_share else f"{value:.0f} {measure.unit}"


def deviations(batch: Profile, predecessors: Sequence[Profile], settings: AlertSettings) -> list[Deviation]:
    """The figures of a batch that are far from those of its predecessors.

    Args:
        batch: its figures.
        predecessors: theirs; those with too few images, records or barcodes do not count.
        settings: the thresholds.
    """
    found = []
    for measure in MEASURES:
        others = [one.values[measure.id] for one in predecessors if _counts(one, measure, settings)]
        if not _counts(batch, measure, settings) or len(others) < settings.least_predecessors:
            continue
        value, middle = batch.values[measure.id], median(others)
        spread = _TO_SIGMA * median(abs(one - middle) for one in others)
        if measure.is_share:
            spread = hypot(spread, sqrt(middle * (1 - middle) / batch.numbers[measure.of]))
        most = max(settings.most_deviation * spread, settings.least_difference * measure.whole)
        if abs(value - middle) > most:
            found.append(Deviation(measure, value, middle, most, len(others)))
    return found


def _counts(profile: Profile, measure: Measure, settings: AlertSettings) -> bool:
    return profile.numbers.get(measure.of, 0) >= settings.least_records and measure.id in profile.values


def new_countries(batch: Profile, predecessors: Sequence[Profile], settings: AlertSettings) -> dict[str, float]:
    """Share of the placed records by country that no predecessor has, largest first; small shares are left out."""
    others = [one for one in predecessors if sum(one.countries.values()) >= settings.least_records]
    placed = sum(batch.countries.values())
    if placed < settings.least_records or len(others) < settings.least_predecessors:
        return {}
    known = {iso for one in predecessors for iso in one.countries}
    shares = {iso: number / placed for iso, number in batch.countries.items() if iso not in known}
    ordered = sorted(shares.items(), key=lambda one: (-one[1], one[0]))
    return {iso: share for iso, share in ordered if share >= settings.new_country_share}


def add_deviating(
    found: Conditions, lake: Lake, records: Iterable[Record], compared: Mapping[str, str], settings: AlertSettings
) -> dict[str, str]:
    """Compare the batches that were not compared yet, and add an alert for each that is far from its predecessors.

    Args:
        found: what was found so far; alerts, and what could not be read, are added.
        lake: the corpus.
        records: of the current batches that are not withdrawn.
        compared: fingerprint of the delivery by batch that was compared before.
        settings: the thresholds.

    Returns:
        `compared`, with the batches of this round and without those that are not current any more.
    """
    current = {record.batch: record for record in records}
    done = {name: compared[name] for name in current if compared.get(name) == current[name].delivery}
    found.lasting |= {_id(current[name]) for name in done}
    waiting = [record for name, record in sorted(current.items()) if name not in done]
    if not waiting or len(current) <= settings.least_predecessors:
        return done
    profiles = _profiles(found, lake, current)
    if profiles is None:
        return done
    before = set(done)
    for record in waiting:
        if record.batch not in profiles:
            continue
        alike = [one for one in current.values() if one.batch != record.batch and _same_standard(one, record)]
        earlier = [one for one in alike if one.batch in before]
        chosen = earlier if len(earlier) >= settings.least_predecessors else alike
        predecessors = [profiles[one.batch] for one in chosen if one.batch in profiles]
        if len(predecessors) < settings.least_predecessors:
            continue
        done[record.batch] = record.delivery
        found.lasting.add(_id(record))
        _add(found, record, profiles[record.batch], predecessors, settings)
    return done


def _profiles(found: Conditions, lake: Lake, current: Mapping[str, Record]) -> dict[str, Profile] | None:
    """The figures by batch; None while some are still to be measured in later rounds."""
    missing = [record for record in current.values() if not is_kept(lake, record)]
    for record in missing[:MOST_PROFILES]:
        try:
            profile_of(lake, record)
        except LakeError as error:
            found.problems.append(str(error))
    if len(missing) > MOST_PROFILES:
        return None
    return {name: profile_of(lake, record) for name, record in current.items() if is_kept(lake, record)}


def _same_standard(one: Record, other: Record) -> bool:
    """Whether two batches were made with the same settings and code; otherwise their figures differ for that alone."""
    return one.settings == other.settings and all(
        name in one.stages and (one.stages[name].code, one.stages[name].extra) == (stage.code, stage.extra)
        for name, stage in other.stages.items()
    )


def _id(record: Record) -> str:
    return event_id("batch_deviates", batch_subject(record.batch), (record.delivery,))


def _add(
    found: Conditions, record: Record, batch: Profile, predecessors: Sequence[Profile], settings: AlertSettings
) -> None:
    lines = [one.sentence for one in deviations(batch, predecessors, settings)]
    lines += [
        f"country {iso}, which no predecessor has: {100 * share:.1f} % of the records with a country"
        for iso, share in new_countries(batch, predecessors, settings).items()
    ]
    if lines:
        title = f"batch {record.batch} is far from its predecessors"
        found.alerts.append(
            alert("batch_deviates", batch_subject(record.batch), (record.delivery,), title, tuple(lines))
        )
