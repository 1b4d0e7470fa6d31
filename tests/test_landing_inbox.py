"""The inbox: folders become batches once they are complete; what is wrong with one hides no other."""

import json
import os
import shutil

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_landing_folder import MANIFEST, TABLE, fill

from bioscan_etl import landing
from bioscan_etl.lake import Lake
from bioscan_etl.lake.locks import hold
from bioscan_etl.landing import Inbox, inbox


class Clock:
    """Sweeps a minute apart."""

    def __init__(self, lake: Lake, watched: str = "") -> None:
        self.lake, self.watched, self.now = lake, watched, 1_000_000.0

    def sweep(self, seconds: float = 60.0) -> Inbox:
        self.now += seconds
        return landing.sweep(self.lake, self.watched, now=self.now)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "out")
    lake.landing.mkdir(parents=True)
    return lake


@pytest.fixture
def clock(lake):
    return Clock(lake)


def put(folder, done=False, **files):
    return fill(folder, a__tsv=TABLE, images___A_1__jpg=b"jpeg", **files, **({"DONE": ""} if done else {}))


def one_line(found):
    return all(len(text.splitlines()) == 1 for text in [*found.waiting.values(), *found.refused.values()])


def test_nothing_is_no_trouble(tmp_path):
    assert landing.sweep(Lake(tmp_path / "no"), now=0.0) == Inbox()
    assert not (tmp_path / "no").exists()


def test_a_folder_with_done_lands_at_once(lake, clock):
    put(lake.landing / "b1", done=True, notes__xlsx="x")
    found = clock.sweep()
    assert found.landed == ["b1"]
    assert found.left_out == {"b1": ("notes.xlsx",)}
    batch = landing.load(lake, "b1")
    assert (batch.origin, batch.records[0].location, batch.images[0].location) == (".", "a.tsv", "images")
    assert clock.sweep() == Inbox()


def test_a_folder_without_done_lands_when_two_looks_are_alike(lake, clock):
    put(lake.landing / "b1")
    first = clock.sweep()
    assert first.landed == []
    assert first.waiting["b1"].startswith("2 files, still arriving")
    (lake.landing / "b1" / "images" / "A_2.jpg").write_bytes(b"jpeg")
    assert clock.sweep().waiting["b1"].startswith("3 files, still arriving")
    # Two looks within a moment are one.
    assert "still arriving" in clock.sweep(1.0).waiting["b1"]
    assert clock.sweep().landed == ["b1"]
    assert clock.sweep() == Inbox()
    assert json.loads((lake.landing / ".inbox.json").read_text())["folders"] == {}


def test_what_is_being_copied_is_waited_for(lake, clock):
    put(lake.landing / "b1", __a__zip__Xy1="half")
    clock.sweep()
    (lake.landing / "b1" / ".a.zip.Xy1").write_text("half and more")
    assert "still arriving" in clock.sweep().waiting["b1"]
    (lake.landing / "b1" / ".a.zip.Xy1").unlink()
    (lake.landing / "b1" / "plates.zip.part").write_text("half")
    clock.sweep()
    assert "plates.zip.part is not complete" in clock.sweep().waiting["b1"]
    (lake.landing / "b1" / "DONE").touch()
    assert clock.sweep().landed == ["b1"]


def test_the_state_is_written_only_when_it_changes(lake, clock, monkeypatch):
    put(lake.landing / "b1")
    fill(lake.landing / "bare", images___A_1__jpg=b"jpeg")
    written = []
    real = inbox._write_state
    monkeypatch.setattr(inbox, "_write_state", lambda *args: (written.append(1), real(*args)))
    clock.sweep()
    clock.sweep(1.0)
    assert len(written) == 1
    assert clock.sweep().landed == ["b1"]
    assert len(written) == 2
    for _ in range(3):
        assert "no records file" in clock.sweep().refused["bare"]
    assert len(written) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(30))
