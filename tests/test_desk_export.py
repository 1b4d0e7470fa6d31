"""The desk as files: opened from a disk, decided on, and what was decided put into the corpus."""

import csv
import json
import re

import polars as pl
import pytest
from desk_browser import browser, faults, show, watched
from desk_corpus import BATCH, HOSTILE, write
from desk_lake import corpus_of

from bioscan_etl.cli import main
from bioscan_etl.decisions.vocabulary import COLUMNS
from bioscan_etl.desk.bundle import STATIC, bundle
from bioscan_etl.desk.corpus import open_corpus
from bioscan_etl.desk.export import INSTEAD, Contents, write_pages
from bioscan_etl.doubts.state import with_state
from bioscan_etl.errors import SourceError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.proposals.read import read_proposals

NOTHING = Contents(front={}, trends={}, most_images=0)

pytestmark = [pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("export") / "corpus"


@pytest.fixture(scope="module")
def doubts(output):
    found = write(output, 80, HOSTILE, images=6)
    (output / "decisions").mkdir()
    line = "DSKAA000070-26,reject,no_insect,Grace Hopper,2026-01-01\n"
    (output / "decisions" / "grace.csv").write_text("processid,action,reason,curator,date\n" + line)
    return found


@pytest.fixture(scope="module")
def pages(output, doubts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages") / "a b#c?d"
    assert main(["desk", str(output), "--write", str(folder), "--quiet"]) == 0
    return folder


def data_of(pages, name):
    """What a data script hands to the page."""
    text = (pages / "data" / f"{name}.js").read_text(encoding="utf-8")
    found = re.fullmatch(rf"bioscanDesk\('{re.escape(name)}\.json', '(.*)'\);\n", text, re.DOTALL)
    return json.loads(re.sub(r"\\(['\\])", r"\1", found[1]))


def test_every_doubt_is_there_and_no_name_is_of_the_data(pages, doubts):
    columns = data_of(pages, "doubts")["columns"]
    assert columns["id"]["values"] == doubts["id"].to_list()
    details = data_of(pages, "doubts")["details"]
    row = next(row for row, place in enumerate(details) if place == 0)
    first = data_of(pages, "details/0")[0]
    assert first["shown"] == columns["shown"]["values"][row]
    assert [one["rank"] for one in first["labels"]][-1] == "species"
    assert data_of(pages, "words")["columns"] == list(COLUMNS)
    names = [path.relative_to(pages).as_posix() for path in pages.rglob("*") if path.is_file()]
    numbered = r"(details|taxa|masks)/\d+"
    data = rf"(words|doubts|states|lines|land|front|trends|{numbered}|(doubts|groups)/[0-9a-f]{{16}})"
    known = rf"index\.html|desk\.(js|css)|icon\.svg|data/{data}\.js|(thumbs|images)/\d+\.jpg"
    assert [name for name in names if not re.fullmatch(known, name)] == []
    assert len([name for name in names if name.startswith("images/")]) == 6


def test_the_same_corpus_gives_the_same_bytes(output, pages, tmp_path):
    assert main(["desk", str(output), "--curator", "Grace", "--write", str(tmp_path / "again"), "--quiet"]) == 0
    for path in pages.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(pages)).read_bytes() == path.read_bytes(), path


def test_a_batch_and_fewer_images(output, doubts, tmp_path):
    corpus = open_corpus(output, "A")
    done = write_pages(corpus, tmp_path / "pages", Contents(front={}, trends={}, most_images=2), BATCH)
    assert (done.doubts, done.images) == (doubts.filter(pl.col("kind") != "typo").height, 2)
    assert len(list((tmp_path / "pages" / "images").iterdir())) == 2
    with pytest.raises(SourceError, match="no doubt of the last run"):
        write_pages(corpus, tmp_path / "other", NOTHING, "no-such-batch")
    assert not (tmp_path / "other").exists()


def test_pages_are_replaced_and_other_files_are_not(output, doubts, tmp_path):
    corpus = open_corpus(output, "A")
    write_pages(corpus, tmp_path / "pages", NOTHING)
    write_pages(corpus, tmp_path / "pages", Contents(front={}, trends={}, most_images=1))
    assert len(list((tmp_path / "pages" / "images").iterdir())) == 1
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(SourceError, match="has other files"):
        write_pages(corpus, mine, NOTHING)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["mine", "pages"]
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]


