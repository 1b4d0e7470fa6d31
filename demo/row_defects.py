"""Rows that are not records, rows that other rows replace, and nulls and texts of every spelling.

Belongs here: planting them, after the records spec.
"""

from __future__ import annotations

import numpy as np

from bioscan_etl.demo.draft import BATCHES, TRUNCATED_FILE, TRUNCATED_ROWS, Draft
from bioscan_etl.vocabulary import RANKS

_MARKERS = ("28S", "CAD", "PGD", "16S", "AATS")
_BROKEN = ("row_too_short", "row_too_long", "no_processid", "unsafe_processid", "undecodable")
_BASES = np.frombuffer(b"ACGT", np.uint8)


def plant_rows(draft: Draft) -> None:
    """Plant everything that concerns whole rows."""
    _plant_markers(draft)
    _plant_later_snapshots(draft)
    _plant_broken_rows(draft)
    _plant_truncated_file(draft)


def _random_sequence(draft: Draft, length: int) -> str:
    letters = draft.rng.choice(_BASES, length, p=(0.32, 0.18, 0.18, 0.32))
    return bytes(letters.astype(np.uint8)).decode("ascii")


def _other_marker(draft: Draft, row: int, processid: str, marker: str) -> None:
    draft.edit(row, "marker_code", marker)
    draft.edit(row, "record_id", f"{processid}.{marker}")
    draft.edit_barcode(row, _random_sequence(draft, 520))


def _plant_markers(draft: Draft) -> None:
    newest = draft.batch == len(BATCHES) - 1
    sturdy = (draft.role("seen") | draft.role("dark")) & newest
    chosen = draft.take(8 * draft.rate, sturdy, some=True)
    # Further markers are not a fault of the specimen: something else may still be planted in it.
    draft.give_back(chosen)
    for number, specimen in enumerate(chosen):
        for offset in range(1 + number % 3):
            row = draft.add_row(specimen)
            _other_marker(draft, row, draft.value(specimen, "processid"), _MARKERS[(number + offset) % len(_MARKERS)])
            draft.note("other_marker", row)
    for specimen in draft.take(draft.rate, sturdy):
        row = draft.add_row(specimen)
        draft.edit_barcode(row, draft.barcode(specimen)[:514])
        draft.note("duplicate_marker_row", row)
    for number in range(draft.rate):
        row = draft.add_row(draft.template(len(BATCHES) - 1, number), len(BATCHES) - 1)
        processid = f"QDONLY{number + 1:03d}-24"
        draft.edit(row, "processid", processid)
        draft.edit(row, "sampleid", f"SYNTHONLY-{number + 1:03d}")
        _other_marker(draft, row, processid, "28S")
        draft.note("only_other_marker", row)


def _plant_later_snapshots(draft: Draft) -> None:
    """Specimens of older batches come again in the newest, some under a better label."""
    older = draft.batch < len(BATCHES) - 1
    named = draft.role("seen") & older
    for number, specimen in enumerate(draft.take(4 * draft.rate, named, some=True)):
        later = draft.add_row(specimen, len(BATCHES) - 1)
        draft.note("superseded", specimen)
        _rewrite_for_newest(draft, specimen, later)
        if number % 2:
            draft.edit(specimen, "species", "None")
            draft.edit(specimen, "identification", draft.value(specimen, "genus"))
            draft.edit(specimen, "identification_rank", "genus")
            draft.note("superseded_label", later, "species", "None", draft.value(specimen, "species"))


def _rewrite_for_newest(draft: Draft, specimen: int, row: int) -> None:
    """Notations of the newest layout for a row that was copied from an older one."""
    layout = BATCHES[-1].layout
    latitude, longitude = (str(draft.specimens[name][specimen]) for name in ("latitude", "longitude"))
    draft.edit(row, "coord", layout.coord.format(lat=latitude, lon=longitude))
    for column in ("processid_minted_date", "sequence_upload_date"):
        value = draft.value(specimen, column)
        if draft.batch[specimen] == 0:
            day, month, year = value.split("-")
            months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
            value = f"{year}-{months.index(month) + 1:02d}-{day}"
        draft.edit(row, column, value)
    draft.edit(row, "country_iso", draft.value(specimen, "site_iso"))


def _plant_broken_rows(draft: Draft) -> None:
    for number in range(draft.rate):
        for file in range(len(BATCHES)):
            layout = BATCHES[file].layout
            specimen = draft.template(file, number)
            for kind in _BROKEN:
                row = draft.add_row(specimen, file)
                fields = ["None"] * len(layout.header)
                fields[0], fields[1] = f"QDBAD{number + 1:03d}{file}-22", f"SYNTHBAD-{number + 1}{file}"
                fields[layout.header.index("marker_code")] = "COI-5P"
                if kind == "row_too_short":
                    fields = fields[: len(fields) // 2]
                elif kind == "row_too_long":
                    fields += ["one", "two"]
                elif kind == "no_processid":
                    fields[0] = "" if file else "None"
                elif kind == "unsafe_processid":
                    fields[0] = "../../escape"
                text = "\t".join(fields).encode()
                if kind == "undecodable":
                    text = b"\x81" + text
                draft.raw_rows[row] = text
                draft.note(kind, row)


def _plant_truncated_file(draft: Draft) -> None:
    """Some specimens come in a second, gzipped file of the newest batch, which breaks off in one more row."""
    newest = draft.batch == len(BATCHES) - 1
    chosen = draft.take(TRUNCATED_ROWS, draft.alone & newest, some=True)
    # Their rows are whole: no fault of theirs.
    draft.give_back(chosen)
    draft.file[chosen] = TRUNCATED_FILE
    row = draft.add_row(draft.template(len(BATCHES) - 1), TRUNCATED_FILE)
    draft.edit(row, "processid", "QDCUT001-24")
    draft.edit(row, "sampleid", "SYNTHCUT-001")
    draft.edit(row, "record_id", "QDCUT001-24.COI-5P")
    draft.note("truncated_gzip", row)


def plant_texts(draft: Draft) -> None:
    """Plant nulls of every spelling and texts that only look broken, which are no faults, and a lost letter."""
    dark = draft.role("dark")
    for spelling in ("", " ", "[NULL]", "None"):
        for specimen in draft.take(draft.rate, dark):
            draft.plant("null_marker", specimen, "habitat", spelling, None)
            draft.edit(specimen, "sex", spelling)
            for rank in RANKS[-2:]:
                if draft.value(specimen, rank) == "None":
                    draft.edit(specimen, rank, spelling)
    for kind, column, text in (
        ("lone_quote", "notes", 'wing 3" torn'),
        ("mojibake", "collectors", "Mira \u00c3\u2013stlund"),
        ("replacement_character", "site", "Ca\ufffdada del Agua"),
    ):
        for specimen in draft.take(draft.rate, draft.role("seen")):
            draft.plant(kind, specimen, column, text, text)
            if kind == "replacement_character":
                draft.note("text_undecodable", specimen)