@given(
    st.binary(max_size=80)
    | st.sampled_from([b'{"version": 1}', b'{"version": 1, "folders": {"b1": {}}}', b"[" * 99999])
)
def test_a_damaged_state_is_started_anew(lake, clock, data):
    shutil.rmtree(lake.landing / "b1", ignore_errors=True)
    put(lake.landing / "b1")
    (lake.landing / ".inbox.json").write_bytes(data)
    assert clock.sweep().landed == []
    assert clock.sweep().landed == ["b1"]


def test_a_state_that_cannot_be_kept_is_said(lake, clock):
    put(lake.landing / "b1")
    (lake.landing / ".inbox.json").mkdir()
    found = clock.sweep()
    assert ".inbox.json" in found.refused
    assert "b1" in found.waiting
    assert one_line(found)


def test_one_bad_folder_hides_no_other(lake, clock, monkeypatch):
    put(lake.landing / "good", done=True)
    put(lake.landing / "plate 7", done=True)
    put(lake.landing / "plate-7", done=True)
    fill(lake.landing / "bare", DONE="", images___A_1__jpg=b"jpeg")
    fill(lake.landing / "cut", DONE="", a__tsv="")
    (lake.landing / "empty").mkdir()
    (lake.landing / "loose.tsv").write_text(TABLE)
    (lake.landing / "README.txt").write_text("text")
    (lake.landing / "gone").symlink_to("nowhere")
    fill(lake.landing / "damaged", DONE="", batch__json="{", a__tsv=TABLE)
    put(lake.landing / ".hidden", done=True)
    put(lake.landing / ("x" * 150), done=True)
    put(lake.landing / "broken", done=True)
    real = inbox.list_delivery

    def failing(location):
        if location.endswith("broken"):
            raise PermissionError(13, "Permission denied", location)
        return real(location)

    monkeypatch.setattr(inbox, "list_delivery", failing)
    found = clock.sweep()
    assert found.landed == ["good", "plate-7"]
    assert found.waiting.keys() == {"empty"}
    assert found.refused.keys() == {"plate 7", "bare", "cut", "loose.tsv", "gone", "broken", "x" * 150}
    assert "rename it, for example to plate-7" in found.refused["plate 7"]
    assert "add one, or an image manifest" in found.refused["bare"]
    assert "is empty" in found.refused["cut"]
    assert "put it into a folder of its own" in found.refused["loose.tsv"]
    assert "Permission denied" in found.refused["broken"]
    assert one_line(found)


def test_images_with_a_manifest_are_a_delivery(lake, clock):
    fill(lake.landing / "b1", DONE="", m__csv=MANIFEST, images___A_1__jpg=b"jpeg")
    assert clock.sweep().landed == ["b1"]


def test_a_folder_that_was_mended_lands_again(lake, clock):
    home = put(lake.landing / "b1", done=True)
    clock.sweep()
    first = landing.load(lake, "b1")
    (home / "images" / "A_1.jpg").write_bytes(b"JPEG")
    os.utime(home / "images" / "A_1.jpg", (1, 1))
    assert "changed since it landed" in clock.sweep().waiting["b1"]
    assert clock.sweep().landed == ["b1"]
    second = landing.load(lake, "b1")
    assert second.fingerprint != first.fingerprint
    (home / "a.tsv").write_text(TABLE.replace("ACGT", "ACGA"))
    later = (lake.landing / "b1" / "batch.json").stat().st_mtime + 10
    os.utime(home / "DONE", (later, later))
    assert clock.sweep().landed == ["b1"]
    assert landing.load(lake, "b1").fingerprint != second.fingerprint
    assert clock.sweep() == Inbox()


def test_touched_files_of_the_same_content_land_nothing_new(lake, clock):
    home = put(lake.landing / "b1", done=True)
    clock.sweep()
    first = landing.load(lake, "b1")
    os.utime(home / "a.tsv", (1, 1))
    clock.sweep()
    assert clock.sweep() == Inbox()
    second = landing.load(lake, "b1")
    assert second.seen != first.seen
    assert second.fingerprint == first.fingerprint
    assert clock.sweep() == Inbox()