def test_what_users_wrote_is_in_no_release(tmp_path):
    text = "processid,reason,field,value,note,reporter,date\nA-1,misidentified,,,see the wings,U. Ser,2026-02-01\n"
    corpus = corpus_of(tmp_path / "out", [{"processid": "A-1"}], reports=read_proposals({"users.csv": text}).lines)
    (doubt,) = corpus.doubts().filter(kind="report").to_dicts()
    (tmp_path / "out" / "decisions").mkdir()
    line = f"processid,action,field,reason,note,curator,date\nA-1,keep,{doubt['rule']},checked,I saw,Ada,2026-03-01\n"
    (tmp_path / "out" / "decisions" / "ada.csv").write_text(line)
    for is_public in (False, True):
        folder = tmp_path / str(is_public)
        write_pages(corpus, folder, Contents(front={}, trends={}, is_public=is_public))
        found = data_of(folder, "doubts")["columns"]["why"]["values"] + data_of(folder, "states")["rows"]["decided_why"]
        assert ("see the wings" in str(found), "I saw" in str(found)) == (not is_public, not is_public)
        every = "".join(path.read_text("utf-8") for path in (folder / "data").rglob("*.js"))
        assert ("U. Ser" in every) is not is_public


def test_taxa_groups_and_outlines_are_written_for_what_is_in_doubt(pages, output, doubts):
    words = data_of(pages, "words")
    assert len(words["pictures"]) == 6
    assert words["large"] == 6
    assert words["masked"] == list(range(6))
    mask = data_of(pages, "masks/0")
    assert all(len(polygon) >= 6 for polygon in mask["polygons"])
    rank, name = words["taxa"][0]
    taxon = data_of(pages, "taxa/0")
    assert (taxon["rank"], taxon["name"]) == (rank, name)
    curated = pl.read_parquet(get(Lake(output), "curated_taxonomy").path("curated.parquet"))
    assert sorted(taxon["columns"]["processid"]) == sorted(curated.filter(pl.col(rank) == name)["processid"])
    conflict = doubts.filter(kind="conflict", rule="BARCODE_CONFLICT").to_dicts()[0]
    found = data_of(pages, f"groups/{conflict['id']}")
    assert found["processids"] == sorted(conflict["members"])
    assert found["target"] == {"group": conflict["group"]}


def test_options_of_written_pages_need_it(output, capsys):
    assert main(["desk", str(output), "--batch", "b"]) == 2
    assert "--write" in capsys.readouterr().err


