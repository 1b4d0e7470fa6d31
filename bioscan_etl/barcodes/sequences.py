"""Expressions on sequences: cleaning, reverse complement, and measures of their bases.

Belongs here: expressions on one sequence that need no settings. Does not belong here: thresholds and flags
(`check`) and reading frames (`reading_frame`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.columns import UNKNOWN, codes

_COMPLEMENT = dict(zip("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN", strict=True))
IUPAC = "".join(_COMPLEMENT)
_NO_IUPAC = f"[^{IUPAC}{IUPAC.lower()}-]"
_BLOCK = 500  # sequences per block: some 3 MB of numbers, so that they stay in the processor's cache
_NO_KMER, _BINS = 64, 65  # number of what is no trinucleotide; numbers there are


def has_invalid_letters(nuc: pl.Expr) -> pl.Expr:
    """Whether a delivered sequence contains a character that is neither an IUPAC code nor a gap."""
    return nuc.str.strip_chars().str.contains(_NO_IUPAC)


def without_end_gaps(nuc: pl.Expr) -> pl.Expr:
    """Remove outer blanks and gaps, replace invalid characters by N, convert to upper case; keep internal gaps."""
    return nuc.str.strip_chars().str.strip_chars("-").str.replace_all(_NO_IUPAC, "N").str.to_uppercase()


def is_final(nuc: pl.Expr) -> pl.Expr:
    """Whether a delivered sequence is upper case IUPAC codes with gaps only at its ends; null for null."""
    inner = nuc.str.strip_chars("-")
    return (inner != "") & ~inner.str.contains(f"[^{IUPAC}]")


def within_end_gaps(nuc: pl.Expr) -> pl.Expr:
    """A final sequence without the gaps at both ends; shares the memory of `nuc`."""
    start = nuc.str.len_bytes() - nuc.str.strip_chars_start("-").str.len_bytes()
    return nuc.str.slice(start, nuc.str.strip_chars("-").str.len_bytes())


def without_gaps(aligned: pl.Expr) -> pl.Expr:
    """Remove the gaps of an aligned sequence: columns without a base. An empty sequence becomes missing."""
    letters = aligned.str.replace_all("-", "", literal=True)
    return pl.when(letters != "").then(letters)


def has_partial_codon_gap(aligned: pl.Expr) -> pl.Expr:
    """Whether a run of gaps between bases has a length that is no multiple of 3, so that it is not whole codons."""
    return aligned.str.contains("[^-](---)*--?[^-]")


def reverse_complement(sequence: pl.Expr) -> pl.Expr:
    """The reverse complement of an upper case IUPAC sequence."""
    return sequence.str.reverse().str.replace_many(list(_COMPLEMENT), list(_COMPLEMENT.values()))


def longest_unambiguous_run(sequence: pl.Expr) -> pl.Expr:
    """Length in bp of the longest run of A, C, G, T (Int32); 0 if there is none, null for null."""
    runs = sequence.str.extract_all("[ACGT]+").list.eval(pl.element().str.len_bytes()).list.max()
    return pl.when(sequence.is_not_null()).then(runs.fill_null(0)).cast(pl.Int32)


def unambiguous_bases(sequence: pl.Expr) -> pl.Expr:
    """Number of A, C, G, T of an upper case sequence (Int64)."""
    rest = sequence.str.replace_all("[ACGT]+", "").str.len_bytes()
    return sequence.str.len_bytes().cast(pl.Int64) - rest.cast(pl.Int64)


def repeat_share(barcodes: pl.Series, worth_knowing: float) -> pl.Series:
    """Share of each barcode that its most frequent trinucleotide makes up.

    The share is three times the number of non-overlapping occurrences, divided by the length. Counting 64
    trinucleotides is slow, so the exact share is computed only if an upper bound (the overlapping occurrences)
    reaches `worth_knowing`; otherwise the bound is returned, which is smaller than that.

    Args:
        barcodes: upper case sequences; nulls stay null.
        worth_knowing: smallest share for which the exact value is needed.

    Returns:
        Float64, 0 to 1, exact wherever it is at least `worth_knowing`.
    """
    if barcodes.is_empty():
        return pl.Series(barcodes.name, [], dtype=pl.Float64)
    bound = pl.concat([_overlapping_share(barcodes.slice(start, _BLOCK)) for start in range(0, len(barcodes), _BLOCK)])
    frame = pl.DataFrame({"barcode": barcodes, "bound": bound}).with_row_index()
    suspects = frame.filter(pl.col("bound") >= worth_knowing)
    trinucleotides = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    counts = (pl.col("barcode").str.count_matches(each, literal=True) for each in trinucleotides)
    exact = suspects.select("index", share=3 * pl.max_horizontal(counts) / pl.col("barcode").str.len_bytes())
    share = frame.join(exact, on="index", how="left", maintain_order="left").select(pl.coalesce("share", "bound"))
    return share.to_series().alias(barcodes.name)


def _overlapping_share(barcodes: pl.Series) -> pl.Series:
    """Three times the overlapping occurrences of the most frequent trinucleotide, divided by the length."""
    lengths = barcodes.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    letters = codes(barcodes.fill_null(""))
    first, second, third = letters[:, :-2], letters[:, 1:-1], letters[:, 2:]
    kmers = (first << np.uint8(4)) | (second << np.uint8(2)) | third
    # Counted, too, but apart: leaving them out would copy all the others.
    kmers[(first | second | third) >= UNKNOWN] = _NO_KMER
    owners = kmers.astype(np.int64)
    owners += np.arange(0, _BINS * len(lengths), _BINS)[:, None]
    counts = np.bincount(owners.ravel(), minlength=_BINS * len(lengths)).reshape(-1, _BINS)[:, :_NO_KMER]
    share: npt.NDArray[np.float64] = np.zeros(len(lengths))
    np.divide(3 * counts.max(axis=1), lengths, out=share, where=lengths > 0)
    return pl.select(pl.when(barcodes.is_not_null()).then(pl.Series(share))).to_series()
