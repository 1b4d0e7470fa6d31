"""The closed vocabulary of what is planted, each with where it must be reported and under which name.

Belongs here: the names. Does not belong here: how a defect is made (the `…_defects` modules).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType


class Report(StrEnum):
    """Where the pipeline must report a planted fact."""

    REJECT = "rejects.reason"
    SET_ASIDE = "set_aside.reason"
    FLAG = "flags"
    GATE = "quarantine.gates"
    IMAGE_INDEX = "image_index.status"
    BOX = "boxes.status"
    NAME_TYPE = "species_name_type"
    VALUE = "value"
    CANDIDATE = "typo candidates"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of planted fact.

    Attributes:
        id: its name in the truth table.
        report: where the pipeline reports it. VALUE: nothing is flagged, but the curated field must have
            the expected value.
        expected: reason, rule id or status; for VALUE the change of the value.
        meaning: one line for a reader of the truth table.
        rule: the rule that the change log must name, if the value changes.
        curated: found while labels are curated, which only specimens that pass the gates are.
        benign: the record is sound: it must not be flagged, so it still counts as clean.
    """

    id: str
    report: Report
    expected: str
    meaning: str
    benign: bool = False
    rule: str = ""
    curated: bool = False


def _flags(meanings: dict[str, str]) -> list[Kind]:
    return [Kind(flag.lower(), Report.FLAG, flag, meaning) for flag, meaning in meanings.items()]


