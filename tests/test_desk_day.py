"""A curator's day, on a demo corpus and on real records and images: what is decided at the desk is what the next
release does, and a line that is taken away leaves nothing behind."""

import contextlib
import csv
import shutil
import urllib.parse

import polars as pl
import pytest
from desk_browser import doubts, lines, opened, saved, served

from bioscan_etl import landing
from bioscan_etl.cli import main
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.doubts.state import with_state
from bioscan_etl.lake import Lake
from bioscan_etl.lake import decisions as files
from bioscan_etl.lake.current import get

pytestmark = pytest.mark.slow
IMAGES = 130
REVIEWED = 10
MOVED = "was => document.querySelector('.facts h2').innerText !== was"


def demo(folder, _):
    assert main(["demo", "--output", str(folder), "--specimens", "300"]) == 0
    assert landing.landed(Lake(folder))


def real(folder, data):
    """Real records of one file, those of which there is an image."""
    with (data / "image_manifest.csv").open(encoding="utf-8", newline="") as stream:
        image_of = {row["processid"]: row["image_file"] for row in csv.DictReader(stream)}
    path = data / "bold" / "chironominae_norway_2025.tsv"
    head, *rows = path.read_bytes().splitlines(keepends=True)
    ids = [row.split(b"\t", 1)[0].decode() for row in rows]
    pictured = list(dict.fromkeys(name for name in ids if name in image_of))[:IMAGES]
    if not pictured:
        pytest.skip("the real records of Norway have no images in the manifest")
    place = folder / "deliveries"
    (place / "images").mkdir(parents=True)
    chosen = [row for name, row in zip(ids, rows, strict=True) if name in pictured]
    (place / path.name).write_bytes(b"".join([head, *chosen]))
    for name in pictured:
        shutil.copyfile(data / "images" / image_of[name], place / "images" / image_of[name])
    table = "".join(f"{name},{image_of[name]}\n" for name in pictured)
    (place / "image_manifest.csv").write_text(f"processid,image_file\n{table}", encoding="utf-8")
    lake = Lake(folder)
    landing.register(
        lake, "norway", [str(place / path.name)], [str(place / "images")], str(place / "image_manifest.csv")
    )


@pytest.fixture(scope="module", params=[demo, real], ids=["demo", "real"])
def output(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.__name__)
    request.param(folder, request.getfixturevalue("shared_data") if request.param is real else None)
    run(folder)
    return folder


@pytest.fixture(scope="module")
def page(output):
    with served(output) as address, opened(address) as found:
        found.address = address
        yield found


def run(output):
    assert main(["run", "--output", str(output), "--quiet"]) == 0


def released(output, version):
    """The rows of a release, and what it holds back."""
    folder = output / "releases" / version
    rows = pl.concat([pl.read_parquet(one) for one in sorted((folder / "data").glob("*.parquet"))])
    return rows.sort("processid"), pl.read_parquet(folder / "quarantine.parquet").sort("processid")


def facts(page):
    return page.locator(".facts h2").inner_text()


def review(page, filters, count):
    """Answer images by keyboard in turn: reject, draw the box anew, accept; returns process ID and answer of each.

    Ends with answers for `count` specimens; one specimen may have several doubts about its image.
    """
    page.goto(f"{page.address}/#/review?{urllib.parse.urlencode(filters | {'state': 'open'})}")
    page.locator(".facts h2").wait_for()
    answers = []
    while len(dict(answers)) < count:
        page.locator(".stage .picture").wait_for()
        shown = facts(page)
        if page.locator(".stage img").count() == 0:  # no decoder reads it
            page.keyboard.press("j")
            page.wait_for_function(MOVED, arg=shown)
            continue
        page.locator(".stage img").evaluate("image => image.decode()")
        wanted = ("reject", "box", "accept")[len(answers) % 3]
        if wanted == "accept" and page.locator(".stage .box").count() == 0:
            wanted = "box"  # without a box nothing can be released
        if wanted == "reject":
            saved(page, lambda: (page.keyboard.press("r"), page.keyboard.press("1")))
        elif wanted == "accept":
            saved(page, lambda: page.keyboard.press("a"))
        else:
            page.keyboard.press("b")
            page.locator(".drawing").wait_for()
            for key in ("ArrowRight", "ArrowDown", "Shift+ArrowLeft"):
                page.keyboard.press(key)
            saved(page, lambda: page.keyboard.press("Enter"))
        answers.append((shown, wanted))
        page.wait_for_function(MOVED, arg=shown)
    return answers


