"""The desk's pages as a run writes them: of exactly its inputs, all doubts and each batch, under names of no data."""

import json
import re
import shutil
from types import SimpleNamespace

import polars as pl
import pytest
from desk_browser import browser, faults, show, watched
from desk_corpus import BATCH, HOSTILE, write

from bioscan_etl.cli import main
from bioscan_etl.desk.corpus import open_corpus
from bioscan_etl.desk.export import folder_of
from bioscan_etl.desk.trends import of_release, of_run
from bioscan_etl.lake import Lake, decisions
from bioscan_etl.lake.current import get, point
from bioscan_etl.lake.pins import Pin
from bioscan_etl.lake.record import Record
from bioscan_etl.quality.results import RESULTS, write_results
from bioscan_etl.release.rules import RULES
from bioscan_etl.settings import Settings
from bioscan_etl.stages.desk_pages import build
from bioscan_etl.stages.registry import STAGES
from bioscan_etl.stages.work import Work

pytestmark = [pytest.mark.timeout(600)]

NAMES = (BATCH, "../../../escaped", "</script><svg onload=window.ran=1>", "__proto__", "a b#c?d%41")
STAGE = STAGES["desk_pages"]
EXPECTATIONS = ("specimen_expectations", "curated_expectations", "release_expectations")
READ = ("decisions", "drawn_boxes", "doubts", "specimens", "curated_taxonomy")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus of five batches, 12 of whose 60 specimens have an image, with a decision; and its doubts."""
    output = tmp_path_factory.mktemp("pages") / "corpus"
    doubts = write(output, 60, HOSTILE, images=12, batches=NAMES)
    (output / "decisions").mkdir()
    line = "DSKAA000010-26,reject,no_insect,Grace Hopper,2026-01-01\n"
    (output / "decisions" / "grace.csv").write_text("processid,action,reason,curator,date\n" + line)
    lake = Lake(output)
    for stage in EXPECTATIONS:
        with lake.writing(stage, "e" * 64, made_from={}) as draft:
            write_results(draft.folder / RESULTS, [], prose=False)
        point(lake, stage, "e" * 64)
    return lake, doubts


def work_of(lake, *, images=500):
    """What the stage gets; settings are limited to those that its entry names."""
    files = decisions.find(lake)
    records = {name: Record(name, f"delivery of {name}", {}, {}) for name in NAMES}
    pin = Pin("", records, {"gone": "wrong plates"}, decisions.save_copy(lake, files))
    batches = {name: {"delivery": one.delivery, "status": "current", "why": []} for name, one in records.items()}
    counted = SimpleNamespace(counts={"records": 12, "boxes": 12})
    settings = Settings.model_validate({"desk": {"images": images}}).limited(STAGE.settings, STAGE.name)
    outputs = {stage: get(lake, stage) for stage in (*READ, *EXPECTATIONS)}
    by_batch = {stage: dict.fromkeys(NAMES, counted) for stage in ("raw_records", "specimen_boxes")}
    extra = {"version": "v1", "batches": batches}
    return lambda draft: Work(lake, settings, lambda *_: None, draft, None, pin, outputs, by_batch, extra, None)


def made(folder, work):
    folder.mkdir()
    draft = SimpleNamespace(folder=folder, counts={})
    build(work(draft))
    return draft.counts


@pytest.fixture(scope="module")
def pages(corpus, tmp_path_factory):
    lake, doubts = corpus
    folder = tmp_path_factory.mktemp("out") / "made"
    counts = made(folder, work_of(lake))
    assert counts["doubts"] == doubts.height
    assert counts["images"] == 12
    return folder / "desk"


def data_of(folder, name):
    text = (folder / "data" / f"{name}.js").read_text(encoding="utf-8")
    found = re.fullmatch(rf"bioscanDesk\('{re.escape(name)}\.json', '(.*)'\);\n", text, re.DOTALL)
    return json.loads(re.sub(r"\\(['\\])", r"\1", found[1]))


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_batch_has_pages_of_its_own_doubts_and_shares_the_rest(pages, corpus):
    lake, doubts = corpus
    folders = data_of(pages, "words")["batches"]
    assert set(folders) == set(NAMES)
    specimens = pl.read_parquet(get(lake, "specimens").path("specimens.parquet"))
    for name in NAMES:
        own = pages / folders[name]
        assert sorted(files_of(own)) == ["data/doubts.js", "data/states.js", "index.html"]
        found = data_of(own, "doubts")
        assert found["batch"] == name
        members = specimens.filter(batch=name)["processid"]
        expected = doubts.filter(
            (pl.col("batch") == name) | pl.col("members").list.set_intersection(members.to_list()).list.len().gt(0)
        )
        assert found["columns"]["id"]["values"] == expected["id"].to_list()
        for place, shown in zip(found["details"], found["columns"]["shown"]["values"], strict=True):
            if place >= 0:
                assert data_of(pages, f"details/{place // 100}")[place % 100]["shown"] == shown
    rejected = data_of(pages / folders[NAMES[0]], "states")["rows"]
    assert set(rejected["decided_by"]) == {"Grace Hopper"}


def test_no_text_of_the_data_is_a_name(pages):
    assert not (pages.parents[1] / "escaped").exists()
    known = (
        r"(batches/[0-9a-f]{12}/)?(index\.html|data/(doubts|states)\.js)|desk\.(js|css)|icon\.svg|"
        r"data/(words|lines|land|front|trends|(details|taxa|masks)/\d+|(doubts|groups)/[0-9a-f]{16})\.js|"
        r"(thumbs|images)/\d+\.jpg"
    )
    assert [name for name in files_of(pages) if not re.fullmatch(known, name)] == []


def test_images_are_limited_over_all_pages_and_every_batch_has_its_turn(corpus, tmp_path):
    lake, _ = corpus
    assert made(tmp_path / "few", work_of(lake, images=5))["images"] == 5
    assert len(list((tmp_path / "few" / "desk" / "thumbs").iterdir())) == 5
    specimens = pl.read_parquet(get(lake, "specimens").path("specimens.parquet"))
    pictured = data_of(tmp_path / "few" / "desk", "words")["pictures"]
    assert specimens.filter(pl.col("processid").is_in(pictured))["batch"].n_unique() == 5
    assert made(tmp_path / "none", work_of(lake, images=0))["images"] == 0


def test_pages_are_of_the_pinned_inputs_and_the_same_bytes_wherever_the_corpus_is(corpus, pages, tmp_path):
    lake, _ = corpus
    moved = Lake(tmp_path / "another name")
    shutil.copytree(lake.root, moved.root)
    # The marker of a delivery names its folder.
    for path in moved.landing.rglob("*.json"):
        path.write_text(path.read_text().replace(str(lake.root), str(moved.root)))
    work = work_of(moved)
    (moved.root / "decisions" / "late.csv").write_text("processid,action,reason,curator,date\nDSKAA000001-26,reject,"
                                                       "no_insect,Late,2026-01-02\n")  # fmt: skip
    with moved.writing("doubts", "d" * 64, made_from={}) as draft:
        pl.read_parquet(get(lake, "doubts").path("doubts.parquet")).head(1).write_parquet(
            draft.folder / "doubts.parquet"
        )
    point(moved, "doubts", "d" * 64)
    made(tmp_path / "made", work)
    assert files_of(tmp_path / "made" / "desk") == files_of(pages)


def test_an_image_that_was_exchanged_is_left_out(corpus, tmp_path):
    lake, _ = corpus
    moved = Lake(tmp_path / "corpus")
    shutil.copytree(lake.root, moved.root)
    for path in moved.landing.rglob("*.json"):
        path.write_text(path.read_text().replace(str(lake.root), str(moved.root)))
    images = moved.root / "delivery" / "images"
    shutil.copyfile(images / "1.jpg", images / "0.jpg")
    assert made(tmp_path / "made", work_of(moved))["images"] == 11
    assert "DSKAA000000-26" not in data_of(tmp_path / "made" / "desk", "words")["pictures"]


@pytest.mark.slow
def test_pages_of_the_release_and_of_a_batch_open_from_a_disk(pages, corpus):
    _, doubts = corpus
    (conflict, *_) = doubts.filter(kind="conflict")["id"]
    with browser() as opened:
        page = watched(opened.new_page(viewport={"width": 600, "height": 900}))
        for folder, said in (
            (pages, "All doubts of release v1 of bioscan5m"),
            *(
                (pages / "batches" / folder_of(name), f"Doubts of the batch {name} in release v1 of bioscan5m")
                for name in NAMES[:3]
            ),
        ):
            page.goto((folder / "index.html").as_uri())
            page.wait_for_selector("body[data-ready]")
            assert page.locator("header .who").inner_text().startswith(said)
            about = data_of(folder, "doubts")["columns"]["processid"]["values"]
            image = next(one for one in data_of(pages, "words")["pictures"] if one in about)
            for one in ("#/", "#/doubts", "#/review", "#/decisions", f"#/doubt/{conflict}", f"#/specimen/{image}"):
                show(page, one)
                assert page.locator("main .wrong").count() == 0, one
                assert page.evaluate("window.ran ?? null") is None, one
                assert page.evaluate("document.documentElement.scrollWidth") <= 600, one
                assert faults(page) == [], one
            # The pages of a batch show the images that all pages share.
            page.wait_for_function("() => document.querySelector('.picture img')?.naturalWidth > 0")
        for name, said in (
            ("All batches", "All doubts of"),
            ("../../../escaped", "Doubts of the batch ../../../escaped"),
        ):
            with page.expect_navigation():
                page.get_by_role("link", name=name).click()
            page.wait_for_selector("body[data-ready]")
            assert page.locator("header .who").inner_text().startswith(said)
            show(page, "#/")
        assert page.problems == []


@pytest.mark.slow
def test_a_run_writes_them_beside_the_report_and_a_second_run_makes_nothing(decided, capsys, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(decided[0], output, symlinks=True)
    for path in (output / "landing").rglob("*.json"):
        path.write_text(path.read_text().replace(str(decided[0]), str(output)))
    latest = output / "releases" / "latest"
    before = files_of(latest / "report" / "desk")
    assert files_of(get(Lake(output), "desk_pages").folder / "desk") == before
    assert 'href="desk/index.html"' in (latest / "report" / "index.html").read_text(encoding="utf-8")
    words = data_of(latest / "report" / "desk", "words")
    assert words["release"] == "v2"
    trends = data_of(latest / "report" / "desk", "trends")
    assert trends["releases"] == ["v1", "v2"]
    # What the run counts before its release is there is what the release has.
    run, release = of_run(open_corpus(output, "Ada"), "v2"), of_release(latest.resolve())
    assert run.rules == {
        rule: number for rule, number in release.rules.items() if rule not in {one.id for one in RULES}
    }
    for name in ("specimens", "released", "distributions", "unlabelled", "statuses"):
        assert getattr(run, name) == getattr(release, name), name
    stamp = (get(Lake(output), "desk_pages").folder / "manifest.json").stat().st_mtime_ns
    capsys.readouterr()
    assert main(["run", "--output", str(output)]) == 0
    said = capsys.readouterr()
    assert f"doubts for curators: {output / 'releases' / 'v2' / 'report' / 'desk' / 'index.html'}" in said.out
    assert (get(Lake(output), "desk_pages").folder / "manifest.json").stat().st_mtime_ns == stamp
    assert files_of(latest / "report" / "desk") == before
    assert not (output / "releases" / "v3").exists()
