"""The rules of the barcode checks."""

from __future__ import annotations

from bioscan_etl.rules import Rule, Severity

_SPEC = "spec: DNA barcodes, checks"

RULES: tuple[Rule, ...] = (
    Rule(
        id="BARCODE_SHORT",
        statement="The barcode, without N at its ends, is shorter than the set minimum.",
        reason="A fragment separates species less well and often comes from a failed read.",
        source=f"{_SPEC}; the BARCODE standard requires 500 bp of COI-5P",
        setting="barcodes.min_length",
        example="a barcode of 335 bp",
    ),
    Rule(
        id="BARCODE_LONG",
        statement="The barcode, without N at its ends, is longer than the set maximum.",
        reason="COI-5P has 658 bp. A longer one contains primers or an insertion, or is another region of the gene.",
        source=_SPEC,
        setting="barcodes.max_length",
        example="a barcode of 1,545 bp",
    ),
    Rule(
        id="BARCODE_AMBIGUOUS",
        statement="The share of letters other than A, C, G and T in the barcode is above the set maximum.",
        reason="Ambiguous bases come from mixed or weak signals; distances to such a barcode are unreliable.",
        source=f"{_SPEC}; the BARCODE standard requires less than 1 % of ambiguous bases",
        setting="barcodes.max_ambiguous_share",
        example="20 N in 658 letters",
    ),
    Rule(
        id="NO_OPEN_READING_FRAME",
        statement="Each of the three reading frames has a stop codon, and the reverse complement does not help.",
        reason="COI codes for a protein: stops in all frames point to a pseudogene (NUMT), an indel or a misread.",
        source=f"{_SPEC}; stop codons of the NCBI genetic codes",
        setting="barcodes.genetic_code",
        example="a barcode with TAA in the frames 0, 1 and 2",
    ),
    Rule(
        id="REVERSE_COMPLEMENT",
        statement="The barcode has an open reading frame only in its reverse complement and no COI motif in its "
        "delivered direction; it was replaced by its reverse complement.",
        reason="A valid sequence of the other strand matches nothing in the corpus.",
        source=_SPEC,
        severity=Severity.CHANGE,
        setting="barcodes.genetic_code",
        example="TGATTTAATCCTGTAAATAATGG becomes CCATTATTTACAGGATTAAATCA",
    ),
    Rule(
        id="BASECOUNT_MISMATCH",
        statement="`nuc_basecount` differs from the number of A, C, G and T in the sequence.",
        reason="BOLD counted the bases before delivery: a difference means that the sequence was cut later, "
        "for example by a spreadsheet, which cuts after 255 characters.",
        source=f"{_SPEC}; BCDM field nuc_basecount",
        example="nuc_basecount 658, but the sequence has 255 bases",
    ),
    Rule(
        id="HOMOPOLYMER",
        statement="The barcode has a run of one base that is at least as long as the set length.",
        reason="Every sequencer misreads long runs of one base, and they are rare in COI.",
        source=_SPEC,
        setting="barcodes.min_homopolymer",
        example="a run of 20 T",
    ),
    Rule(
        id="LOW_COMPLEXITY",
        statement="One trinucleotide makes up a larger share of the barcode than the set maximum.",
        reason="A sequence of repeats is an artefact and does not identify a species.",
        source=_SPEC,
        setting="barcodes.max_low_complexity_share",
        example="ATATATAT… over the whole barcode",
    ),
    Rule(
        id="INVALID_LETTERS",
        statement="The sequence contains a character that is not an IUPAC nucleotide code; the barcode has N instead.",
        reason="Digits, blanks or letters such as E are damaged text; dropping them would shift the reading frame.",
        source=f"{_SPEC}; IUPAC nucleotide codes (NC-IUB 1984)",
        severity=Severity.CHANGE,
        example="ACGT7ACGT becomes ACGTNACGT",
    ),
    Rule(
        id="GAP_REMOVED",
        statement="The sequence was delivered in an aligned form; its gaps between bases were removed.",
        reason="A gap is a column of an alignment that holds no base. Kept as N, the barcode equals none that was "
        "delivered without gaps.",
        source="spec: DNA barcodes, sequence; measured on 1,648 records of Norway, of which 105 have gaps",
        severity=Severity.CHANGE,
        example="ACG---TTA becomes ACGTTA",
    ),
    Rule(
        id="GAP_BREAKS_FRAME",
        statement="The delivered sequence has a run of gaps whose length is no multiple of 3, or the barcode has an "
        "open reading frame only with its gaps.",
        reason="In the evolution of COI, only whole codons are lost or gained. A gap of another length points to "
        "missing or misread bases.",
        source="spec: DNA barcodes, sequence",
        setting="barcodes.genetic_code",
        example="a sequence with a run of 2 gaps",
    ),
    Rule(
        id="BIN_INVALID",
        statement="The BIN is not `BOLD:` followed by three to five letters and four digits; it becomes missing.",
        reason="A damaged BIN would form a group of its own.",
        source=f"{_SPEC}; Barcode Index Numbers of BOLD",
        severity=Severity.CHANGE,
        example="BOLD:AAA12 becomes missing",
    ),
    Rule(
        id="BIN_WITHOUT_BARCODE",
        statement="The record has a BIN but no barcode.",
        reason="BOLD assigns a BIN to a sequence, so the sequence was lost or withdrawn.",
        source=_SPEC,
        example="BIN BOLD:AAA1234 and an empty sequence",
    ),
    Rule(
        id="BARCODE_OUT_OF_SCOPE",
        statement="The barcode is that of a specimen whose label is out of the dataset's scope.",
        reason="Either label may be wrong, or one sample contaminated the other. A specimen without a label is then "
        "quarantined.",
        source="project: identical barcodes of two phyla are one animal",
        setting="gates.scope",
        example="a specimen without a phylum that has the barcode of a bat",
    ),
    Rule(
        id="BARCODE_SEVERAL_SPECIES",
        statement="The same barcode occurs under more than one species; a barcode sequenced shorter is the same one.",
        reason="Either a specimen is misidentified or contaminated, or the barcode does not separate the species.",
        source=f"{_SPEC}; barcodes are compared over the columns that both have",
        setting="barcodes.min_shared_columns",
        example="one barcode under Aedes aegypti, and 400 bp of it under Aedes albopictus",
    ),
    Rule(
        id="BARCODE_SEVERAL_BINS",
        statement="The same barcode occurs in more than one BIN.",
        reason="BOLD puts identical sequences into one BIN, so one of the records is outdated or mixed up.",
        source=_SPEC,
        example="one barcode in BOLD:AAA1234 and BOLD:AAB5678",
    ),
    Rule(
        id="BARCODE_MISPLACED",
        statement="The nearest neighbours of the barcode belong to another order than the record.",
        reason="Another animal's DNA was sequenced (a parasite, its prey, a neighbour on the plate), or the specimen "
        "is mislabelled.",
        source=f"{_SPEC}; neighbours are found by shared k-mers and are at least 0.95 similar",
        setting="barcodes.neighbour_similarity",
        example="a record labelled Hymenoptera whose ten nearest barcodes are Diptera",
    ),
)
