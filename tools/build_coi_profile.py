"""Make the shipped profile of the COI-5P frame, `bioscan_etl/barcodes/coi_profile.csv`, from BOLD records.

    python tools/build_coi_profile.py RECORDS.tsv [RECORDS.tsv …]

The profile says how likely each codon is in each codon of the frame. It is made once, from records that the notes in
`coi_profile.json` name, and is shipped: what a barcode is placed by must not depend on the corpus at hand. A change of
the file is a new version of the frame; raise `version` here.

1. Barcodes of exactly 658 bp define the first profile.
2. Twice: each distinct barcode is placed without gaps; those that fit are counted, each family with the square root of
   its number, so that large families do not decide alone.
3. Codons are smoothed by their amino acid in this place, and by the bases in this place.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes import profile
from bioscan_etl.barcodes.columns import CODONS, COLUMNS, UNKNOWN, codes
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.barcodes.sequences import without_end_gaps, without_gaps
from bioscan_etl.io.tables import read_csv

VERSION = 1
SOURCE = "Barcode of Life Data System (BOLD), public data packages of 2023 to 2025"
LICENCE = "counts made from records under CC BY-SA 4.0 (International DNA Barcoding community)"

# NCBI genetic code 5, invertebrate mitochondrial, in the order of A, C, G, T.
_AMINO_ACIDS = "KNKNTTTTSSSSMIMIQHQHPPPPRRRRLLLLEDEDAAAAGGGGVVVV*Y*YSSSSWCWCLFLF"
_BASE_PRIOR = 2.0  # observations that the mean base composition counts as
_AMINO_PRIOR = 3.0  # the same for the mean composition of amino acids
_CODON_PRIOR = 3.0  # observations that the smoothed codons count as
_BY_BASES = 0.1  # share of the smoothed codons that the bases alone decide
_FITS = 0.3  # mean log-odds per base from which a barcode is counted

Counts = npt.NDArray[np.float64]


def main() -> None:
    """Read the files, count, write the profile and its notes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="+", type=Path)
    files = parser.parse_args().records
    barcodes = distinct(files)
    bases, codons, used = counted(barcodes)
    rows = weights(bases, codons)
    rows.write_csv(profile.TABLE)
    notes = {
        "version": VERSION,
        "columns": COLUMNS,
        "source": SOURCE,
        "licence": LICENCE,
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "barcodes": used,
        "made_by": "tools/build_coi_profile.py",
        "unit": "hundredths of a natural logarithm of odds, codon in this place against codon anywhere in the frame",
    }
    profile.NOTES.write_text(json.dumps(notes, indent=1) + "\n")
    print(f"{used} of {barcodes.height} distinct barcodes counted; wrote {profile.TABLE}")


def distinct(files: list[Path]) -> pl.DataFrame:
    """Distinct COI-5P barcodes with a family: columns barcode, family (text); the first record of each counts."""
    found = []
    for path in files:
        records = read_csv(path, separator="\t", quote_char=None, infer_schema=False)
        records = records.rename({"nucraw": "nuc"}, strict=False).filter(pl.col("marker_code") == "COI-5P")
        letters = barcode_identity(without_gaps(without_end_gaps(pl.col("nuc"))))
        group = pl.concat_str(pl.col("order", "family").fill_null(""), separator=" ")
        found.append(records.select(barcode=letters, family=group).drop_nulls("barcode"))
    return pl.concat(found).unique("barcode", keep="first", maintain_order=True)


def counted(barcodes: pl.DataFrame) -> tuple[Counts, Counts, int]:
    """Weighted counts of bases (658, 4) and of codons (219, 64) in the frame, and how many barcodes were counted."""
    letters = codes(barcodes["barcode"])
    lengths = barcodes["barcode"].str.len_bytes().to_numpy().astype(np.int64)
    whole = lengths == COLUMNS
    framed = letters[whole, :COLUMNS]
    counts = _bases(framed, np.ones(len(framed)))
    families = barcodes["family"].to_numpy()
    for _ in range(2):
        odds = np.log(_smoothed(counts) / _mean(counts))
        offsets, scores = _offsets(letters, odds)
        fits = scores / lengths >= _FITS
        _, family, members = np.unique(families[fits], return_inverse=True, return_counts=True)
        framed = _framed(letters[fits], offsets[fits])
        weight = 1 / np.sqrt(members[family])
        counts = _bases(framed, weight)
    return counts, _codons(framed, weight), int(fits.sum())