def settle_typo_and_conflict(page, output):
    """Answer the first of each, if the corpus has one; returns the number of lines."""
    count = 0
    for rule, name in (("NAME_TYPO_CANDIDATE", "It is a typo"), ("BARCODE_CONFLICT", "All are species")):
        for doubt in doubts(output, rule=rule)[:1]:
            page.goto(f"{page.address}/#/doubt/{doubt['id']}")
            saved(page, page.get_by_role("button", name=name).first.click)
            count += 1
    return count


def correct_country(page, processid, country):
    page.goto(f"{page.address}/#/specimen/{processid}")
    form = page.locator("form.decide", has_text="Set the place")
    form.get_by_label("Value").fill(country)
    saved(page, form.get_by_role("button").click)


def test_a_day(page, output):
    is_real = output.name.startswith("real")
    # The demo corpus has nine doubts about images, and no decoder reads three of those images.
    of_images = {"rule": "IMAGE_STATUS"} if is_real else {"kind": "image"}
    count = REVIEWED if is_real else 5
    there = [one for one in doubts(output, **of_images) if not (one["why"] or "").startswith("unreadable")]
    assert len(there) > count
    before, _ = released(output, "v1")
    given = review(page, of_images, count)
    answers = dict(given)
    assert {wanted for _, wanted in given} >= {"reject", "box"}
    settled = settle_typo_and_conflict(page, output)
    assert settled == 2 or is_real  # real records have no conflict and no typo
    elsewhere = next(one for one in before["processid"] if one not in answers)
    correct_country(page, elsewhere, "China")
    assert page.problems == []

    saved_lines = lines(output)
    found = [(one["processid"], one["action"]) for one in saved_lines if one["processid"] in answers]
    assert [(name, "accept" if action == "keep" else action) for name, action in found] == given
    assert len(saved_lines) == len(given) + settled + 1
    assert all(one["curator"] == "Ada Lovelace" for one in saved_lines)

    run(output)
    after, held_now = released(output, "v2")
    log = pl.read_parquet(output / "releases" / "v2" / "decisions.parquet")
    assert log.height == len(saved_lines)
    assert set(log["status"]) <= {"applied", "noted", "no_effect"}, log.filter(pl.col("status") == "left_out")
    rejected = {name for name, action in answers.items() if action == "reject"}
    assert not rejected & set(after["processid"])
    gates = dict(held_now.select("processid", "gates").iter_rows())
    assert all("CURATOR_REJECTED" in gates[name] for name in rejected if name in gates)
    assert after.filter(processid=elsewhere)["country"].to_list() == ["China"]

    # The doubts are decided, and the changelog names each specimen.
    lake = Lake(output)
    read = read_decisions(files.find(lake).texts).lines
    states = with_state(pl.read_parquet(get(lake, "doubts").path("doubts.parquet")), read)
    of_reviewed = states.filter(pl.col("processid").is_in(list(answers)), **of_images)
    assert of_reviewed.filter(pl.col("state") != "decided").is_empty()
    told = (output / "releases" / "v2" / "changelog.md").read_text()
    assert all(name in told for name in [*answers, elsewhere])

    # One line taken away by its button: its specimen is as it was, to the last value, and nothing else changes.
    back = sorted(rejected & set(before["processid"]))[:1] or [elsewhere]
    page.goto(f"{page.address}/#/decisions")
    row = page.locator("main tr", has_text=back[0])
    saved(page, row.get_by_role("button", name="Take away").first.click)
    assert len(lines(output)) == len(saved_lines) - 1
    run(output)
    again, _ = released(output, "v3")
    was = before.filter(pl.col("processid").is_in(back)).drop("split", "chunk")
    assert again.filter(pl.col("processid").is_in(back)).drop("split", "chunk").equals(was)
    rest = ~pl.col("processid").is_in(back)
    differing = again.filter(rest).join(after.filter(rest), on=again.columns, how="anti", nulls_equal=True)
    assert differing.height == 0, differing


def test_all_lines_taken_away_give_the_first_release_again(page, output):
    with contextlib.suppress(FileNotFoundError):
        (output / "decisions" / "ada-lovelace.csv").unlink()
    run(output)
    first, last = (
        output / "releases" / name for name in ("v1", sorted(p.name for p in (output / "releases").glob("v*"))[-1])
    )
    names = sorted(one.relative_to(first).as_posix() for one in (first / "data").rglob("*") if one.is_file())
    names += ["quarantine.parquet", "rejects.parquet", "set_aside.parquet", "changes.parquet", "decisions.parquet"]
    assert names
    for name in names:
        assert (first / name).read_bytes() == (last / name).read_bytes(), name
