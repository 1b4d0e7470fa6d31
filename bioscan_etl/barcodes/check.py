"""From a record's nucleotides to its checked barcode.

Belongs here: flags that depend only on the record's own fields. Does not belong here: flags that depend on other
records (`corpus`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes import sequences
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.barcodes.numbering import same_barcode
from bioscan_etl.barcodes.reading_frame import COI_MOTIF, genetic_code, open_frame
from bioscan_etl.flags import flags_from
from bioscan_etl.records.values import number
from bioscan_etl.settings import BarcodeSettings
from bioscan_etl.threads import cores, ordered_map

_BLOCK = 100_000  # distinct sequences per block
_SEQUENCE = ["nuc", "genetic_code"]
CHANGED_FROM = ("processid", "nuc", "dna_barcode", "internal_gaps", "genetic_code", "frame", "flags")
"""The columns of `schema.CHECKED_BARCODES` that `barcode_changes` uses: barcodes are most of a table's bytes."""
_CHANGING = ("INVALID_LETTERS", "REVERSE_COMPLEMENT", "BIN_INVALID")
_INPUT = ("batch", "processid", "nuc", "nuc_basecount", "bin_uri")


def check_barcodes(records: pl.LazyFrame, settings: BarcodeSettings) -> pl.DataFrame:
    """Clean and check the barcode of each record.

    `dna_barcode` is upper case and without gaps: a gap is a column of BOLD's alignment that holds no base. N and
    other IUPAC codes stay, and a character that is no IUPAC code becomes N. The sequence is replaced by its reverse
    complement if only that has an open reading frame, COI's motif WTxYPP does not show that its direction is
    correct, and no gap explains why its frame is closed. Lengths, shares, frame and complexity are computed once
    per distinct sequence.

    Args:
        records: rows of `schema.RECORDS`; uses batch, processid, nuc, nuc_basecount, bin_uri, phylum, class.
        settings: thresholds.

    Returns:
        `schema.CHECKED_BARCODES`, a row per record, sorted by processid. `frame` is an offset into
        `dna_barcode`. `flags` are ids of `bioscan_etl.barcodes.rules`, sorted.

    Raises:
        SchemaError: a record has no batch or processid, or a processid occurs twice.
    """
    code = genetic_code(pl.col("phylum"), pl.col("class"), settings.genetic_code)
    rows = records.select(*_INPUT, genetic_code=code)
    # Not named once collected, so that what was delivered can go: barcodes are gigabytes.
    checked = _joined(rows.collect(), settings)

    bin_ = pl.col("bin_uri").str.strip_chars()
    valid_bin = bin_.str.contains(schema.BIN_PATTERN)
    checked = checked.with_columns(dna_bin=pl.when(valid_bin).then(bin_))
    conditions = {
        "BARCODE_SHORT": pl.col("barcode_length") < settings.min_length,
        "BARCODE_LONG": pl.col("barcode_length") > settings.max_length,
        "BARCODE_AMBIGUOUS": pl.col("ambiguous_share") > settings.max_ambiguous_share,
        "GAP_BREAKS_FRAME": pl.col("gap_breaks_frame"),
        "GAP_REMOVED": pl.col("internal_gaps") > 0,
        "NO_OPEN_READING_FRAME": pl.col("barcode").is_not_null() & pl.col("frame").is_null(),
        "REVERSE_COMPLEMENT": pl.col("turned"),
        "BASECOUNT_MISMATCH": _basecount_differs(),
        "HOMOPOLYMER": pl.col("homopolymer"),
        "LOW_COMPLEXITY": pl.col("repeat_share") > settings.max_low_complexity_share,
        "INVALID_LETTERS": pl.col("invalid_letters"),
        "BIN_INVALID": ~valid_bin,
        "BIN_WITHOUT_BARCODE": pl.col("dna_bin").is_not_null() & pl.col("barcode").is_null(),
    }
    checked = checked.with_columns(flags=flags_from(dict(sorted(conditions.items()))))
    conformed = schema.CHECKED_BARCODES.conform(checked)
    # Records are sorted by process ID; putting them in order again would copy all columns.
    return conformed if conformed["processid"].is_sorted() else conformed.sort("processid")


def may_have_changed() -> pl.Expr:
    """Whether `barcode_changes` can list a change of a row of `schema.CHECKED_BARCODES`; reads internal_gaps, flags."""
    flags = pl.any_horizontal(pl.col("flags").list.contains(rule) for rule in _CHANGING)
    return (pl.col("internal_gaps") > 0).fill_null(value=False) | flags


