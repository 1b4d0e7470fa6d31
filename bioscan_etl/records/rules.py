"""The rules for rows that do not become specimens, and for files damaged by spreadsheets."""

from __future__ import annotations

from bioscan_etl.rules import Rule, Severity

_SPEC = "spec: BOLD records, from row to specimen"

RULES: tuple[Rule, ...] = (
    Rule(
        id="FIELD_COUNT",
        statement="A row with more or fewer fields than its file's header is rejected.",
        reason="Its values cannot be assigned to columns: every value after the fault would be in the wrong column. "
        "A line longer than 16 MiB counts as such a row.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="a row of 75 fields under a header of 76",
    ),
    Rule(
        id="NO_PROCESSID",
        statement="A row without a process ID is rejected.",
        reason="The process ID is the key of a specimen's record. Without it, no image and no later snapshot can be "
        "joined to the row.",
        source=_SPEC,
        severity=Severity.REJECT,
        setting="records.null_markers",
        example="processid = None",
    ),
    Rule(
        id="UNSAFE_PROCESSID",
        statement="A row is rejected if its process ID has other characters than letters, digits and hyphens, or is a "
        "text that programs read as missing.",
        reason="Process IDs become names of image files and cells of spreadsheets. A path or a formula instead of a "
        "process ID could harm a user's machine. Programs would read NA, null or nan as a missing process ID.",
        source="spec: the release, rule 2",
        severity=Severity.REJECT,
        example="../../x, =cmd, NA",
    ),
    Rule(
        id="UNDECODABLE",
        statement="A row that is not valid UTF-8 is rejected.",
        reason="Guessing another encoding would silently change names. The raw text keeps the bytes as \\xNN, so that "
        "the row can be corrected at its source.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="Qu\\xe9bec",
    ),
    Rule(
        id="NOT_JSON",
        statement="A line of a JSON Lines file that is not a JSON object is rejected.",
        reason="The values of a cut or malformed line cannot be read. The other lines are kept.",
        source=_SPEC,
        severity=Severity.REJECT,
        example='{"processid": "AAA001-20", "nuc":',
    ),
    Rule(
        id="TRUNCATED_FILE",
        statement="The rest of a gzip, zip or tar file that ends early or is corrupt is one rejected row.",
        reason="The rows before the damage are valid and kept. How many rows are lost after it is unknown, so fetch "
        "the file again.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="a download that stopped after 2 of 20 GB",
    ),
    Rule(
        id="OTHER_MARKER",
        statement="A row of another marker than the barcode gene is set aside.",
        reason="A specimen may have several sequenced genes; the dataset has one barcode per specimen.",
        source=_SPEC,
        severity=Severity.REJECT,
        setting="records.marker",
        example="a 28S row of a process ID that also has a COI-5P row",
    ),
    Rule(
        id="DUPLICATE_MARKER_ROW",
        statement="If a specimen has several barcode rows in one snapshot, all but the best are set aside.",
        reason="The best row has the longest ungapped sequence, then the fewest ambiguous bases, then the first "
        "record_id.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="the row with 658 bp is kept, the one with 512 bp is set aside",
    ),
    Rule(
        id="SUPERSEDED",
        statement="A row is set aside if a later snapshot has a row of the same process ID.",
        reason="BOLD records are revised. The dates of the snapshots decide, never the order of arrival.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="the row of 21-Jun-2024 if the package of 2025 has the process ID too",
    ),
    Rule(
        id="EXCEL_DATES",
        statement="The file's date columns contain spreadsheet serial numbers; the rows are counted per file.",
        reason="The file was saved by a spreadsheet, which may also have cut sequences and changed identifiers: "
        "fetch it again from BOLD. Each such collection date is also flagged as DATE_SPREADSHEET_SERIAL.",
        source=_SPEC,
        example="collection_date_end = 41062, which is 2012-06-02",
    ),
    Rule(
        id="SHOWN_DATES",
        statement="The file's date columns contain dates in a spreadsheet's display format; the rows are counted per "
        "file.",
        reason="Day, month and century are ambiguous. Fetch the file again from BOLD, which writes 2020-02-28 or "
        "28-Feb-2020.",
        source=_SPEC,
        example="2/28/2020, 28-Feb-20, Feb-20",
    ),
    Rule(
        id="CUT_AT_255",
        statement="The file's sequences end after 255 characters; the rows are counted per file.",
        reason="Spreadsheets cut text cells there. A sequence counts if its own base count says it was longer, or "
        "if the file has several of this length and none that is longer. Most of a barcode of 658 bp is lost: fetch "
        "the file again from BOLD.",
        source=_SPEC,
        example="255 letters with nuc_basecount = 658",
    ),
    Rule(
        id="SCIENTIFIC_IDS",
        statement="The file's identifiers are in scientific notation; the rows are counted per file.",
        reason="A spreadsheet read them as numbers and rounded them, so different specimens may share one: fetch the "
        "file again from BOLD.",
        source=_SPEC,
        example="museumid = 1.2E+05",
    ),
    Rule(
        id="IDS_AS_DATES",
        statement="The file's identifiers have become dates; the rows are counted per file.",
        reason="A spreadsheet read them as dates, and the original text is lost: fetch the file again from BOLD.",
        source=_SPEC,
        example="MAR1 has become 1-Mar",
    ),
    Rule(
        id="RECORDS_LEDGER",
        statement="Rows read = records + set aside + rejected.",
        reason="Any difference means that a row was lost or counted twice.",
        source="spec: BOLD records, ledger",
        severity=Severity.BLOCKING,
        example="3,520 = 3,121 + 399 + 0",
    ),
)
