import polars as pl

from bioscan_etl.records.blocks import canonical
from bioscan_etl.records.changes import text_changes
from bioscan_etl.records.layouts import REQUIRED, recognise
from bioscan_etl.settings import RecordSettings


def test_what_was_removed_is_in_the_change_log():
    header = [*REQUIRED, "sampleid", "province/state", "mood"]
    layout = recognise(header)
    values = dict.fromkeys(header, "x") | {"processid": "A-1"}
    odd = values | {"processid": "B-1", "sampleid": "S\u200b1", "province/state": "Ma\u00a0naus", "mood": "\u202e"}
    names = values | {"processid": "C-1", "species": "Aedes\u200b vexans"}
    rows = canonical(pl.DataFrame([values, odd, names]), layout, RecordSettings())
    assert rows["flags"].to_list() == [[], ["TEXT_INVISIBLE"], []]
    assert rows.select("sampleid", "province/state", "extra:mood").row(1) == ("S1", "Ma naus", None)
    assert rows["species"][2] == "Aedes\u200b vexans"  # names are cleaned, with their own rules, by another stage
    found = text_changes(rows.lazy())
    assert found.select("processid", "field", "before", "after", "rule").rows() == [
        ("B-1", "mood", "\u202e", "", "TEXT_INVISIBLE"),
        ("B-1", "province_state", "Ma\u00a0naus", "Ma naus", "TEXT_INVISIBLE"),
        ("B-1", "sampleid", "S\u200b1", "S1", "TEXT_INVISIBLE"),
    ]
