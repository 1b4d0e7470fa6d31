"""The pages of the desk in a real browser, on a corpus of two releases."""

import re
import shutil

import polars as pl
import pytest
from desk_browser import doubts, lines, opened, saved, served

from bioscan_etl.cli import main
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.release.versions import versions

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Two releases: the second has other settings."""
    folder = tmp_path_factory.mktemp("desk")
    assert main(["demo", "--output", str(folder), "--specimens", "150"]) == 0
    assert main(["run", "--output", str(folder), "--quiet"]) == 0
    (folder / "other.toml").write_text("[gates]\nmin_unambiguous_run = 650\n")
    assert main(["run", "--output", str(folder), "--settings", str(folder / "other.toml"), "--quiet"]) == 0
    assert [one.name for one in versions(Lake(folder).releases)] == ["v1", "v2"]
    return folder


@pytest.fixture(scope="module")
def address(output):
    with served(output) as found:
        yield found


@pytest.fixture
def page(address):
    with opened(address) as found:
        yield found


def cells(page, caption, first):
    """Cells of the row of a table that begins with a text."""
    found = page.locator("table", has=page.locator("caption", has_text=caption)).first
    rows = found.locator("tbody tr").all_inner_texts()
    return next(row.split("\t") for row in rows if row.startswith(first))


def test_the_first_page_says_what_came_in_and_what_changed(page, address, output):
    page.goto(f"{address}/#/")
    page.locator("h2", has_text="Expectations").wait_for()
    page.locator("h2", has_text="What came in since v1").wait_for()
    assert page.locator("main .wrong").count() == 0
    # The gate that the settings of v2 narrow holds back more than in v1.
    page.locator("summary", has_text="over 2 releases").click()
    before, after = cells(page, "Specimens by gate or rule, by release", "BARCODE_RUN_TOO_SHORT")[2:4]
    assert int(before.split()[0]) < int(after.split()[0])
    assert cells(page, "Settings that are not the defaults", "gates.min_unambiguous_run")[1:] == ["200", "650"]
    assert cells(page, "Settings that have changed since v1", "gates.min_unambiguous_run")[1:] == ["200", "650"]
    shares = cells(page, "What the detector says of the images, by batch", "one specimen")[2:]
    assert len(shares) == 3
    assert all(one.endswith("%") for one in shares)
    # Whatever is drawn is in a row with its numbers.
    assert page.locator(".spark").count() > 20
    assert page.locator("tr:has(.spark)").count() == page.locator(".spark").count()
    assert page.problems == []


def test_the_list_shows_what_is_new_since_the_release_before(page, address, output):
    page.goto(f"{address}/#/")
    lead = page.locator("a", has_text=re.compile(r"\d+ of them new since v1"))
    fresh = int(lead.inner_text().split()[0].replace(",", ""))
    lead.click()
    page.locator(".summary", has_text=f"{fresh} of ").wait_for()
    assert page.locator("select[name=new]").input_value() == "since v1"
    rules = page.locator("select[name=rule] option").all_inner_texts()[1:]
    # The second run has the same specimens, and holds back more of them.
    assert len(rules) == 1
    assert rules[0].startswith("BARCODE_RUN_TOO_SHORT")
    held = pl.read_parquet(output / "releases" / "v1" / "quarantine.parquet")["gates"].explode().to_list()
    every = len(doubts(output, rule="BARCODE_RUN_TOO_SHORT"))
    assert fresh == every - held.count("BARCODE_RUN_TOO_SHORT") > 0


def test_a_damaged_release_hides_no_other(page, address, output):
    manifest = output / "releases" / "v1" / "manifest.json"
    shutil.copy(manifest, output / "kept")
    try:
        manifest.write_text("{")
        page.reload()
        page.locator("h2", has_text="Expectations").wait_for()
        assert page.locator(".trends > .wrong", has_text="release v1 cannot be read").count() == 1
        assert cells(page, "Settings that are not the defaults", "gates.min_unambiguous_run")[1:] == ["200", "650"]
    finally:
        shutil.move(output / "kept", manifest)


def test_the_page_of_a_specimen_says_what_changed_of_it(page, address, output):
    held = pl.read_parquet(get(Lake(output), "specimens").path("specimens.parquet"))
    gone = held.filter(pl.col("gates") == ["BARCODE_RUN_TOO_SHORT"])["processid"]
    before = pl.read_parquet(output / "releases" / "v1" / "quarantine.parquet")["processid"]
    processid = next(one for one in gone if one not in before.to_list())
    page.goto(f"{address}/#/specimen/{processid}")
    page.locator(".mask polygon").first.wait_for(timeout=120_000)  # the outline, within the picture of the box
    page.locator("p", has_text="this barcode").wait_for()
    changed = cells(page, "What changed from release to release", "v1 → v2\tplace")
    assert changed == ["v1 → v2", "place", "released", "quarantined:BARCODE_RUN_TOO_SHORT"]
    assert page.locator("main .wrong").count() == 0
    assert page.problems == []


def test_the_odd_one_of_a_taxon_comes_first_and_is_rejected_by_keyboard(page, address, output):
    page.goto(f"{address}/#/taxon/class/Insecta")
    grid = page.get_by_role("listbox")
    grid.wait_for()
    shown = [float(one) for one in re.findall(r"oddness ([0-9.]+)", grid.inner_text())]
    assert shown == sorted(shown, reverse=True)
    number = int(re.search(r"(\d+) specimens, none chosen", page.locator(".summary").inner_text())[1])
    assert 0 < page.locator(".cell").count() < number  # only cells in view exist
    assert lines(output) == []
    grid.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator('.cell[aria-selected="true"]').count() == 2
    chosen = page.locator('.cell[aria-selected="true"] a').all_inner_texts()
    page.keyboard.press("End")
    assert page.locator(".cell.at").get_attribute("aria-posinset") == str(number)
    assert lines(output) == []  # choosing is not deciding
    page.keyboard.press("r")
    saved(page, page.get_by_role("button", name="Reject 2", exact=True).click)
    assert {(one["processid"], one["action"]) for one in lines(output)} == {(one, "reject") for one in chosen}
    assert len(lines(output)) == 2
    page.keyboard.press("Home")
    assert page.locator(".cell", has_text=chosen[0]).locator(".state").inner_text() == "reject"
    saved(page, page.locator(".undo").click)
    assert lines(output) == []
    # Relabel one, from the other order.
    page.get_by_label("Sort").select_option("processid")
    first = page.locator(".cell a").first.inner_text()
    page.locator(".cell").first.click(position={"x": 80, "y": 60})
    page.get_by_role("button", name="Relabel chosen").click()
    page.get_by_role("textbox", name="Label").fill("Hemiptera")
    saved(page, page.get_by_role("button", name="Relabel 1", exact=True).click)
    assert [(one["processid"], one["field"], one["value"]) for one in lines(output)] == [(first, "class", "Hemiptera")]
    saved(page, page.locator(".undo").click)
    assert page.problems == []


def test_a_label_leads_to_its_taxon(page, address, output):
    page.goto(f"{address}/#/doubts?kind=label")
    link = page.locator(".row a.taxon").first
    name = link.inner_text()
    link.click()
    page.get_by_role("listbox").wait_for()
    assert page.locator("h1").inner_text().startswith(name)
    page.goto(f"{address}/#/taxon/any/{'x' * 300}%2F%3Cb%3E")
    page.locator(".wrong", has_text="no such thing").wait_for()


def test_a_decision_for_a_bin_says_how_many_it_is_about_and_answers_their_doubts(page, address, output):
    specimens = pl.read_parquet(get(Lake(output), "specimens").path("specimens.parquet"))
    wanted = pl.DataFrame(doubts(output, kind="label")).join(
        specimens.filter(pl.col("dna_bin").is_not_null()), on="processid", how="semi"
    )
    one = wanted.row(0, named=True)
    dna_bin = specimens.filter(processid=one["processid"])["dna_bin"].item()
    number = specimens.filter(dna_bin=dna_bin).height
    page.goto(f"{address}/#/specimen/{one['processid']}")
    form = page.locator("form.decide", has_text="Decide for a group")
    form.locator("[name=scope]").select_option(label=f"BIN {dna_bin}")
    form.locator("[name=answer]").select_option("keep")
    form.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert f"{number} specimens are affected" in dialog.inner_text()
    assert lines(output) == []
    dialog.get_by_role("button", name="Cancel").click()
    assert lines(output) == []
    form.get_by_role("button").click()
    saved(page, page.get_by_role("button", name=f"Decide for {number}", exact=True).click)
    assert [(line["group"], line["action"]) for line in lines(output)] == [(dna_bin, "keep")]
    page.locator(".doubt", has_text=one["rule"]).locator(".state.decided").wait_for()
    saved(page, page.locator(".undo").click)
    page.locator(".doubt", has_text=one["rule"]).locator(".state.open").wait_for()
    # Rejecting the group writes a line for each.
    form.locator("[name=answer]").select_option("reject")
    form.get_by_role("button").click()
    saved(page, page.get_by_role("button", name=f"Decide for {number}", exact=True).click)
    assert sorted(line["processid"] for line in lines(output)) == sorted(specimens.filter(dna_bin=dna_bin)["processid"])
    saved(page, page.locator(".undo").click)
    assert lines(output) == []
    assert page.problems == []


def test_a_key_that_is_taken_is_refused_and_another_one_is_kept_in_the_browser(page, address, output):
    page.goto(f"{address}/#/taxon/order/Diptera")
    page.get_by_role("listbox").wait_for()
    for key, kept in (("a", "r"), ("7", "r"), ("x", "x")):
        page.get_by_role("button", name="Keys").click()
        page.get_by_label("Reject, then").fill(key)
        page.get_by_role("button", name="Use these").click()
        if kept != key:
            page.get_by_role("button", name="Understood").click()
        page.reload()
        page.get_by_role("listbox").wait_for()
        assert page.get_by_role("button", name="Reject chosen").inner_text().split()[0] == kept
    page.get_by_role("listbox").focus()
    page.keyboard.press("x")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    assert lines(output) == []


def test_corrections_for_bold_are_downloaded(page, address, output):
    processid = doubts(output, rule="COUNTRY_INVALID")[0]["processid"]
    page.goto(f"{address}/#/specimen/{processid}")
    form = page.locator("form.decide", has_text="Set the place")
    form.get_by_label("Value").fill("China")
    saved(page, form.get_by_role("button").click)
    page.goto(f"{address}/#/decisions")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download corrections for BOLD").click()
    rows = pl.read_csv(waiting.value.path(), infer_schema=False)
    assert rows.select("processid", "worksheet", "field", "corrected", "curator").rows() == [
        (processid, "Collection Data", "country/ocean", "China", "Ada Lovelace")
    ]
    assert main(["decisions", "--output", str(output), "--for-bold", str(output / "for_bold.csv")]) == 0
    assert (output / "for_bold.csv").read_bytes() == waiting.value.path().read_bytes()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="As worksheets of BOLD's template").click()
    assert main(["decisions", "--output", str(output), "--for-bold", str(output / "for_bold.zip")]) == 0
    assert (output / "for_bold.zip").read_bytes() == waiting.value.path().read_bytes()
    saved(page, page.locator(".undo").click)
    assert page.problems == []
