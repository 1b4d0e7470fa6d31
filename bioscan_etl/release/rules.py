"""Rules for writing values of a release: they change what readers of the CSV would misread.

Belongs here: the entries. Does not belong here: the expressions that apply them (`release.metadata`).
"""

from bioscan_etl.rules import Rule, Severity

_SPEC = "spec: the release, rule 1"

RULES: tuple[Rule, ...] = (
    Rule(
        "VALUE_HAS_BLANKS",
        "A text is trimmed, and its line breaks, tabs and other control characters become single blanks.",
        "For readers that split lines, a line break ends the row. Outer blanks turn one name into two.",
        _SPEC,
        Severity.CHANGE,
        None,
        "'Ontario\\n' becomes 'Ontario'",
    ),
    Rule(
        "VALUE_HAS_QUOTE",
        "A double quote (\") in a text becomes a single quote (').",
        "Quoting rules differ between readers; a file without quotes reads the same in all of them.",
        _SPEC,
        Severity.CHANGE,
        None,
        "'Site \"A\"' becomes \"Site 'A'\"",
    ),
    Rule(
        "VALUE_HAS_COMMA",
        "A comma in a text becomes a semicolon.",
        "One published client splits the CSV at every comma: the row would shift by a column.",
        _SPEC,
        Severity.CHANGE,
        None,
        "'Tanzania, United Republic of' becomes 'Tanzania; United Republic of'",
    ),
    Rule(
        "VALUE_LOOKS_LIKE_FORMULA",
        "A text that starts with =, +, - or @ gets an apostrophe in front.",
        "A spreadsheet runs such a text as a formula when a curator opens the CSV.",
        "OWASP: CSV injection",
        Severity.CHANGE,
        None,
        "'=1+1' becomes \"'=1+1\"",
    ),
    Rule(
        "VALUE_LOOKS_MISSING",
        "A text that readers interpret as missing gets its kind appended: Province, (country), (sample) or (name).",
        "pandas, R and SQL loaders read NA, nan, None or null as missing: the province Nan of Thailand would be lost.",
        _SPEC,
        Severity.CHANGE,
        None,
        "province 'Nan' becomes 'Nan Province'",
    ),
    Rule(
        "BARCODE_CODE_TO_N",
        "A letter of dna_barcode other than A, C, G, T and N becomes N; dna_barcode_verbatim keeps it.",
        "Published tools for barcodes accept only A, C, G, T and N.",
        "spec: the release, rule 3",
        Severity.CHANGE,
        None,
        "'ACRT' becomes 'ACNT'",
    ),
)
