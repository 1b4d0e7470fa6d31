"""The rules for rows that do not become specimens, for their text, and for files that other programs saved."""

from __future__ import annotations

from bioscan_etl.rules import Rule, Severity

_SPEC = "spec: BOLD records, from row to specimen"
_FILES = "spec: BOLD records, files that other programs saved"

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
        statement="A row is rejected if its process ID has other characters than letters, digits and hyphens, begins "
        "with a hyphen, has more than 64 characters, is the name of a device on Windows, is a text that programs read "
        "as missing, or differs from another one of the delivery in case alone.",
        reason="Process IDs become names of image files, arguments of commands and cells of spreadsheets. A path, an "
        "option or a formula instead of a process ID could harm a user's machine. Windows opens CON as a device. "
        "Programs would read NA, null or nan as a missing process ID. Two names that differ in case alone are one file "
        "on Windows and macOS.",
        source="spec: the release, rule 2; Microsoft: naming files, paths and namespaces",
        severity=Severity.REJECT,
        example="../../x, =cmd, --help, CON, NA",
    ),
    Rule(
        id="UNDECODABLE",
        statement="A row is rejected if its process ID has bytes of no known encoding.",
        reason="The row would be joined to no image, or to a wrong one. The raw text keeps the bytes as \\xNN. Set "
        "`records.encoding` to the encoding of the file.",
        source=_SPEC,
        severity=Severity.REJECT,
        setting="records.encoding",
        example="AAA\\xe9001-20",
    ),
    Rule(
        id="NO_SPECIMEN",
        statement="A sequence of a FASTA file is rejected if no table of the delivery has its specimen.",
        reason="Without the specimen, nothing is known of where it was found and what it is.",
        source=_SPEC,
        severity=Severity.REJECT,
        example=">AAA001-20|Aedes vexans|COI-5P, without a row AAA001-20",
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
        id="CUT_AT_LAST_ROW",
        statement="The file has as many lines as a spreadsheet has rows (65,536 or 1,048,576); the rows are counted.",
        reason="The spreadsheet cut off all further rows: fetch the file again from BOLD.",
        source=f"{_FILES}; Microsoft: Excel specifications and limits",
        example="1,048,575 records and the header",
    ),
    Rule(
        id="QUOTED_FIELDS",
        statement="The file's fields are in quotes, as a spreadsheet or R writes them; such rows are counted.",
        reason="BOLD writes no quotes. They are removed, because all of the file's quotes follow one rule. The program "
        "may have changed other values: fetch the file again from BOLD if you can.",
        source=_FILES,
        example='"[60.02306, -112.95007]" is read as [60.02306, -112.95007]',
    ),
    Rule(
        id="CR_LINE_ENDS",
        statement="The file's lines end in a carriage return alone, as Excel for macOS writes them; the rows are "
        "counted.",
        reason="The lines are read as usual. The spreadsheet may have changed values: fetch the file again from BOLD "
        "if you can.",
        source=_FILES,
        example="AAA001-20 … \\r AAA002-20 …",
    ),
    Rule(
        id="OTHER_ENCODING",
        statement="The file is not UTF-8 and was read in another encoding; its rows are counted.",
        reason="UTF-16 is known by its marks. Windows-1252 and ISO 8859-1 are known if at least two lines have letters "
        "beyond ASCII, each fits its word, and none is UTF-8; in a phase release of iBOL one such line is enough. If "
        "names look wrong, set `records.encoding` to the file's encoding.",
        source=_FILES,
        setting="records.encoding",
        example="M\\xfcller is read as Müller",
    ),
    Rule(
        id="OTHER_SEPARATOR",
        statement="The file's fields are separated by commas, semicolons, bars or blanks, not tabs; its rows are "
        "counted.",
        reason="The separator is taken from the header. A spreadsheet may have changed values: fetch the file again "
        "from BOLD if you can.",
        source=_FILES,
        example="processid;sampleid;…",
    ),
    Rule(
        id="ROW_NAMES",
        statement="The file was written by R: each row begins with its name, for which the header has no field; its "
        "rows are counted.",
        reason="The names are kept as the column `extra:row_names`. NA is read as missing, except as the code of "
        "Namibia.",
        source=f"{_FILES}; R: write.table",
        example='"1" "AAA001-20" … under the header "processid" …',
    ),
    Rule(
        id="TEXT_INVISIBLE",
        statement="A field of the record had invisible characters, which were removed, or blanks other than the "
        "space, which became spaces.",
        reason="Controls of direction can make a text read otherwise than it is, and texts that look the same would "
        "be two values. Joiners stay in the scripts that need them. Names have rules of their own.",
        source="spec: BOLD records, characters that nobody sees; Unicode 16.0, Default_Ignorable_Code_Point",
        severity=Severity.CHANGE,
        example="Ma\\u200bnaus is read as Manaus",
    ),
    Rule(
        id="TEXT_UNDECODABLE",
        statement="A field of the record has U+FFFD, which stands for bytes that could not be decoded.",
        reason="A letter is lost, here or before the file arrived. Set `records.encoding` if the file has another "
        "encoding than UTF-8. Rows are also counted per file.",
        source=_FILES,
        setting="records.encoding",
        example="M\ufffdller",
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