def test_a_copied_tree_lands_nothing_new(lake, clock, tmp_path):
    watched = tmp_path / "inbox"
    put(watched / "b2", done=True)
    put(lake.landing / "b1", done=True)
    clock.watched = str(watched)
    assert clock.sweep().landed == ["b1", "b2"]
    copy = tmp_path.parent / f"{tmp_path.name}-copy"
    shutil.copytree(tmp_path, copy, copy_function=shutil.copyfile)
    shutil.rmtree(watched)
    copied = Clock(Lake(copy / "out"), str(copy / "inbox"))
    for _ in range(3):
        assert copied.sweep().landed == []
    for name in ("b1", "b2"):
        assert landing.load(copied.lake, name).fingerprint == landing.load(lake, name).fingerprint
    assert copied.sweep() == Inbox()


def test_a_mended_folder_that_lacks_something_is_refused_and_its_batch_stays(lake, clock):
    home = put(lake.landing / "b1", done=True)
    clock.sweep()
    before = landing.load(lake, "b1")
    (home / "a.tsv").unlink()
    clock.sweep()
    assert "no records file" in clock.sweep().refused["b1"]
    assert landing.load(lake, "b1") == before
    shutil.rmtree(home / "images")
    assert "its files are gone" in clock.sweep().waiting["b1"]


def test_what_was_registered_is_never_landed_again(lake, clock):
    home = put(lake.landing / "b1", done=True)
    batch = landing.register(lake, "b1", [str(home / "a.tsv")])
    (home / "a.tsv").write_text("other")
    for _ in range(3):
        assert clock.sweep() == Inbox()
    assert landing.load(lake, "b1") == batch


def test_a_folder_that_land_was_given_is_watched_wherever_it_lies(lake, clock, tmp_path):
    folder = put(tmp_path / "else" / "plate 7")
    landing.land(lake, [str(folder)], snapshot_date=None)
    assert clock.sweep() == Inbox()
    (folder / "images" / "A_2.jpg").write_bytes(b"jpeg")
    clock.sweep()
    assert clock.sweep().landed == ["plate-7"]
    shutil.rmtree(folder)
    assert clock.sweep() == Inbox()


def test_a_folder_in_landing_that_landed_under_another_name_is_no_second_batch(lake, clock):
    put(lake.landing / "b1", done=True)
    landing.land(lake, [str(lake.landing / "b1")], "other")
    assert clock.sweep() == Inbox()
    assert landing.landed(lake) == ["other"]


def test_a_folder_elsewhere_is_an_inbox(lake, clock, tmp_path):
    watched = tmp_path / "in box"
    put(watched / "b2", done=True)
    put(watched / "plate 7", done=True)
    put(watched / "later")
    (watched / "x.zip").write_bytes(b"x")
    clock.watched = str(watched)
    found = clock.sweep()
    assert found.landed == ["b2"]
    assert found.refused.keys() == {"plate 7", "x.zip"}
    assert found.waiting.keys() == {"later"}
    batch = landing.load(lake, "b2")
    assert batch.records[0].location == "../../../in box/b2/a.tsv"
    assert batch.origin == "../../../in box/b2"
    assert clock.sweep().landed == ["later"]
    assert clock.sweep().landed == []
    (watched / "b2" / "a.tsv").write_text(TABLE.replace("ACGT", "ACGA"))
    clock.sweep()
    assert clock.sweep().landed == ["b2"]


def test_two_folders_of_one_name_are_said(lake, clock, tmp_path):
    watched = tmp_path / "inbox"
    clock.watched = str(watched)
    put(lake.landing / "b1")
    put(watched / "b1")
    found = clock.sweep()
    assert "rename one of them" in found.refused["b1"]
    assert "b1" in found.waiting
    clock.sweep()
    assert landing.load(lake, "b1").origin == "."
    assert "which has landed from" in clock.sweep().refused["b1"]
    landing.register(lake, "b2", [str(watched / "b1" / "a.tsv")])
    put(watched / "b2", done=True)
    assert "named one by one" in clock.sweep().refused["b2"]