def test_the_script_has_each_module_once_and_refuses_forms_that_it_would_get_wrong(tmp_path, monkeypatch):
    made = bundle("desk.js", INSTEAD)
    of_pages = {path.name for path in STATIC.glob("*.js")} - {"source.js", "specimen.js", "kept.js", "brief.js"}
    names = re.findall(r"^const module_(\w+) = \(\(\) => \{$", made, re.MULTILINE)
    assert sorted(names) == sorted([*(name.removesuffix(".js") for name in of_pages), "source", "specimen"])
    assert not re.search(r"^\s*(import|export)\b", made, re.MULTILINE)
    monkeypatch.setattr("bioscan_etl.desk.bundle.STATIC", tmp_path)
    for text, said in {
        'import * as all from "./b.js";\n': "write it as one line",
        "export default 1;\n": "write it as one line",
        'import { b } from "./b.js";\nexport const a = 1;\n': "may import one that imports it",
    }.items():
        (tmp_path / "a.js").write_text(text)
        (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = 2;\n')
        with pytest.raises(ValueError, match=said):
            bundle("a.js", {})


@pytest.fixture(scope="module")
def page(pages):
    with browser() as opened:
        page = watched(opened.new_page(viewport={"width": 600, "height": 900}))
        page.goto((pages / "index.html").as_uri())
        page.wait_for_selector("body[data-ready]")
        yield page


def said(page):
    return page.locator(".saved").inner_text()


@pytest.mark.slow
def test_every_page_opens_from_a_disk(page, doubts):
    several = doubts.filter(pl.col("kind").is_in(["typo", "conflict", "species", "duplicate"])).unique(
        "rule", keep="first"
    )
    for one in (
        *("#/", "#/doubts", "#/review", "#/decisions", "#/specimen/DSKAA000000-26", "#/specimen/DSKAA000007-26"),
        "#/taxon/any/__proto__",
        *(f"#/doubt/{one}" for one in several["id"]),
    ):
        show(page, one)
        assert page.locator("main .wrong").count() == 0, one
        assert page.evaluate("window.ran ?? null") is None, one
        assert page.evaluate("document.documentElement.scrollWidth") <= 600, one
        assert faults(page) == [], one
    assert page.problems == []
    show(page, "#/review")
    page.wait_for_function("() => document.querySelector('.stage img')?.naturalWidth > 0")
    show(page, "#/specimen/DSKAA000000-26")
    page.locator(".mask polygon").first.wait_for()
    assert page.get_by_label(re.compile("Outline, as .* draws it now")).is_checked()
    show(page, "#/specimen/unknown")
    assert "These pages have doubts only" in page.locator("main .wrong").inner_text()
    assert page.evaluate("() => fetch('index.html').then(() => 'read', () => 'refused')") == "refused"
    page.problems.clear()


@pytest.mark.slow
def test_decisions_are_kept_undone_downloaded_and_put_into_the_corpus(page, output, doubts, tmp_path):
    name = page.get_by_label("Your name")
    name.fill("")
    show(page, "#/review?rule=IMAGE_STATUS")
    reviewed = page.locator(".facts h2").inner_text()
    page.locator("h1").click()  # keys are letters where somebody types
    page.keyboard.press("a")
    page.locator(".saved.wrong").wait_for()
    assert "write your name at the top first" in said(page)
    name.fill("Ada Lovelace")
    page.locator("h1").click()
    page.keyboard.press("a")
    page.locator(".saved:not(.wrong)", has_text="Saved").wait_for()
    (typo,) = doubts.filter(kind="typo", name="__proto__").to_dicts()
    show(page, f"#/doubt/{typo['id']}")
    page.get_by_role("button", name="It is a typo").click()
    page.locator(".state.decided").wait_for()
    page.get_by_role("button", name=re.compile("^Undo: ")).click()
    page.locator(".state.open").wait_for()
    page.get_by_role("button", name=re.compile("is right$")).click()
    page.locator(".state.decided").wait_for()

    # They are there after a reload, and the list counts them.
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.get_by_role("button", name="Download 2 decisions").is_visible()
    show(page, "#/decisions")
    assert page.locator("tbody tr").count() == 3
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download 2 decisions").click()
    waiting.value.save_as(tmp_path / "decisions.csv")
    rows = list(csv.DictReader((tmp_path / "decisions.csv").read_text().splitlines()))
    assert list(rows[0]) == list(COLUMNS)
    assert [(one["processid"] or one["name"], one["action"], one["curator"]) for one in rows] == [
        (reviewed, "accept", "Ada Lovelace"),
        ("__proto__", "keep", "Ada Lovelace"),
    ]
    assert page.problems == []

    # The corpus says the same of them.
    assert main(["decide", str(tmp_path / "decisions.csv"), "--output", str(output)]) == 0
    lines = open_corpus(output, "Ada Lovelace").decisions().lines
    assert lines["problem"].drop_nulls().to_list() == []
    states = with_state(doubts, lines).filter(pl.col("state") != "open")
    assert {(one["rule"], one["processid"] or one["name"]) for one in states.to_dicts()} >= {
        ("IMAGE_STATUS", reviewed),
        ("NAME_TYPO_CANDIDATE", "__proto__"),
    }


@pytest.mark.slow
def test_a_doubt_about_species_is_answered_by_a_specimen_or_the_other_name(page, doubts):
    page.get_by_label("Your name").fill("Ada Lovelace")
    one = doubts.filter(rule="NO_BARCODE_GAP").row(0, named=True)
    show(page, f"#/doubt/{one['id']}")

    def relabel():
        form = page.locator("form.decide", has_text="Set a label")
        form.locator("select[name=scope]").select_option(index=1)  # all with the barcode of the first specimen
        form.locator("input[name=value]").fill("Aedes vexans")
        form.get_by_role("button", name="Save label").click()

    for act in (
        page.get_by_role("button", name=re.compile("^Leave it as it is$")).click,
        page.get_by_role("button", name=re.compile("is a synonym: merge into")).last.click,
        relabel,
    ):
        act()
        page.locator(".state.decided").wait_for()
        page.get_by_role("button", name=re.compile("^Undo: ")).click()
        page.locator(".state.open").wait_for()
    assert page.problems == []