def barcode_changes(records: pl.LazyFrame, checked: pl.DataFrame) -> pl.DataFrame:
    """Changes by the checks, apart from upper case and gaps at the ends, for the change log.

    Four rules change values: GAP_REMOVED, then INVALID_LETTERS, then REVERSE_COMPLEMENT change dna_barcode, and
    BIN_INVALID changes dna_bin.

    Args:
        records: the rows of `schema.RECORDS` that `checked` was made from; uses processid and bin_uri.
        checked: `CHANGED_FROM` of `schema.CHECKED_BARCODES`.

    Returns:
        processid, field, before, after, rule, evidence (all text): the columns of `schema.CHANGES` without
        step and ruleset, sorted by processid and field; several changes of one field are in order.
    """
    turned = pl.col("flags").list.contains("REVERSE_COMPLEMENT")
    forward = pl.when(turned).then(sequences.reverse_complement(pl.col("dna_barcode"))).otherwise("dna_barcode")
    aligned = pl.col("nuc").str.strip_chars().str.strip_chars("-").str.to_uppercase()
    raw = aligned.str.replace_all("-", "", literal=True)
    runs = aligned.str.count_matches("-+")
    gaps = checked.filter(pl.col("internal_gaps") > 0).select(
        "processid",
        field=pl.lit("dna_barcode"),
        before=aligned,
        after=raw,
        rule=pl.lit("GAP_REMOVED"),
        evidence=pl.format("columns without a base: {}, in runs: {}", "internal_gaps", runs),
        order=pl.lit(0),
    )
    letters = checked.filter(pl.col("flags").list.contains("INVALID_LETTERS")).select(
        "processid",
        field=pl.lit("dna_barcode"),
        before=raw,
        after=forward,
        rule=pl.lit("INVALID_LETTERS"),
        evidence=pl.lit("characters outside the IUPAC codes"),
        order=pl.lit(1),
    )
    strands = checked.filter(turned).select(
        "processid",
        field=pl.lit("dna_barcode"),
        before=forward,
        after="dna_barcode",
        rule=pl.lit("REVERSE_COMPLEMENT"),
        evidence=pl.format(
            "closed in all frames forwards, open at offset {} reversed, NCBI code {}", "frame", "genetic_code"
        ),
        order=pl.lit(2),
    )
    damaged = checked.filter(pl.col("flags").list.contains("BIN_INVALID"))["processid"]
    given = records.filter(pl.col("processid").is_in(damaged.implode())).select("processid", "bin_uri")
    bins = given.collect().select(
        "processid",
        field=pl.lit("dna_bin"),
        before="bin_uri",
        after=pl.lit(None, pl.String),
        rule=pl.lit("BIN_INVALID"),
        evidence=pl.lit("not of the form BOLD:AAA1234"),
        order=pl.lit(0),
    )
    return pl.concat([gaps, letters, strands, bins]).sort("processid", "field", "order").drop("order")


def _joined(rows: pl.DataFrame, settings: BarcodeSettings) -> pl.DataFrame:
    """Add all columns derived from `nuc` and `genetic_code`, computed once per distinct pair.

    Rows are gathered by index from single-chunk frames: polars then shares the texts instead of copying them.
    """
    rows = rows.rechunk()
    # Grouping by letters would copy all of them.
    numbered = rows.select(same_barcode(rows["nuc"]).alias("number"), "genetic_code").with_row_index("row")
    first = numbered.select(pl.col("row").min().over("number", "genetic_code")).to_series()
    heads = first.unique().sort()
    distinct = rows.select(_SEQUENCE)[heads].rechunk()
    starts = range(0, max(distinct.height, 1), _BLOCK)
    blocks = ordered_map(
        lambda start: _checked(distinct[start : start + _BLOCK], settings), starts, threads=cores(), ahead=cores()
    )
    checked = pl.concat([block for _, block in blocks], rechunk=True)
    return rows.drop(_SEQUENCE).hstack(checked[heads.search_sorted(first)])


