"""The curators' report."""

import re
from html.parser import HTMLParser

import polars as pl
import pytest
from decided import csv_of
from desk_browser import browser, faults

from bioscan_etl import schema
from bioscan_etl.decisions.outcome import outcome
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.doubts.kinds import KINDS
from bioscan_etl.quality.doubts_history import counted
from bioscan_etl.quality.ledger import Ledger
from bioscan_etl.quality.report import Report, write_report
from bioscan_etl.quality.results import ExpectationResult
from bioscan_etl.rules import registry
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.titles import FIGURES

EVIL = "<script>alert(1)</script>"
PIXEL = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Tags with their attributes, texts, and tags left open."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def report_of(tmp_path, **changed):
    figure = tmp_path / "site_map.svg"
    figure.write_text(PIXEL)
    sheet = tmp_path / "batch one.jpg"
    sheet.write_bytes(b"\xff\xd8\xff\xd9")
    quarantine = pl.DataFrame(
        [
            {"processid": processid, "record_id": f"{processid}.COI-5P", "batch": "=1+1", "source_file": EVIL,
             "source_line": 2, "gates": ["NO_IMAGE"], "flags": ["A", "B"]}
            for processid in ("B2", "A1")
        ],
        schema=schema.QUARANTINE.schema(),
    )  # fmt: skip
    failed = ExpectationResult(
        "metadata", "SPLIT_OUTSIDE_VOCABULARY", EVIL, "split", "blocking", False, 9, 2, 22.2, (f"A1: {EVIL}", "B2: x")
    )
    held = ExpectationResult(
        "records", "PROCESSID_MISSING", "`processid` is missing.", "processid", "blocking", True, 9, 0, 0.0
    )
    told = {
        "version": f"2026.1 {EVIL}",
        "ledger": Ledger(3520, {"field_count": 3}, {"superseded": 41}, {"NO_IMAGE": 2}, 3474),
        "rule_counts": pl.DataFrame({"rule": ["BARCODE_SHORT", EVIL, "BARCODE_LONG"], "hits": [1234, 1, 0]}),
        "expectation_results": [failed, held],
        "change_counts": pl.DataFrame(
            {"rule": ["REVERSE_COMPLEMENT", "X"], "field": ["dna_barcode", EVIL], "changes": [12, 5000]}
        ),
        "split_report": pl.DataFrame({"split": ["train"], "samples": [7], "share": [0.25]}),
        "quarantine": quarantine,
        "statistics": {
            "attributes": pl.DataFrame({"attribute": ["country"], "most_populated": [EVIL], "mean": [None]})
        },
        "figures": [figure],
        "contact_sheets": [sheet],
        "flagged": pl.DataFrame({"processid": ["Z", "Y"], "flags": [["BARCODE_SHORT"], []]}),
    }
    return Report(**told | changed)


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "report"
    path = write_report(folder, report_of(tmp_path))
    assert path == folder / "index.html"
    return path.read_text(encoding="utf-8")


def texts(path):
    """What a reader reads, words one blank apart."""
    return " ".join(" ".join(Page(path.read_text(encoding="utf-8")).texts).split())


def test_data_is_never_markup(page):
    assert EVIL not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 6
    assert not Page(page).all("script")


def test_it_is_well_formed_and_needs_nothing_from_elsewhere(page):
    parsed = Page(page)
    assert parsed.open == []
    assert parsed.all("link") == []
    sources = [attributes["src"] for attributes in parsed.all("img")] + [a["href"] for a in parsed.all("a")]
    assert sources
    assert all(source.startswith(("data:", "#")) or "//" not in source for source in sources)
    assert not re.search(r"url\(|@import|https?://", page)


def test_it_can_be_read_without_seeing_it(page):
    parsed = Page(page)
    assert parsed.all("html") == [{"lang": "en"}]
    assert all(attributes.get("scope") in {"col", "row"} for attributes in parsed.all("th"))
    assert all(attributes.get("alt") for attributes in parsed.all("img"))
    assert len(parsed.all("h1")) == 1
    anchors = {attributes["href"][1:] for attributes in parsed.all("a") if attributes["href"].startswith("#")}
    assert anchors <= {attributes.get("id") for _, attributes in parsed.tags}


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, tmp_path, scheme):
    with browser() as opened:
        shown = opened.new_page(viewport={"width": 600, "height": 900}, color_scheme=scheme)
        shown.goto((tmp_path / "report" / "index.html").as_uri())
        assert faults(shown) == []
        assert shown.evaluate("document.documentElement.scrollWidth") <= 600


