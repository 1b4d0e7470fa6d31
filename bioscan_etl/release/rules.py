"""Rules that act when values are written for a release: what the readers of the CSV would misread.

Belongs here: the entries. The expressions that apply them stand in `release.metadata`.
"""

from bioscan_etl.rules import Rule, Severity

_SPEC = "spec: the release, rule 1"

RULES: tuple[Rule, ...] = (
    Rule(
        "VALUE_HAS_BLANKS",
        "A text with line breaks, tabs, other control characters or outer blanks is trimmed and set on one line.",
        "A line break ends the row for readers that split lines, and outer blanks make one name two.",
        _SPEC,
        Severity.CHANGE,
        None,
        "'Ontario\\n' becomes 'Ontario'",
    ),
    Rule(
        "VALUE_HAS_QUOTE",
        'A double quote in a text becomes a single quote (").',
        "Quoting rules differ between readers; a file without any quote reads the same in all of them.",
        _SPEC,
        Severity.CHANGE,
        None,
        "'Site \"A\"' becomes \"Site 'A'\"",
    ),
    Rule(
        "VALUE_HAS_COMMA",
        "A comma in a text becomes a semicolon.",
        "One published client splits the CSV on bare commas: the row would shift by a column.",
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
        "A text that readers take for missing is written with what it is: Province, (country), (sample) or (name).",
        "pandas, R and SQL loaders read NA, nan, None or null as no value: the province Nan of Thailand vanishes.",
        _SPEC,
        Severity.CHANGE,
        None,
        "province 'Nan' becomes 'Nan Province'",
    ),
    Rule(
        "BARCODE_CODE_TO_N",
        "A letter of dna_barcode other than A, C, G, T and N becomes N; dna_barcode_verbatim keeps it.",
        "Published recipes for barcodes know A, C, G, T and N only.",
        "spec: the release, rule 3",
        Severity.CHANGE,
        None,
        "'ACRT' becomes 'ACNT'",
    ),
)
