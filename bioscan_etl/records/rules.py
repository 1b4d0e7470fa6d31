"""What the records stage does with rows that do not become specimens."""

from __future__ import annotations

from bioscan_etl.rules import Rule, Severity

_SPEC = "shared/spec/records.md"

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
        statement="A row whose process ID has other characters than letters, digits and hyphens is rejected.",
        reason="Process IDs become names of image files and cells of spreadsheets; a path or a formula in their place "
        "would be carried out on somebody's machine.",
        source="shared/spec/release.md, rule 2",
        severity=Severity.REJECT,
        example="../../x, =cmd",
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
        id="RECORDS_LEDGER",
        statement="Rows read equal records plus rows set aside plus rows rejected.",
        reason="Anything else means that a row was lost or counted twice.",
        source="shared/design.md, rules of the house",
        severity=Severity.BLOCKING,
        example="3,520 = 3,121 + 399 + 0",
    ),
)