_REJECTS = [
    Kind("row_too_short", Report.REJECT, "field_count", "a row with too few fields"),
    Kind("row_too_long", Report.REJECT, "field_count", "a row with too many fields"),
    Kind("no_processid", Report.REJECT, "no_processid", "a row without a process ID"),
    Kind("unsafe_processid", Report.REJECT, "unsafe_processid", "a process ID that is a path"),
    Kind("undecodable", Report.REJECT, "undecodable", "a process ID with a byte that is not UTF-8"),
    Kind("truncated_gzip", Report.REJECT, "truncated_file", "a gzip file that ends in the middle of a row"),
]
_SET_ASIDE = [
    Kind("other_marker", Report.SET_ASIDE, "other_marker", "a row of another marker of the specimen"),
    Kind("only_other_marker", Report.SET_ASIDE, "other_marker", "a specimen without a row of the barcode marker"),
    Kind("duplicate_marker_row", Report.SET_ASIDE, "duplicate_marker_row", "a shorter second row of one marker"),
    Kind("superseded", Report.SET_ASIDE, "superseded", "an older snapshot's row of a process ID that comes again"),
]
_BARCODES = _flags(
    {
        "BARCODE_SHORT": "a barcode of 300 to 499 bp",
        "BARCODE_LONG": "a barcode with 12 codons too many",
        "BARCODE_AMBIGUOUS": "a barcode with 20 letters N and IUPAC codes inside",
        "NO_OPEN_READING_FRAME": "a barcode with stop codons in all frames of both strands",
        "REVERSE_COMPLEMENT": "a barcode of the other strand",
        "BASECOUNT_MISMATCH": "nuc_basecount says more bases than the sequence has",
        "HOMOPOLYMER": "a run of 24 T in a barcode",
        "LOW_COMPLEXITY": "a barcode of which two thirds repeat one codon",
        "INVALID_LETTERS": "a digit and a letter that is no IUPAC code in a barcode",
        "GAP_BREAKS_FRAME": "two gaps between the bases of a barcode",
        "BIN_INVALID": "a BIN that lacks digits",
        "BIN_WITHOUT_BARCODE": "a BIN on a record without a sequence",
        "BARCODE_SEVERAL_SPECIES": "a barcode under two species",
        "BARCODE_SEVERAL_BINS": "a barcode in two BINs",
    }
)
_PLACES = _flags(
    {
        "ZERO_COORDINATE": "latitude and longitude 0",
        "COORDINATE_OUT_OF_RANGE": "a latitude of more than 90 degrees",
        "COORDINATE_INVALID": "coordinates that are no numbers",
        "COUNTRY_COORDINATE_MISMATCH": "a point on another continent than its country",
        "COUNTRY_MISMATCH": "country name and code disagree; the code wins",
        "COUNTRY_INVALID": "a country that does not exist",
        "COUNTRY_UNRECOVERABLE": "country Unrecoverable, a status",
        "COUNTRY_OCEAN": "an ocean instead of a country",
        "COUNTRY_EXCEPTION": "a culture without a place of its own",
        "PRESUMED_SWAPPED_COORDINATE": "longitude before latitude",
        "PRESUMED_NEGATED_LATITUDE": "the sign of the latitude is wrong",
        "PRESUMED_NEGATED_LONGITUDE": "the sign of the longitude is wrong",
        "COORDINATE_ROUNDED": "whole degrees",
        "COUNTRY_CENTROID": "the point is the centre of its country, and coord_source says so",
        "PROVINCE_CENTROID": "the point is the centre of its province, and coord_source says so",
        "DATE_BEFORE_EARLIEST": "a collection date of the year 202",
        "DATE_IN_FUTURE": "a collection date in the next century",
        "DATE_AFTER_UPLOAD": "collected after the sequence was uploaded",
        "DATE_START_AFTER_END": "collection starts after it ends",
        "DATE_INVALID": "a day that no calendar has",
        "DATE_SPREADSHEET_SERIAL": "a date as a spreadsheet's day number, the sequence cut at 255 letters",
    }
)
_GATES = [
    Kind("no_image", Report.GATE, "NO_IMAGE", "a specimen without an image"),
    Kind("image_status", Report.GATE, "IMAGE_STATUS", "a specimen whose picture is empty, crowded or unreadable"),
    Kind("no_barcode", Report.GATE, "NO_BARCODE", "a specimen whose barcode is missing"),
    Kind("barcode_run_too_short", Report.GATE, "BARCODE_RUN_TOO_SHORT", "no run of 200 unambiguous bases"),
]
_IMAGE_INDEX = [
    Kind("image_no_record", Report.IMAGE_INDEX, "no_record", "an image of a process ID without a record"),
    Kind("image_duplicate", Report.IMAGE_INDEX, "duplicate", "a second image file of one process ID"),
    Kind("image_missing", Report.IMAGE_INDEX, "missing", "an image that the manifest names and nobody delivered"),
    Kind("image_unsafe_name", Report.IMAGE_INDEX, "unsafe_name", "a file name that climbs out of its folder"),
]
_BOXES = [
    Kind("empty_well", Report.BOX, "empty", "a picture of an empty well"),
    Kind("two_specimens", Report.BOX, "multiple", "two specimens in one picture"),
    Kind("hard_image", Report.BOX, "any", "a small, pale specimen off the middle: any status will do, but it gets one"),
    Kind("image_text", Report.BOX, "unreadable", "a text file with the name of an image"),
    Kind("image_truncated", Report.BOX, "unreadable", "a JPEG that ends in its middle"),
    Kind("image_zero_bytes", Report.BOX, "unreadable", "an image file of no bytes"),
]
_PICTURES = [
    *_flags(
        {
            "TOUCHES_BORDER": "a specimen cut off by the border of the picture",
            "BLURRED": "a picture out of focus",
            "BADLY_EXPOSED": "a picture far too dark",
            "FRAGMENT": "a lost leg instead of a specimen",
            "EXACT_DUPLICATE_IMAGE": "one image file under two process IDs",
            "NEAR_DUPLICATE_IMAGE": "the same picture taken twice, under two process IDs",
        }
    ),
    Kind("image_turned", Report.VALUE, "oriented", "a picture on its side, set upright by its EXIF tag", benign=True),
    Kind("image_png", Report.VALUE, "decoded", "a PNG file", benign=True),
    Kind("wrong_image", Report.BOX, "any", "a picture of a specimen of another order: no rule sees it", benign=True),
]
_TEXTS = _flags({"TEXT_UNDECODABLE": "a U+FFFD in a text: a letter was lost before the file arrived"})
_VALUES = [
    Kind("null_marker", Report.VALUE, "null", "a null in another spelling: blank, [NULL], empty, None", benign=True),
    Kind("lone_quote", Report.VALUE, "kept", "a lone double quote, which is data", benign=True),
    Kind("mojibake", Report.VALUE, "kept", "UTF-8 that was encoded twice", benign=True),
    Kind("replacement_character", Report.VALUE, "kept", "the U+FFFD of a lost letter: no other letter is made up"),
    Kind("end_gaps", Report.VALUE, "trimmed", "gaps at both ends of an aligned barcode", benign=True),
    Kind("internal_gap", Report.FLAG, "GAP_REMOVED", "a codon that the barcode lacks, as three gaps"),
    Kind("lower_case_barcode", Report.VALUE, "upper case", "a barcode in small letters", benign=True),
    Kind("wrong_barcode", Report.VALUE, "kept", "barcode and BIN of another specimen: no rule sees it", benign=True),
    Kind("no_bin", Report.VALUE, "null", "a sound barcode without a BIN", benign=True),
    Kind("iso_norway", Report.VALUE, "kept", "the code NO, which is no false", benign=True),
    Kind("iso_namibia", Report.VALUE, "kept", "the code NA, which is not missing", benign=True),
    Kind("province_nan", Report.VALUE, "kept", "the province Nan, which is a province", benign=True),
    Kind("country_spelling", Report.VALUE, "canonical name", "a country in BOLD's older spelling", benign=True),
    Kind("province_accented", Report.VALUE, "unified", "a province with an accent, rarer than without", benign=True),
]
_LABELS = [
    Kind("barcode_conflict", Report.VALUE, "cleared", "one barcode under two species, half and half"),
    Kind("barcode_majority", Report.VALUE, "majority label", "one of eleven records of a barcode says otherwise"),
    Kind("label_inferred", Report.VALUE, "inferred", "unlabelled beside labelled records of one barcode", benign=True),
    Kind("superseded_label", Report.VALUE, "later label", "the label changed between two snapshots", benign=True),
    Kind("lineage_repaired", Report.VALUE, "majority lineage", "a genus under another family than elsewhere"),
    Kind("lineage_filled", Report.VALUE, "filled", "a genus without the family that it implies"),
    Kind("unassigned_filler", Report.VALUE, "filler", "a genus of a family without subfamilies", benign=True),
    Kind("null_word", Report.VALUE, "null", "a word that means no label"),
    Kind("name_case", Report.VALUE, "case fixed", "a name in the wrong case"),
    Kind("name_authorship", Report.VALUE, "authorship dropped", "a species name with its author"),
    Kind("name_whitespace", Report.VALUE, "blanks collapsed", "a name with blanks around and doubled inside"),
    Kind("name_decomposed", Report.VALUE, "composed", "a letter and its diacritic as two characters"),
    Kind("name_typo", Report.VALUE, "typo fixed", "a misspelt epithet on a barcode of the right name"),
    Kind("malaise_typo", Report.VALUE, "typo fixed", "Malaise misspelt in a placeholder name"),
    Kind("typo_candidate", Report.CANDIDATE, "listed", "one letter off a common name, on a barcode of its own"),
    Kind("similar_names", Report.VALUE, "unchanged", "two real species whose names differ by one letter", benign=True),
    Kind("homonym", Report.VALUE, "unchanged", "one genus name in two orders", benign=True),
    Kind("bin_conflict", Report.FLAG, "BIN_CONFLICT", "a BIN under two families"),
    Kind("identification_circular", Report.FLAG, "IDENTIFICATION_CIRCULAR", "a label that comes from the barcode"),
    Kind("hybrid_name", Report.NAME_TYPE, "HYBRID_FORMULA", "a cross of two species"),
    Kind("doubtful_name", Report.NAME_TYPE, "DOUBTFUL", "a species with a question mark"),
]
_PLACEHOLDER_MEANINGS = {
    "placeholder_collector": "capital, name, number (like Wood421)",
    "placeholder_prefixed": "prefix, name, number (like tachWood421)",
    "placeholder_prefixed_short": "prefix, name, two digits (like zygJanzen01)",
    "placeholder_group": "a species group (like Metopina_group)",
    "placeholder_genus_collector": "genus, name, number (like Acaulona Janzen3206)",
    "placeholder_genus_code": "genus and code (like Camponotus MAS002)",
    "placeholder_bin": "genus and BIN (like Megaselia BOLD:ACN5814)",
    "placeholder_malaise": "prefix, trap, number (like uraMalaise2908)",
    "placeholder_sp_morph": "sp. and morphotype (like Lithobius sp. SAEVG Morph0267)",
    "placeholder_cf": "cf. (like Chironomus cf. mendax)",
    "placeholder_sp_code": "sp. and code (like Micropsectra sp. 5ES)",
    "placeholder_aff": "aff. and an epithet",
    "placeholder_new": "n. sp. and a number",
    "placeholder_genus": "a placeholder for the genus, the species unlabelled",
}
_PLACEHOLDERS = [
    Kind(form, Report.VALUE, "unchanged", f"a placeholder name: {meaning}", benign=True)
    for form, meaning in _PLACEHOLDER_MEANINGS.items()
]

