"""The curators' report."""

import re
from html.parser import HTMLParser

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError
from bioscan_etl.quality.ledger import Ledger
from bioscan_etl.quality.report import write_report
from bioscan_etl.quality.validate import ExpectationResult
from bioscan_etl.rules import registry
from bioscan_etl.settings import Settings

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


def arguments(tmp_path, **changed):
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
        "SPLIT_OUTSIDE_VOCABULARY", EVIL, "split", "blocking", False, 9, 2, 22.2, (f"A1: {EVIL}", "B2: x")
    )
    held = ExpectationResult("PROCESSID_MISSING", "`processid` is missing.", "processid", "blocking", True, 9, 0, 0.0)
    return {
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
    } | changed


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "report"
    path = write_report(folder, **arguments(tmp_path))
    assert path == folder / "index.html"
    return path.read_text(encoding="utf-8")


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


def test_it_tells_targets_leakage_and_moves(tmp_path):
    near = {"known": ["train"], "evaluated": ["test"], "near": [17]}
    moves = pl.DataFrame(
        [(f"P{n}", "pretrain", "train", "MOVED_SPECIES_NAMED") for n in range(3)],
        schema=schema.PARTITION_MOVES.schema(),
        orient="row",
    )
    path = write_report(
        tmp_path / "report",
        **arguments(
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
    for words in ("Barcodes within two edits", "4,321", "Images that all but match", "54,321", "8-19", "805"):
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
    assert "1 expectations hold" in text
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
    path = write_report(tmp_path / "report", **arguments(tmp_path, settings=chosen))
    text = " ".join("".join(Page(path.read_text()).texts).split())
    assert "min_length is 321" in text
    assert 'image_statuses is ["detected", "empty"]' in text


def test_the_same_data_give_the_same_bytes(tmp_path):
    first, second = (write_report(tmp_path / name, **arguments(tmp_path)) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_an_empty_release_has_a_report(tmp_path):
    nothing = pl.DataFrame(schema={"rule": pl.String, "field": pl.String, "hits": pl.Int64, "changes": pl.Int64})
    path = write_report(
        tmp_path / "report",
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
    )
    text = "".join(Page(path.read_text()).texts)
    assert "No rule hit any specimen." in text
    assert "No value was changed." in text
    assert "No expectations were run." in text


def test_a_ledger_that_does_not_add_up_has_no_report(tmp_path):
    with pytest.raises(InvariantError, match="does not add up"):
        write_report(tmp_path / "report", **arguments(tmp_path, ledger=Ledger(1, {}, {}, {}, 2)))
    assert not (tmp_path / "report").exists()


def test_gates_say_how_many_stand_before_and_after(tmp_path):
    write_report(tmp_path / "report", **arguments(tmp_path))
    text = (tmp_path / "report" / "index.html").read_text()
    numbers = re.findall(
        r"<code>([A-Z_]+)</code></th>(?:<td class=\"n\">([0-9,]+)</td>){1}<td class=\"n\">([0-9,]+)</td>", text
    )
    held = arguments(tmp_path)["ledger"]
    before = held.specimens + sum(held.quarantined.values())
    assert numbers[0] == ("NO_IMAGE", f"{before:,}", f"{before - held.by_first_gate().get('NO_IMAGE', 0):,}")
    assert numbers[4][2] == f"{held.specimens:,}", "what passes the last gate is released"


def test_conflicts_and_typos_stand_in_the_page_and_in_lists(tmp_path):
    taxonomy = {
        "labels": {"species": {"delivered": 5, "final": 3, "distinct": 2}},
        "circular": {"records": 2, "share": 0.4},
        "overrides": {"lines": 2, "labels": 3, "without_effect": [4]},
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
    write_report(tmp_path / "report", **arguments(tmp_path), taxonomy=taxonomy, conflicts=conflicts, typos=typos)
    text = (tmp_path / "report" / "index.html").read_text()
    page = Page(text)
    assert EVIL not in text
    assert page.open == []
    for word in ("Labels by rank", "Aus bsu", "40 %", "had no effect"):
        assert word in text
    assert (tmp_path / "report" / "label_conflicts.csv").read_text().count("\n") == 2
    assert "Aus bus" in (tmp_path / "report" / "typos.csv").read_text()