def _offsets(letters: npt.NDArray[np.uint8], odds: Counts) -> tuple[npt.NDArray[np.int64], Counts]:
    """The column of each barcode's first base, without gaps, and the log-odds there."""
    size = 2048
    spectrum = sum(
        np.fft.rfft(odds[:, base], size) * np.conj(np.fft.rfft((letters == base).astype(float), size, axis=1))
        for base in range(4)
    )
    scores = np.fft.irfft(spectrum, size, axis=1)
    best = scores.argmax(axis=1)
    return np.where(best > size // 2, best - size, best), scores.max(axis=1)


def _framed(letters: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    columns = np.arange(COLUMNS)[None, :] - offsets[:, None]
    inside = (columns >= 0) & (columns < letters.shape[1])
    taken = np.take_along_axis(letters, np.clip(columns, 0, letters.shape[1] - 1), axis=1)
    return np.where(inside, taken, UNKNOWN).astype(np.uint8)


def _bases(framed: npt.NDArray[np.uint8], weight: Counts) -> Counts:
    return np.stack([((framed == base) * weight[:, None]).sum(axis=0) for base in range(4)], axis=1)


def _codons(framed: npt.NDArray[np.uint8], weight: Counts) -> Counts:
    codons = framed[:, 1:].reshape(len(framed), CODONS, 3).astype(np.int64)
    known = (codons < UNKNOWN).all(axis=2)
    number = codons @ np.array([16, 4, 1])
    counts = np.zeros((CODONS, 64))
    for place in range(CODONS):
        np.add.at(counts[place], number[known[:, place], place], weight[known[:, place]])
    return counts


def _mean(counts: Counts) -> Counts:
    return counts.sum(axis=0) / counts.sum()


def _smoothed(counts: Counts) -> Counts:
    """Shares of bases in each column, (658, 4)."""
    return (counts + _BASE_PRIOR * _mean(counts)) / (counts.sum(axis=1, keepdims=True) + _BASE_PRIOR)


def weights(bases: Counts, codons: Counts) -> pl.DataFrame:
    """A row per codon of the frame: `codon` (1 to 219) and the weight of each of the 64 codons (Int16)."""
    amino = np.array([sorted(set(_AMINO_ACIDS)).index(letter) for letter in _AMINO_ACIDS])
    mean = codons.sum(axis=0) + 1
    mean /= mean.sum()
    mean_amino = np.bincount(amino, mean)
    seen = np.stack([codons[:, amino == acid].sum(axis=1) for acid in range(len(mean_amino))], axis=1)
    share = (seen + _AMINO_PRIOR * mean_amino) / (seen.sum(axis=1, keepdims=True) + _AMINO_PRIOR)
    by_amino = share[:, amino] * (mean / mean_amino[amino])
    column = _smoothed(bases)[1:].reshape(CODONS, 3, 4)
    by_bases = np.einsum("pa,pb,pc->pabc", column[:, 0], column[:, 1], column[:, 2]).reshape(CODONS, 64)
    prior = (1 - _BY_BASES) * by_amino + _BY_BASES * by_bases
    shares = (codons + _CODON_PRIOR * prior) / (codons.sum(axis=1, keepdims=True) + _CODON_PRIOR)
    rounded = np.round(100 * np.log(shares / mean)).astype(np.int16)
    table = pl.DataFrame(rounded, schema=dict.fromkeys(profile.CODON_NAMES, pl.Int16))
    return table.with_row_index("codon", offset=1)


if __name__ == "__main__":
    main()