_RULES = {
    "country_spelling": "COUNTRY_NORMALISED",
    "province_accented": "PROVINCE_UNIFIED",
    "barcode_conflict": "BARCODE_CONFLICT",
    "barcode_majority": "BARCODE_MAJORITY",
    "label_inferred": "INFERRED_FROM_BARCODE",
    "lineage_repaired": "LINEAGE_ONE_PARENT",
    "lineage_filled": "INFERRED_FROM_LINEAGE",
    "unassigned_filler": "UNASSIGNED_FILLER",
    "internal_gap": "GAP_REMOVED",
    "null_word": "NAME_IS_NULL_WORD",
    "name_case": "NAME_CASE",
    "name_authorship": "NAME_AUTHORSHIP_DROPPED",
    "name_whitespace": "NAME_WHITESPACE",
    "name_decomposed": "NAME_UNICODE",
    "name_typo": "NAME_TYPO_FIXED",
}
_CURATED = {
    "barcode_conflict",
    "barcode_majority",
    "label_inferred",
    "lineage_repaired",
    "lineage_filled",
    "unassigned_filler",
    "name_typo",
    "malaise_typo",
    "typo_candidate",
    "bin_conflict",
    "identification_circular",
}

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.id: replace(kind, rule=_RULES.get(kind.id, ""), curated=kind.id in _CURATED)
        for group in (
            _REJECTS,
            _SET_ASIDE,
            _BARCODES,
            _PLACES,
            _GATES,
            _IMAGE_INDEX,
            _BOXES,
            _PICTURES,
            _TEXTS,
            _VALUES,
            _LABELS,
            _PLACEHOLDERS,
        )
        for kind in group
    }
)