def _checked(distinct: pl.DataFrame, settings: BarcodeSettings) -> pl.DataFrame:
    """Columns derived from distinct sequences and their genetic codes, in the given order.

    Most sequences are delivered in their final form: their barcodes are slices of `nuc`, which share its memory in
    polars. Only the others are rewritten.
    """
    nuc, code = pl.col("nuc"), pl.col("genetic_code")
    # Letters are looked at once, not once per branch.
    final = distinct.select(sequences.is_final(nuc)).to_series()
    distinct = distinct.with_row_index("place")
    plain = distinct.filter(final).with_columns(
        dna_barcode=sequences.within_end_gaps(nuc),
        internal_gaps=pl.lit(0, pl.Int32),
        invalid_letters=pl.lit(False),
        gap_breaks_frame=pl.lit(False),
    )
    other = _without_gaps(
        distinct.filter(~final.fill_null(value=False)).with_columns(
            aligned=sequences.without_end_gaps(nuc), invalid_letters=sequences.has_invalid_letters(nuc)
        )
    )
    framed = pl.concat([plain, other.select(plain.columns)], rechunk=True).with_columns(
        frame=open_frame(pl.col("dna_barcode"), code)
    )
    turned = _turned(framed)
    unturned = framed.join(turned, on="place", how="anti").with_columns(turned=pl.lit(False))
    checked = pl.concat([unturned, turned], rechunk=True)
    # Most sequences have only A, C, G and T: they are identical to their identity and need no counting.
    sequence, barcode, length = pl.col("dna_barcode"), pl.col("barcode"), pl.col("barcode_length")
    ambiguous = checked.select(sequence.str.contains("[^ACGT]").fill_null(value=True)).to_series()
    bases = checked.filter(~ambiguous).with_columns(
        barcode=sequence,
        barcode_length=sequence.str.len_bytes().cast(pl.Int32),
        bases=sequence.str.len_bytes().cast(pl.Int64),
        unambiguous_run=sequence.str.len_bytes().cast(pl.Int32),
    )
    codes = (
        checked.filter(ambiguous)
        .with_columns(barcode=barcode_identity(sequence))
        .with_columns(
            barcode_length=barcode.str.len_bytes().cast(pl.Int32),
            bases=sequences.unambiguous_bases(barcode),
            unambiguous_run=sequences.longest_unambiguous_run(barcode),
        )
    )
    checked = pl.concat([bases, codes], rechunk=True)
    checked = checked.sort("place")
    run = settings.min_homopolymer
    return checked.select(
        "nuc",
        "genetic_code",
        "dna_barcode",
        "barcode",
        "barcode_length",
        "internal_gaps",
        "gap_breaks_frame",
        "invalid_letters",
        "turned",
        "bases",
        "unambiguous_run",
        ambiguous_share=(length - pl.col("bases")) / length,
        frame=pl.when(barcode.is_not_null()).then("frame"),
        homopolymer=barcode.str.contains("|".join(f"{base}{{{run}}}" for base in "ACGT")),
        repeat_share=sequences.repeat_share(checked["barcode"], settings.max_low_complexity_share),
    )


def _without_gaps(rows: pl.DataFrame) -> pl.DataFrame:
    """Remove gaps from column aligned: dna_barcode, internal_gaps (columns removed) and gap_breaks_frame.

    A gap breaks the frame if it is not whole codons, or if the sequence has an open frame only with its gaps (as N).
    """
    aligned = pl.col("aligned")
    rows = rows.with_columns(
        dna_barcode=sequences.without_gaps(aligned),
        internal_gaps=aligned.str.count_matches("-", literal=True).cast(pl.Int32),
    )
    gapped = pl.col("internal_gaps") > 0
    code = pl.col("genetic_code")
    with_gaps = open_frame(aligned.str.replace_all("-", "N", literal=True), code)
    breaks = (
        rows.filter(gapped)
        .with_columns(opened=with_gaps, frame=open_frame(pl.col("dna_barcode"), code))
        .select(
            "place",
            gap_breaks_frame=sequences.has_partial_codon_gap(aligned)
            | (pl.col("opened").is_not_null() & pl.col("frame").is_null()),
        )
    )
    rows = rows.join(breaks, on="place", how="left", maintain_order="left")
    return rows.with_columns(pl.col("gap_breaks_frame").fill_null(value=False))


def _turned(framed: pl.DataFrame) -> pl.DataFrame:
    """Reverse-complement the sequences that have an open reading frame only on the other strand.

    The reverse complement is computed only for the few sequences without an open frame. It is not considered if the
    delivered strand contains the COI motif: then a pseudogene or an indel closes the frame. Nor is it if a gap
    explains why the frame is closed.
    """
    sequence = pl.col("dna_barcode")
    closed = sequence.is_not_null() & pl.col("frame").is_null() & ~pl.col("gap_breaks_frame")
    return (
        framed.filter(closed)
        .filter(~sequence.str.contains(COI_MOTIF))  # by itself, so that only the few closed ones are searched
        .with_columns(dna_barcode=sequences.reverse_complement(sequence))
        .with_columns(frame=open_frame(sequence, pl.col("genetic_code")), turned=pl.lit(True))
        .filter(pl.col("frame").is_not_null())
    )


def _basecount_differs() -> pl.Expr:
    """Whether BOLD's count is a number that differs from the number of bases; 658.0 is also a number."""
    return number(pl.col("nuc_basecount")) != pl.col("bases").fill_null(0)
