"""Which specimens a line about a group or a name is about."""

import polars as pl
from test_doubts_state import doubt, line

from bioscan_etl import schema
from bioscan_etl.doubts.reach import facts_of, named_barcodes, reach, settled

SPECIMENS = [
    # processid, barcode, BIN, genus
    ("A-1", "NACGT", "BOLD:AAA0001", "Aedes"),
    ("A-2", "ACGT", "BOLD:AAA0001", "Aedes"),
    ("A-3", "ACGTT", "BOLD:AAA0002", "Culex"),
    ("A-4", None, None, None),
]


def specimens():
    rows = [dict(zip(("processid", "dna_barcode", "dna_bin", "genus"), one, strict=True)) for one in SPECIMENS]
    names = (
        "processid",
        "dna_barcode",
        "dna_bin",
        "phylum",
        "class",
        "order",
        "family",
        "subfamily",
        "genus",
        "species",
    )
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String)).lazy()


def reached(*lines):
    frame = pl.DataFrame(
        [one | {"line": place} for place, one in enumerate(lines, 2)], schema=schema.DECISIONS.schema()
    )
    known = pl.Series(["A-1", "A-2", "A-3", "A-4"])
    facts = facts_of(specimens(), pl.concat([known, named_barcodes(frame)]))
    return sorted(reach(frame, facts)["processid"])


def test_a_bin_a_barcode_and_a_name_have_members():
    assert reached(line("relabel", group="BOLD:AAA0001", field="genus", value="Ae")) == ["A-1", "A-2"]
    # The barcode without N at its ends is the same.
    assert reached(line("relabel", group="barcode:A-2", field="genus", value="Ae")) == ["A-1", "A-2"]
    assert reached(line("relabel", rank="genus", name="Culex", field="genus", value="Ae")) == ["A-3"]


def test_a_name_counts_at_its_rank_and_a_specimen_without_barcode_has_no_group():
    assert reached(line("relabel", rank="species", name="Culex", field="genus", value="Ae")) == []
    assert reached(line("relabel", group="barcode:A-4", field="genus", value="Ae")) == []
    assert reached(line("relabel", group="barcode:A-9", field="genus", value="Ae")) == []
    assert reached(line("reject", processid="A-1")) == []


def test_a_line_about_a_bin_settles_the_label_doubts_of_its_members_alone():
    doubts = pl.DataFrame(
        [doubt("NAME_DOUBTFUL", "label", processid=name) for name in ("A-1", "A-2", "A-3")],
        schema=schema.DOUBTS.schema(),
    )
    lines = pl.DataFrame(
        [line("relabel", group="BOLD:AAA0001", field="genus", value="Ae")], schema=schema.DECISIONS.schema()
    )
    found = settled(doubts, lines, specimens())
    assert found["state"].to_list() == ["decided", "decided", "open"]
    assert settled(doubts, lines.clear(), specimens())["state"].to_list() == ["open"] * 3
