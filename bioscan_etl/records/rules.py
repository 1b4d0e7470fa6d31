"""What the records stage does with rows that do not become specimens."""

from __future__ import annotations

from bioscan_etl.rules import Rule, Severity

_SPEC = "spec: BOLD records, from row to specimen"

RULES: tuple[Rule, ...] = (
    Rule(
        id="FIELD_COUNT",
        statement="A row with more or fewer fields than its file's header is rejected.",
        reason="Its values cannot be told to belong to columns: every one behind the fault would stand in the wrong "
        "column. A line of more than 16 MiB counts as such a row.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="a row of 75 fields under a header of 76",
    ),
    Rule(
        id="NO_PROCESSID",
        statement="A row without a process ID is rejected.",
        reason="The process ID is the key of a specimen's record; without it no image and no later snapshot can be "
        "joined to the row.",
        source=_SPEC,
        severity=Severity.REJECT,
        setting="records.null_markers",
        example="processid = None",
    ),
    Rule(
        id="UNSAFE_PROCESSID",
        statement="A row whose process ID has other characters than letters, digits and hyphens, or is a word that "
        "programs read as missing, is rejected.",
        reason="Process IDs become names of image files and cells of spreadsheets; a path or a formula in their place "
        "would be carried out on somebody's machine, and NA, null or nan would come back as no process ID at all.",
        source="spec: the release, rule 2",
        severity=Severity.REJECT,
        example="../../x, =cmd, NA",
    ),
    Rule(
        id="UNDECODABLE",
        statement="A row that is not valid UTF-8 is rejected.",
        reason="Guessing another encoding would change names silently. The raw text keeps the bytes as \\xNN, so the "
        "row can be mended at its source.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="Qu\\xe9bec",
    ),
    Rule(
        id="NOT_JSON",
        statement="A line of a JSON-lines file that is no JSON object is rejected.",
        reason="A cut or malformed line has no values that could be told apart; the lines around it are kept.",
        source=_SPEC,
        severity=Severity.REJECT,
        example='{"processid": "AAA001-20", "nuc":',
    ),
    Rule(
        id="TRUNCATED_FILE",
        statement="The rest of a gzip, zip or tar file that ends early or is corrupt is one rejected row.",
        reason="The rows before the damage are sound and kept; how many are lost behind it nobody can tell, so the "
        "file should be fetched again.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="a download that broke off after 2 of 20 GB",
    ),
    Rule(
        id="OTHER_MARKER",
        statement="A row of another marker than the barcode gene is set aside.",
        reason="One specimen may have several sequenced genes; the data set holds one barcode per specimen.",
        source=_SPEC,
        severity=Severity.REJECT,
        setting="records.marker",
        example="marker_code = 28S beside a COI-5P row of the same process ID",
    ),
    Rule(
        id="DUPLICATE_MARKER_ROW",
        statement="Of several barcode rows of one specimen in one snapshot, all but the best are set aside.",
        reason="The best has the longest ungapped sequence, then the fewest ambiguous bases, then the first record_id.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="658 bp stays, 512 bp is set aside",
    ),
    Rule(
        id="SUPERSEDED",
        statement="A row that a later snapshot holds again is set aside.",
        reason="BOLD records are revised. Later is decided by the snapshot's date, never by the order of arrival.",
        source=_SPEC,
        severity=Severity.REJECT,
        example="the row of 21-Jun-2024 where the package of 2025 has the process ID too",
    ),
    Rule(
        id="EXCEL_DATES",
        statement="A file's date columns hold serial numbers of a spreadsheet; the rows are counted per file.",
        reason="The file passed through a spreadsheet, which may also have cut sequences and changed identifiers: "
        "fetch it again from BOLD. Each such date of collection is flagged by itself as DATE_SPREADSHEET_SERIAL.",
        source=_SPEC,
        example="collection_date_end = 41062, which is 2012-06-02",
    ),
    Rule(
        id="SHOWN_DATES",
        statement="A file's date columns hold dates as a spreadsheet shows them; the rows are counted per file.",
        reason="Day and month cannot be told apart, nor can the century: fetch the file again from BOLD, which writes "
        "2020-02-28 or 28-Feb-2020.",
        source=_SPEC,
        example="2/28/2020, 28-Feb-20, Feb-20",
    ),
    Rule(
        id="CUT_AT_255",
        statement="A file's sequences end after 255 characters; the rows are counted per file.",
        reason="Spreadsheets cut text cells there. A sequence counts where its own base count says it was longer, or "
        "where the file has several of this length and no longer one. Most of a barcode of 658 is lost: fetch the "
        "file again from BOLD.",
        source=_SPEC,
        example="255 letters beside nuc_basecount = 658",
    ),
    Rule(
        id="SCIENTIFIC_IDS",
        statement="A file's identifiers are in scientific notation; the rows are counted per file.",
        reason="A spreadsheet took them for numbers and rounded them, so different specimens may share one: fetch the "
        "file again from BOLD.",
        source=_SPEC,
        example="museumid = 1.2E+05",
    ),
    Rule(
        id="IDS_AS_DATES",
        statement="A file's identifiers have become dates; the rows are counted per file.",
        reason="A spreadsheet took them for dates, and what was written cannot be told any more: fetch the file again "
        "from BOLD.",
        source=_SPEC,
        example="MAR1 has become 1-Mar",
    ),
    Rule(
        id="RECORDS_LEDGER",
        statement="Rows read equal records plus rows set aside plus rows rejected.",
        reason="Anything else means that a row was lost or counted twice.",
        source="spec: BOLD records, ledger",
        severity=Severity.BLOCKING,
        example="3,520 = 3,121 + 399 + 0",
    ),
)
