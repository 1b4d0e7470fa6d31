"""kill -9 of everything the UI consists of, at random moments of a backfill: it completes, to the same bytes."""

import os
import random
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from lake_corpus import tree
from ui_process import ui, until

from bioscan_etl.cli import main
from bioscan_etl.lake import Lake
from bioscan_etl.lake.record import committed
from bioscan_etl.landing import register
from bioscan_etl.schema import BCDM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
KILLS, KILLS_OF_THE_RELEASE = int(os.environ.get("BIOSCAN_KILLS", "4")), 1
BATCHES = 2 * KILLS
"""Four kills, one of each kind, take four minutes; after a change of the supervisor, try twenty."""
SEED = 12
WEIGHTS = {"run": 4, "daemon": 1, "code server": 1, "web server": 1}
PACE = (
    "[automation]\ntick_seconds = 5\nsettle_minutes = 0\nretry_minutes = 0.02\nretry_at_most = 99\n"
    'nightly_release = ""\nrelease_when_settled = {release}\n'
    '[gates]\nimage_statuses = ["detected", "low_confidence", "empty", "multiple"]\n'
)
HEADER = ["processid", *(column.name for column in BCDM)]


def delivery(folder: Path, number: int) -> tuple[Path, Path]:
    """A records file of two specimens, and their images: a dark shape on a light ground, another for each."""
    chance = np.random.default_rng(number)
    rows = []
    images = folder / f"images-{number:02}"
    images.mkdir(parents=True)
    for copy in "AB":
        processid = f"KILL{number:02}{copy}-24"
        nuc = "".join(chance.choice(list("ACGT"), 640))
        values = {"processid": processid, "marker_code": "COI-5P", "nuc": nuc, "phylum": "Arthropoda"}
        rows.append(dict.fromkeys(HEADER, "None") | values)
        picture = np.full((192, 256, 3), 220, np.uint8)
        middle, axes = chance.integers(70, 120, 2), chance.integers(15, 40, 2)
        cv2.ellipse(picture, middle.tolist(), axes.tolist(), 30.0, 0, 360, (40, 60, 50), -1)
        cv2.imwrite(str(images / f"{processid}.jpg"), picture)
    records = folder / f"records-{number:02}.tsv"
    records.write_text("\n".join("\t".join(row) for row in [HEADER, *(row.values() for row in rows)]) + "\n")
    return records, images


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deliveries")
    return [delivery(folder, number) for number in range(BATCHES)]


def corpus(output: Path, deliveries, *, release: bool) -> Lake:
    lake = Lake(output)
    output.mkdir()
    (output / "settings.toml").write_text(PACE.format(release=str(release).lower()))
    for number, (records, images) in enumerate(deliveries):
        register(lake, f"b{number:02}", [str(records)], [str(images)])
    return lake


def victims(home: Path) -> dict[str, list[int]]:
    """Living processes of a UI by what they are."""
    mark = f"DAGSTER_HOME={home}".encode()
    kinds = {
        "web server": "definitions/server.py",
        "daemon": "dagster._daemon",
        "code server": "--location-name bioscan_etl",
        "run": "spawn_main",
    }
    found: dict[str, list[int]] = {kind: [] for kind in kinds}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        for kind, sign in kinds.items():
            if sign in command:
                found[kind].append(int(entry.name))
    return found


def kill_one(home: Path, chance: random.Random, wanted: str | None = None) -> str:
    """Kill a living process of a kind, or of any, most often a run; what it was, or nothing where there was none."""
    living = victims(home)
    kinds = [kind for kind, weight in WEIGHTS.items() if living[kind] for _ in range(weight)]
    if not kinds or (wanted and wanted not in kinds):
        return ""
    kind = wanted or chance.choice(kinds)
    try:
        os.kill(chance.choice(living[kind]), signal.SIGKILL)
    except ProcessLookupError:
        return ""
    return kind


def test_a_backfill_survives_kills(tmp_path, deliveries):
    undisturbed = corpus(tmp_path / "undisturbed", deliveries, release=True)
    assert main(["run", "--output", str(undisturbed.root)]) == 0
    lake = corpus(tmp_path / "killed", deliveries, release=False)
    home = lake.root / ".dagster"
    chance = random.Random(SEED)
    killed: list[str] = []
    once = dict(enumerate(chance.sample(list(WEIGHTS), len(WEIGHTS))))  # each kind, then any

    def ingested() -> int:
        return len(committed(lake))

    with ui(lake.root) as running:
        while len(killed) < KILLS and ingested() < BATCHES:
            time.sleep(chance.uniform(2, 9))
            if kind := kill_one(home, chance, once.get(len(killed))):
                killed.append(kind)
        until(lambda: ingested() == BATCHES, 1200, running, f"not all batches are ingested after {killed}")
    # A restart, now with releases; the run of the release is killed, too.
    (lake.root / "settings.toml").write_text(PACE.format(release="true"))
    with ui(lake.root) as running:
        deadline = time.monotonic() + 300
        more = 0
        while more < KILLS_OF_THE_RELEASE and time.monotonic() < deadline and not (lake.releases / "v1").exists():
            time.sleep(chance.uniform(2, 6))
            if kind := kill_one(home, chance):
                killed.append(f"{kind} of the release")
                more += 1
        until((lake.releases / "latest").exists, 900, running, f"no release after {killed}")
        until(lambda: not victims(home)["run"], 300, running, "a run goes on")
    (tmp_path / "killed.txt").write_text("\n".join(killed))
    assert len(killed) >= KILLS, f"the backfill was done before it could be disturbed: {killed}"
    assert set(WEIGHTS) <= set(killed), killed
    assert sorted(path.name for path in lake.releases.iterdir() if path.name.startswith("v")) == ["v1"]
    whole, disturbed = tree(undisturbed.releases / "v1"), tree(lake.releases / "v1")
    assert sorted(whole) == sorted(disturbed)
    assert [name for name, data in whole.items() if data != disturbed[name]] == []