def test_an_inbox_that_was_moved_goes_on(lake, clock, tmp_path):
    put(tmp_path / "inbox" / "b1", done=True)
    clock.watched = str(tmp_path / "inbox")
    clock.sweep()
    before = landing.load(lake, "b1")
    (tmp_path / "inbox").rename(tmp_path / "moved")
    clock.watched = str(tmp_path / "moved")
    clock.sweep()
    assert clock.sweep() == Inbox()
    after = landing.load(lake, "b1")
    assert after.origin == "../../../moved/b1"
    assert after.fingerprint == before.fingerprint


def test_an_inbox_that_cannot_be_one_is_said_and_hides_nothing(lake, clock, tmp_path):
    put(lake.landing / "b1", done=True)
    clock.watched = str(tmp_path / "absent")
    found = clock.sweep()
    assert found.landed == ["b1"]
    assert "is not a folder" in found.refused[clock.watched]
    for place in (tmp_path, lake.root, lake.landing / "b1", lake.root / "lake"):
        place.mkdir(exist_ok=True)
        clock.watched = str(place)
        assert "automation.inbox" in clock.sweep().refused[clock.watched]
    clock.watched = str(lake.landing)
    assert clock.sweep() == Inbox()


def test_two_sweeps_at_once_do_not_meet(lake, clock):
    put(lake.landing / "b1", done=True)
    with hold(lake.landing / ".inbox.lock", "held"):
        assert clock.sweep() == Inbox(busy=True)
    assert clock.sweep().landed == ["b1"]


def test_large_corpora_are_looked_at_in_turns(lake, clock, monkeypatch):
    for name in ("b1", "b2", "b3"):
        put(lake.landing / name, done=True)
    assert clock.sweep().landed == ["b1", "b2", "b3"]
    monkeypatch.setattr(inbox, "MOST_FILES", 2)
    listed = []
    real = inbox.list_delivery
    monkeypatch.setattr(inbox, "list_delivery", lambda place: (listed.append(place[-2:]), real(place))[1])
    for _ in range(3):
        clock.sweep()
    assert sorted(listed) == ["b1", "b2", "b3"]


def test_an_s3_prefix_is_an_inbox(lake, clock, s3):
    def upload(key, data):
        s3.put_object(Bucket="deliveries", Key=f"in/{key}", Body=data)

    for key, data in {
        "b1/a.tsv": TABLE,
        "b1/images/A-1.jpg": "jpeg",
        "b1/DONE": "",
        "b2/a.tsv": TABLE,
        "plate 7/a.tsv": TABLE,
        "loose.tsv": TABLE,
        ".hidden/a.tsv": TABLE,
    }.items():
        upload(key, data)
    clock.watched = "s3://deliveries/in/"
    found = clock.sweep()
    assert found.landed == ["b1"]
    assert found.waiting.keys() == {"b2"}
    assert found.refused.keys() == {"plate 7", "loose.tsv"}
    assert landing.load(lake, "b1").origin == "s3://deliveries/in/b1"
    assert clock.sweep().landed == ["b2"]
    upload("b1/images/A-1.jpg", "JPEG")
    assert "changed since it landed" in clock.sweep().waiting["b1"]
    assert clock.sweep().landed == ["b1"]
    upload("b1/images/A-1.jpg", "JPEG")
    assert clock.sweep().landed == []
    clock.watched = "s3://no-such-bucket/in"
    found = clock.sweep()
    assert "s3://no-such-bucket/in" in found.refused
    assert one_line(found)


def test_an_s3_that_cannot_be_reached_waits(lake, clock, s3, monkeypatch):
    from bioscan_etl.errors import UnavailableError

    def away(self):
        raise UnavailableError("s3://deliveries/in cannot be reached; check the network")

    put(lake.landing / "b1", done=True)
    clock.watched = "s3://deliveries/in"
    monkeypatch.setattr(inbox._Sweep, "_prefixes", away)
    found = clock.sweep()
    assert found.landed == ["b1"]
    assert "cannot be reached" in found.waiting[clock.watched]


def test_a_real_delivery_lands_from_the_inbox(lake, clock, shared_data):
    shutil.copytree(shared_data / "bold", lake.landing / "bold")
    clock.sweep()
    assert clock.sweep().landed == ["bold"]
    assert len(landing.load(lake, "bold").records) == 3
