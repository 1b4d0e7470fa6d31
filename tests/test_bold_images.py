"""Images by process ID: whole files under safe names, every failure in a table, and no work done twice."""

import cv2
import polars as pl
import pytest
from bold_server import serving
from images_drawn import well

from bioscan_etl.bold.client import BoldError
from bioscan_etl.bold.images import fetch_images
from bioscan_etl.images.index import index_images
from bioscan_etl.settings import ImageSettings

IDS = [f"AAASF{n:03}-17" for n in range(9)]
JPEG = cv2.imencode(".jpg", well(160, 120))[1].tobytes()
PNG = cv2.imencode(".png", well(160, 120))[1].tobytes()


def objectid(processid):
    return f"caos-cloud.linode-us-east.10_200.{processid.lower()}.jpg"


@pytest.fixture
def bold(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        server.images = {processid: {objectid(processid): JPEG + processid.encode()} for processid in IDS}
        yield server


def failures(folder):
    return pl.read_csv(folder / "failures.csv", infer_schema=False)


def reasons(folder):
    return dict(failures(folder).select("processid", "reason").iter_rows())


def test_images_arrive_under_their_process_ids_with_an_index(bold, tmp_path):
    told = []
    done = fetch_images(IDS[::-1] + IDS, tmp_path, bold.settings(), lambda *report: told.append(report))
    assert (done.wanted, done.fetched, done.kept, done.failed, done.reasons) == (9, 9, 0, 0, {})
    assert all((tmp_path / f"{i}.jpg").read_bytes() == bold.images[i][objectid(i)] for i in IDS)
    assert done.index.read_text() == "processid,image_file\n" + "".join(f"{i},{i}.jpg\n" for i in IDS)
    assert done.failures.read_text() == "processid,objectid,reason,detail\n"
    assert told[0] == ("fetch_images", 0, 9)
    assert told[-1] == ("fetch_images", 9, 9)


def test_the_folder_is_a_source_of_the_pipeline(bold, tmp_path):
    done = fetch_images(IDS, tmp_path, bold.settings())
    index = index_images([str(tmp_path)], done.index, pl.Series(IDS), "b", ImageSettings())
    found = index.filter(pl.col("status") == "found")
    assert found["processid"].to_list() == IDS
    assert index.height == len(IDS)


def test_the_same_call_again_fetches_nothing_and_writes_the_same_tables(bold, tmp_path):
    done = fetch_images(IDS, tmp_path, bold.settings())
    before = (done.index.read_bytes(), done.failures.read_bytes())
    asked = len(bold.asked)
    again = fetch_images(IDS, tmp_path, bold.settings())
    assert (again.fetched, again.kept) == (0, 9)
    assert len(bold.asked) == asked
    assert (again.index.read_bytes(), again.failures.read_bytes()) == before


def test_a_broken_run_leaves_whole_images_and_the_next_one_fetches_the_rest(bold, tmp_path):
    settings = bold.settings(attempts=1, give_up_after=2, parallel_downloads=1)
    bold.fail("/api/objects", "", "", "", *["500"] * 9)
    with pytest.raises(BoldError, match=r"2 images in a row failed.*answered 500"):
        fetch_images(IDS, tmp_path, settings)
    standing = sorted(path.name for path in tmp_path.glob("*.jpg"))
    assert standing == [f"{i}.jpg" for i in IDS[:3]]
    assert pl.read_csv(tmp_path / "image_manifest.csv")["image_file"].to_list() == standing
    assert set(reasons(tmp_path).values()) == {"server_error"}
    bold.recover()
    done = fetch_images(IDS, tmp_path, settings)
    assert (done.kept, done.fetched) == (3, 6)
    assert len(list(tmp_path.iterdir())) == 9 + 2, "no temporary files are left"


def test_an_empty_file_is_no_image(bold, tmp_path):
    (tmp_path / f"{IDS[0]}.jpg").touch()
    assert fetch_images(IDS[:1], tmp_path, bold.settings()).fetched == 1
    assert (tmp_path / f"{IDS[0]}.jpg").stat().st_size


@pytest.mark.parametrize("fault", ["500", "429:0", "hang up", "cut", "html", "empty", "no length"])
def test_a_bad_moment_of_the_store_is_overcome(bold, tmp_path, fault):
    bold.fail("/api/objects", fault)
    bold.images[IDS[0]] = {objectid(IDS[0]): JPEG[:-2] + b"\0" * 300_000 + b"\xff\xd9"}
    done = fetch_images(IDS[:1], tmp_path, bold.settings())
    assert done.fetched == 1
    assert (tmp_path / f"{IDS[0]}.jpg").read_bytes() == bold.images[IDS[0]][objectid(IDS[0])]


def test_every_process_id_without_an_image_has_its_reason(bold, tmp_path):
    bold.images["GONE-1"] = {"gone.jpg": JPEG}
    bold.images["TEXT-1"] = {"text.jpg": b"%PDF-1.7 and so on"}
    bold.images["EVIL-1"] = {"../../etc/passwd": JPEG}
    bold.images["EVIL-2"] = {"a/b.jpg": JPEG}
    wanted = [IDS[0], "NONE-1", "GONE-1", "TEXT-1", "EVIL-1", "EVIL-2", "../up", "A 1", "A-1\n", "", "L" * 201]
    bold.fail("/api/objects/gone.jpg", "404")
    done = fetch_images(wanted, tmp_path, bold.settings())
    assert reasons(tmp_path) == {
        "NONE-1": "no_image",
        "GONE-1": "not_found",
        "TEXT-1": "not_an_image",
        "EVIL-1": "unsafe_objectid",
        "EVIL-2": "unsafe_objectid",
        "../up": "unsafe_processid",
        "A 1": "unsafe_processid",
        "A-1\n": "unsafe_processid",
        "": "unsafe_processid",
        "L" * 201: "unsafe_processid",
    }
    assert done.fetched == 1
    assert done.failed == 9, "no image is no failure"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{IDS[0]}.jpg",
        "failures.csv",
        "image_manifest.csv",
    ]
    assert not any("passwd" in path or "up" in path.split("processids=")[-1].split(",") for path, _ in bold.asked)
    assert failures(tmp_path)["detail"].str.contains("127.0.0.1").sum() <= 1


