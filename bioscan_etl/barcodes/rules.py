"""The rules that the barcode checks apply."""

from __future__ import annotations

from bioscan_etl.rules import Rule, Severity

_SPEC = "spec: DNA barcodes, checks"

RULES: tuple[Rule, ...] = (
    Rule(
        id="BARCODE_SHORT",
        statement="The barcode, without N at its ends, is shorter than the set minimum.",
        reason="A fragment separates species less well and is often left over from a failed read.",
        source=f"{_SPEC}; the BARCODE standard asks for 500 bp of COI-5P",
        setting="barcodes.min_length",
        example="a barcode of 335 bp",
    ),
    Rule(
        id="BARCODE_LONG",
        statement="The barcode, without N at its ends, is longer than the set maximum.",
        reason="COI-5P has 658 bp; more means primers left in, an insertion, or another stretch of the gene.",
        source=_SPEC,
        setting="barcodes.max_length",
        example="a barcode of 1,545 bp",
    ),
    Rule(
        id="BARCODE_AMBIGUOUS",
        statement="The share of letters other than A, C, G and T in the barcode is above the set maximum.",
        reason="Ambiguous letters come from mixed or weak signals; distances to such a barcode are unsure.",
        source=f"{_SPEC}; the BARCODE standard asks for less than 1 % of ambiguous bases",
        setting="barcodes.max_ambiguous_share",
        example="20 N in 658 letters",
    ),
    Rule(
        id="NO_OPEN_READING_FRAME",
        statement="Each of the three reading frames has a stop codon, and turning the barcode round does not help.",
        reason="COI codes for a protein: stops in all frames point to a pseudogene (NUMT), an indel or a misread.",
        source=f"{_SPEC}; stop codons of the NCBI genetic codes",
        setting="barcodes.genetic_code",
        example="a barcode with TAA in the frames 0, 1 and 2",
    ),
    Rule(
        id="REVERSE_COMPLEMENT",
        statement="The barcode has an open reading frame only as its reverse complement, shows no COI motif forwards, "
        "and was turned round.",
        reason="A sequence of the other strand matches nothing in the corpus although it is sound.",
        source=_SPEC,
        severity=Severity.CHANGE,
        setting="barcodes.genetic_code",
        example="TGATTTAATCCTGTAAATAATGG becomes CCATTATTTACAGGATTAAATCA",
    ),
    Rule(
        id="BASECOUNT_MISMATCH",
        statement="`nuc_basecount` differs from the number of A, C, G and T in the sequence.",
        reason="BOLD counted the bases before delivery: a difference means that the sequence was cut on the way, "
        "as spreadsheets do after 255 characters.",
        source=f"{_SPEC}; BCDM field nuc_basecount",
        example="nuc_basecount 658 beside 255 bases",
    ),
    Rule(
        id="HOMOPOLYMER",
        statement="One base is repeated at least as often in a row as the set length.",
        reason="Long runs of one base are misread by every sequencer, and are rare in COI.",
        source=_SPEC,
        setting="barcodes.min_homopolymer",
        example="a run of 20 T",
    ),
    Rule(
        id="LOW_COMPLEXITY",
        statement="Repeats of one trinucleotide take a larger share of the barcode than the set maximum.",
        reason="A sequence of repeats carries no signature of a species; it is an artefact.",
        source=_SPEC,
        setting="barcodes.max_low_complexity_share",
        example="ATATATAT… over the whole barcode",
    ),
    Rule(
        id="INVALID_LETTERS",
        statement="The sequence holds a character that is no IUPAC nucleotide code; in the barcode it stands as N.",
        reason="Digits, blanks or letters such as E are damage of the text; dropping them would shift the frame.",
        source=f"{_SPEC}; IUPAC nucleotide codes (NC-IUB 1984)",
        severity=Severity.CHANGE,
        example="ACGT7ACGT becomes ACGTNACGT",
    ),
    Rule(
        id="BIN_INVALID",
        statement="The BIN is not written as BOLD: followed by three to five letters and four digits; it is left out.",
        reason="A damaged BIN would make a group of its own.",
        source=f"{_SPEC}; Barcode Index Numbers of BOLD",
        severity=Severity.CHANGE,
        example="BOLD:AAA12 becomes missing",
    ),
    Rule(
        id="BIN_WITHOUT_BARCODE",
        statement="The record has a BIN but no barcode.",
        reason="BOLD gives a BIN to a sequence: the sequence was lost or withdrawn.",
        source=_SPEC,
        example="BIN BOLD:AAA1234 and an empty sequence",
    ),
    Rule(
        id="BARCODE_SEVERAL_SPECIES",
        statement="The same barcode occurs under more than one species.",
        reason="Either a specimen is misidentified or contaminated, or the barcode does not separate the species.",
        source=_SPEC,
        example="one barcode under Aedes aegypti and Aedes albopictus",
    ),
    Rule(
        id="BARCODE_SEVERAL_BINS",
        statement="The same barcode occurs in more than one BIN.",
        reason="BOLD puts equal sequences into one BIN: one of the records is out of date or mixed up.",
        source=_SPEC,
        example="one barcode in BOLD:AAA1234 and BOLD:AAB5678",
    ),
    Rule(
        id="BARCODE_MISPLACED",
        statement="The barcodes most alike it are of another order than the record.",
        reason="Another animal's DNA was sequenced (a parasite, its prey, a neighbour on the plate), or the specimen "
        "is mislabelled.",
        source=f"{_SPEC}; neighbours by shared words, at least 0.95 alike",
        setting="barcodes.neighbour_similarity",
        example="a record labelled Hymenoptera whose ten nearest barcodes are Diptera",
    ),
)