def test_it_tells_targets_leakage_and_moves(tmp_path):
    near = {"known": ["train"], "evaluated": ["test"], "near": [17]}
    moves = pl.DataFrame(
        [(f"P{n}", "pretrain", "train", "MOVED_SPECIES_NAMED") for n in range(3)],
        schema=schema.PARTITION_MOVES.schema(),
        orient="row",
    )
    path = write_report(
        tmp_path / "report",
        report_of(
            tmp_path,
            split_classes=pl.DataFrame({"kind": ["seen"], "records": ["8-19"], "split": ["test"], "samples": [805]}),
            leakage={
                "near_duplicates": pl.DataFrame(near | {"barcodes": [4321]}),
                "near_images": pl.DataFrame(near | {"images": [54321], "same": [2]}),
            },
            moves=moves,
        ),
    )
    page = path.read_text(encoding="utf-8")
    parsed = Page(page)
    text = " ".join("".join(parsed.texts).split())
    for words in ("in at most two bases", "4,321", "Images that are near duplicates", "54,321", "8-19", "805"):
        assert words in text
    assert "pretrain train MOVED_SPECIES_NAMED 3" in " ".join(" ".join(parsed.texts).split())
    assert pl.read_csv(tmp_path / "report/moves.csv")["processid"].to_list() == ["P0", "P1", "P2"]


def test_it_tells_the_ledger_the_rule_and_the_setting(page):
    text = " ".join("".join(Page(page).texts).split())
    rule = registry()["BARCODE_SHORT"]
    assert "3 + 41 + 2 + 3,474 = 3,520" in text
    assert rule.statement in text
    assert rule.reason in text
    assert f"[barcodes] min_length is {Settings().barcodes.min_length}" in text
    assert "1 blocking expectation fails." in text
    assert "1 expectation holds" in text
    assert "BARCODE_LONG" not in text
    assert "25.00 %" in text