def test_an_image_longer_than_the_pipeline_reads_is_refused(bold, tmp_path, monkeypatch):
    monkeypatch.setattr("bioscan_etl.bold.images.MAX_FILE_BYTES", 100)
    fetch_images(IDS[:1], tmp_path, bold.settings())
    assert reasons(tmp_path) == {IDS[0]: "too_large"}
    assert not list(tmp_path.glob("*.jpg"))


def test_the_format_is_told_by_the_bytes(bold, tmp_path):
    bold.images[IDS[0]] = {"photo.jpg": PNG}
    fetch_images(IDS[:1], tmp_path, bold.settings())
    assert (tmp_path / f"{IDS[0]}.png").read_bytes() == PNG
    again = fetch_images(IDS[:1], tmp_path, bold.settings())
    assert again.kept == 1


def test_of_several_images_the_first_by_object_id_is_taken(bold, tmp_path):
    bold.images[IDS[0]] = {"b.jpg": JPEG + b"b", "a.jpg": JPEG + b"a", "c.jpg": JPEG + b"c"}
    done = fetch_images(IDS, tmp_path, bold.settings())
    assert done.several == 1
    assert (tmp_path / f"{IDS[0]}.jpg").read_bytes() == JPEG + b"a"


def test_look_ups_are_of_the_size_that_is_set(bold, tmp_path):
    fetch_images(IDS, tmp_path, bold.settings(ids_per_call=4))
    assert [path.count(",") + 1 for path in bold.paths("/api/images")] == [4, 4, 1]


def test_addresses_stay_within_what_servers_take(bold, tmp_path):
    many = [f"{'X' * 40}{n:05}-26" for n in range(600)]
    fetch_images(many, tmp_path, bold.settings())
    assert sum(path.count(",") + 1 for path in bold.paths("/api/images")) == 600
    assert all(len(path) < bold.longest_url for path in bold.paths("/api/images"))


def test_a_server_that_takes_less_is_asked_for_less(bold, tmp_path):
    bold.longest_url = 80
    done = fetch_images(IDS, tmp_path, bold.settings())
    assert done.fetched == 9
    assert len(bold.paths("/api/images")) > 3


def test_no_more_downloads_at_once_than_set(bold, tmp_path):
    fetch_images(IDS, tmp_path, bold.settings(parallel_downloads=2))
    assert 1 <= bold.most_at_once <= 3  # two downloads and the next look-up


@pytest.mark.parametrize("fault", ["500", "half", "html"])
def test_a_store_that_lists_nothing_ends_the_run(bold, tmp_path, fault):
    bold.fail("/api/images", "", *[fault] * 9)
    with pytest.raises(BoldError):
        fetch_images(IDS, tmp_path, bold.settings(ids_per_call=4))
    index = pl.read_csv(tmp_path / "image_manifest.csv", infer_schema=False)
    assert index["image_file"].to_list() == sorted(path.name for path in tmp_path.glob("*.jpg"))


def test_an_answer_of_another_form_is_said(bold, tmp_path):
    bold.fail("/api/images", "other")
    with pytest.raises(BoldError, match="does not know"):
        fetch_images(IDS, tmp_path, bold.settings())


def test_a_folder_that_cannot_be_written_is_said(bold, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BoldError, match="cannot be written"):
        fetch_images(IDS, tmp_path / "file", bold.settings())