def test_lists_and_sheets_lie_beside_it(page, tmp_path):
    folder = tmp_path / "report"
    quarantined = (folder / "quarantined.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in quarantined] == ["processid", "A1", "B2"]
    assert "'=1+1" in quarantined[1]
    assert (folder / "flagged.csv").read_text() == "processid,flags\nZ,BARCODE_SHORT\n"
    assert 'src="contact_sheets/batch%20one.jpg"' in page
    assert (folder / "contact_sheets" / "batch one.jpg").is_file()


def test_the_settings_of_the_run_are_shown(tmp_path):
    chosen = Settings.model_validate(
        {"barcodes": {"min_length": 321}, "gates": {"image_statuses": ["detected", "empty"]}}
    )
    path = write_report(tmp_path / "report", report_of(tmp_path, settings=chosen))
    text = " ".join("".join(Page(path.read_text()).texts).split())
    assert "min_length is 321" in text
    assert 'image_statuses is ["detected", "empty"]' in text


def test_the_same_data_give_the_same_bytes(tmp_path):
    first, second = (write_report(tmp_path / name, report_of(tmp_path)) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_an_empty_release_has_a_report(tmp_path):
    nothing = pl.DataFrame(schema={"rule": pl.String, "field": pl.String, "hits": pl.Int64, "changes": pl.Int64})
    path = write_report(
        tmp_path / "report",
        Report(
            version="0",
            ledger=Ledger(0, {}, {}, {}, 0),
            rule_counts=nothing.select("rule", "hits"),
            expectation_results=[],
            change_counts=nothing.select("rule", "field", "changes"),
            split_report=pl.DataFrame(),
            quarantine=schema.QUARANTINE.empty(),
            statistics={},
            figures=[],
            contact_sheets=[],
        ),
    )
    text = "".join(Page(path.read_text()).texts)
    assert "No rule applied to any specimen." in text
    assert "No value was changed." in text
    assert "No expectations were run." in text


def test_a_ledger_that_does_not_add_up_is_reported(tmp_path):
    ledger = Ledger(9, {"field_count": 1}, {}, {"NO_IMAGE": 2}, 5)
    text = texts(write_report(tmp_path / "report", report_of(tmp_path, ledger=ledger)))
    assert "The ledger does not balance." in text
    assert f"The lines do not add up to the rows read: {ledger.finding().detail}." in text
    assert "1 + 0 + 2 + 5 = 8" in text
    sound = texts(write_report(tmp_path / "sound", report_of(tmp_path)))
    assert "add up." not in sound


def test_gates_say_how_many_stand_before_and_after(tmp_path):
    write_report(tmp_path / "report", report_of(tmp_path))
    text = (tmp_path / "report" / "index.html").read_text()
    numbers = re.findall(
        r"<code>([A-Z_]+)</code></th>(?:<td class=\"n\">([0-9,]+)</td>){1}<td class=\"n\">([0-9,]+)</td>", text
    )
    held = report_of(tmp_path).ledger
    before = held.specimens + sum(held.quarantined.values())
    assert numbers[0] == ("NO_IMAGE", f"{before:,}", f"{before - held.by_first_gate().get('NO_IMAGE', 0):,}")
    assert numbers[4][2] == f"{held.specimens:,}", "what passes the last gate is released"


def test_conflicts_and_typos_stand_in_the_page_and_in_lists(tmp_path):
    taxonomy = {
        "labels": {"species": {"delivered": 5, "final": 3, "distinct": 2}},
        "circular": {"records": 2, "share": 0.4},
    }
    conflicts = pl.DataFrame(
        {
            "group": [0],
            "rank": ["species"],
            "labels": [f"{EVIL} (2); Aus cus (1)"],
            "records": [3],
            "processids": [["A1"]],
        }
    )
    typos = pl.DataFrame(
        {"rank": ["species"], "from": ["Aus bsu"], "to": ["Aus bus"], "fixed": [True], "evidence": ["x"]}
    )
    write_report(tmp_path / "report", report_of(tmp_path, taxonomy=taxonomy, conflicts=conflicts, typos=typos))
    text = (tmp_path / "report" / "index.html").read_text()
    page = Page(text)
    assert EVIL not in text
    assert page.open == []
    for word in ("Labels by rank", "Aus bsu", "40 %"):
        assert word in text
    assert (tmp_path / "report" / "label_conflicts.csv").read_text().count("\n") == 2
    assert "Aus bus" in (tmp_path / "report" / "typos.csv").read_text()


def test_each_batch_is_named_with_its_delivery_and_its_note(tmp_path):
    kept = "the delivery of 2026-11-28 failed: no records file; this release holds the one before"
    rows = [
        ("plate-7", "0a1b2c3d", "bioscan-etl 0.1.0, detector v2", kept),
        (EVIL, EVIL, EVIL, f"withdrawn: {EVIL}"),
        *((f"plate-{number}", "4e5f6071", "", "") for number in range(100, 250)),
        ("plate-999", "", "", "landed, not ingested"),
    ]
    batches = pl.DataFrame(rows, schema=["batch", "delivery", "made", "note"], orient="row")
    path = write_report(tmp_path / "report", report_of(tmp_path, batches=batches))
    page, text = Page(path.read_text()), texts(path)
    assert f"plate-7 0a1b2c3d bioscan-etl 0.1.0, detector v2 {kept}" in text
    assert "plate-999 landed, not ingested" in text
    assert all(name in text for name in batches["batch"])
    assert EVIL not in path.read_text()
    assert not page.all("script")
    assert_reachable(page, "batches")
    assert "damage" not in text.split("plate-7 0a1b2c3d")[0].split("Notes list")[-1]
    damaged = batches.with_columns(damage=pl.Series(["r.tsv is not as BOLD delivers it", *[""] * (len(rows) - 1)]))
    text = texts(write_report(tmp_path / "damaged", report_of(tmp_path, batches=damaged)))
    assert f"made note damage plate-7 0a1b2c3d bioscan-etl 0.1.0, detector v2 {kept} r.tsv is not as BOLD" in text


def decided(*rows):
    return outcome(read_decisions({"anna.csv": csv_of(rows)}).lines, [])


def test_decisions_are_counted_and_those_without_effect_shown(tmp_path):
    wrong = [{"processid": f"A-{number}", "action": "promote"} for number in range(150)]
    evil = {"processid": "A-1", "action": "reject", "note": "=1+1", "reason": EVIL}
    lines = decided(*wrong, evil, {"processid": "A-2", "action": "keep", "field": "FRAGMENT"})
    refused = pl.DataFrame({"file": ["wrong.csv"], "problem": [EVIL]})
    path = write_report(tmp_path / "report", report_of(tmp_path, decisions=lines, refused=refused))
    page, text = Page(path.read_text()), texts(path)
    assert "151 lines of the curators' decisions were not applied. See Decisions" in text
    assert "1 file of decisions could not be read." in text
    assert "left_out anna.csv, line 2 promote A-0 unknown action 'promote'" in text
    assert "more rows are not shown here." in text
    assert EVIL not in path.read_text()
    assert not page.all("script")
    assert_reachable(page, "decisions")
    listed = pl.read_csv(tmp_path / "report" / "decisions.csv")
    assert listed.height == 152
    assert "'=1+1" in listed["note"].to_list()


def test_without_batches_or_lines_left_out_there_are_no_such_sections(tmp_path):
    empty = pl.DataFrame(schema=dict.fromkeys(["batch", "delivery", "made", "note"], pl.String))
    plain = write_report(tmp_path / "plain", report_of(tmp_path))
    nothing = write_report(tmp_path / "empty", report_of(tmp_path, batches=empty, decisions=decided()))
    assert nothing.read_bytes() == plain.read_bytes()
    assert not {"batches", "decisions"} & {attributes.get("id") for _, attributes in Page(plain.read_text()).tags}
    assert not (tmp_path / "empty" / "decisions.csv").exists()


def doubted(*rows):
    """Doubts with their state; each row is kind, rule and state."""
    frame = pl.DataFrame(
        [
            dict(zip(("kind", "rule", "state"), row, strict=True)) | {"processid": f"A-{n}"}
            for n, row in enumerate(rows)
        ],
        schema=schema.DOUBTS.schema() | dict.fromkeys(("state", "decided_as", "decided_by", "decided_on"), pl.String()),
    )
    return frame.with_columns(decided_why=pl.lit(None, pl.String), lines=pl.lit([], pl.List(pl.String)))


def test_doubts_are_counted_by_state_and_over_the_releases(tmp_path):
    now = doubted(("image", "BLURRED", "open"), ("image", "BLURRED", "decided"))
    earlier = counted(doubted(*[("image", "BLURRED", "open")] * 3, ("place", "COUNTRY_INVALID", "changed")), "v6")
    path = write_report(tmp_path / "report", report_of(tmp_path, version="v7", doubts=now, doubt_history=earlier))
    text = texts(path)
    assert "1 doubt waits for a curator, and 1 is decided." in text
    assert f"{KINDS['image'].title} █▃ v6: 3 open; v7: 1 open, 1 decided" in text
    assert f"{KINDS['place'].title} █▁ v6: 1 to look at again; v7: none" in text
    assert_reachable(Page(path.read_text()), "doubts")
    # All are gone: the trend still says so. A first release has none.
    path = write_report(tmp_path / "gone", report_of(tmp_path, version="v7", doubts=doubted(), doubt_history=earlier))
    assert f"{KINDS['image'].title} █▁ v6: 3 open; v7: none" in texts(path)
    path = write_report(tmp_path / "first", report_of(tmp_path, version="v1", doubts=now))
    assert "Doubts over the releases" not in texts(path)


def assert_reachable(page, section):
    """The section has a heading that the navigation links to and that names it, and every table cell a header."""
    assert page.open == []
    assert {"id": section} in page.all("h2")
    assert {"href": f"#{section}"} in page.all("a")
    assert {"aria-labelledby": section} in page.all("section")
    assert all(attributes.get("scope") in {"col", "row"} for attributes in page.all("th"))


def test_characters_that_cannot_be_seen_are_shown_as_escapes(tmp_path):
    hostile = "a\x1b[2J\u202eb\u200b\nc"
    lines = decided({"processid": hostile, "action": hostile, "note": hostile})
    page = write_report(tmp_path / "report", report_of(tmp_path, decisions=lines, version=hostile)).read_text()
    assert r"a\x1b[2J\u202eb\u200b\nc" in page
    assert all(line.isprintable() for line in page.splitlines())


def test_figures_are_in_sections_in_the_order_in_which_they_are_read_with_their_captions(tmp_path):
    paths = []
    for name in ("leakage_curve", "country_map", "own"):
        paths.append(tmp_path / f"{name}.svg")
        text = f'<svg xmlns="http://www.w3.org/2000/svg"><title>x</title><desc>Of &lt;3&gt; {name}.</desc></svg>'
        paths[-1].write_text(text)
    page = write_report(tmp_path / "report", report_of(tmp_path, figures=paths)).read_text()
    drawn = page[page.index('<h2 id="figures">') :]
    found = re.findall(r"<h3>(.*?)</h3>|<figcaption>(.*?)</figcaption>", drawn)
    assert [title or caption for title, caption in found][:5] == [
        "Places",
        f"{FIGURES['country_map']} Of &lt;3&gt; country_map.",
        "Barcodes",
        f"{FIGURES['leakage_curve']} Of &lt;3&gt; leakage_curve.",
        "own Of &lt;3&gt; own.",
    ]
