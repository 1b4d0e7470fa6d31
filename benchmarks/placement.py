"""Places of barcodes on the frame: how often planted deletions are found, and what MAFFT says of the same barcodes.

    python benchmarks/placement.py ../shared/data --aligned 200 [--corpus 100000]

Needs MAFFT (Debian: mafft). Prints, in one run:

- how many barcodes a second are placed, the refused share, and how many have a gap of single bases;
- of barcodes of 658 bp: how many are moved needlessly (their place is known without a search);
- of these with a codon cut out: how often the gap is where it was cut, how often it gives the same letters, and how
  often it is within a codon of it;
- beside MAFFT, which adds each barcode to the consensus of the frame without changing its length (`--keeplength`): the
  share of bases in the same column, and the ratio of the times;
- with --corpus: the time and memory of so many barcodes, which are the real ones with three transitions in each, and
  the time that 2.5 million would take.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.barcodes import framed, profile
from bioscan_etl.barcodes.columns import CODONS, UNKNOWN, codes
from bioscan_etl.barcodes.placement import place

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from test_barcodes_check import real_barcodes

_TRANSITION = bytes.maketrans(b"ACGT", b"GTAC")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a folder with BOLD records in bold/*.tsv")
    parser.add_argument("--planted", type=int, default=600, help="barcodes that a codon is cut out of")
    parser.add_argument("--aligned", type=int, default=200, help="barcodes that MAFFT aligns, too")
    parser.add_argument("--corpus", type=int, default=0, help="barcodes made from the real ones, to measure the time")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = np.random.default_rng(arguments.seed)
    barcodes = real_barcodes(arguments.data)
    print(f"data: {len(barcodes)} distinct barcodes of {arguments.data}; profile version {profile.notes()['version']}")

    start = time.perf_counter()
    placed = place(barcodes)
    seconds = time.perf_counter() - start
    refused = (placed["doubt"] == "NOT_PLACED").sum()
    shifted = (placed["doubt"] == "SHIFTED").sum()
    print(
        f"placed: {len(barcodes) / seconds:,.0f} a second on all cores; refused {refused} "
        f"({refused / len(barcodes):.2%}), shifted {shifted}"
    )

    whole = clean(barcodes)
    moved = place(whole).filter(
        (pl.col("first") != 1) | (pl.col("last") != 658) | (pl.col("missing_columns").list.len() > 0)
    )
    print(f"moved needlessly: {moved.height} of {len(whole)} barcodes of 658 bp ({moved.height / len(whole):.2%})")
    planted(whole.sample(min(arguments.planted, len(whole)), seed=arguments.seed), generator)
    beside_mafft(barcodes.sample(min(arguments.aligned, len(barcodes)), seed=arguments.seed))
    if arguments.corpus:
        corpus(barcodes, arguments.corpus, generator)


def corpus(barcodes: pl.Series, count: int, generator: np.random.Generator) -> None:
    """Time and memory of many barcodes.

    The changes are transitions at third positions of codons, as most differences between relatives are: other changes
    make barcodes that no animal has, and more of them are searched for gaps.
    """
    known = place(barcodes).drop_nulls("first")
    texts = []
    for row in generator.integers(0, known.height, count):
        text, start, first = known["barcode"][int(row)], known["start"][int(row)], known["first"][int(row)]
        letters = bytearray(text.encode())
        third = np.arange((start - first + 1) % 3, len(letters), 3)
        for at in generator.choice(third, 3):
            letters[at] = letters[at : at + 1].translate(_TRANSITION)[0]
        texts.append(letters.decode())
    made = pl.Series("barcode", texts).unique(maintain_order=True)
    start, used = time.perf_counter(), time.process_time()
    placed = place(made)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    refused = (placed["doubt"] == "NOT_PLACED").sum()
    print(
        f"{len(made):,} barcodes: {len(made) / seconds:,.0f} a second on all cores, {len(made) / used:,.0f} a second "
        f"of CPU; refused {refused / len(made):.2%}, peak "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.1f} GiB; 2.5 million would take "
        f"{2_500_000 * seconds / len(made) / 60:.0f} min, and {2_500_000 * used / len(made) / 60:.0f} min of CPU"
    )


def clean(barcodes: pl.Series) -> pl.Series:
    """Barcodes of 658 bp without N that fill the frame from its first to its last column.

    Some sequences of 658 bp start outside the frame. They are recognised without a search: read from column 1, their
    codons have a mean weight below 1.5.
    """
    whole = barcodes.filter((barcodes.str.len_bytes() == 658) & ~barcodes.str.contains("N"))
    letters = codes(whole)[:, 1:].reshape(len(whole), CODONS, 3).astype(np.int64)
    number = letters @ np.array([25, 5, 1])
    weight = profile.weights()[np.arange(CODONS)[None, :], number].mean(axis=1)
    return whole.filter(pl.Series(weight >= 150))


def planted(barcodes: pl.Series, generator: np.random.Generator) -> None:
    """Cut a codon out of each barcode, at least ten codons from its ends."""
    at = 1 + 3 * generator.integers(10, CODONS - 10, len(barcodes))
    texts = [text[:where] + text[where + 3 :] for text, where in zip(barcodes, at, strict=True)]
    kept = pl.DataFrame({"barcode": texts, "whole": barcodes, "at": at}).unique("barcode", maintain_order=True)
    exact = same = near = 0
    for row, gap in zip(kept.iter_rows(named=True), place(kept["barcode"])["missing_columns"], strict=True):
        if gap is None or len(gap) != 3:
            continue
        where = int(gap[0]) - 1
        exact += where == row["at"]
        same += row["whole"][:where] + row["whole"][where + 3 :] == row["barcode"]
        near += abs(where - row["at"]) <= 3
    count = kept.height
    print(
        f"a codon cut out of {count}: found exactly {exact / count:.1%}, with the same letters {same / count:.1%}, "
        f"within a codon {near / count:.1%}"
    )


def beside_mafft(barcodes: pl.Series) -> None:
    """Compare columns with those of MAFFT, which adds barcodes to a reference of the frame's length."""
    start = time.perf_counter()
    placed = place(barcodes)
    ours = time.perf_counter() - start
    names = profile.CODON_NAMES
    best = profile.weights().reshape(CODONS, 5, 5, 5)[:, :4, :4, :4].reshape(CODONS, 64).argmax(axis=1)
    reference = "A" + "".join(names[codon] for codon in best)
    with tempfile.TemporaryDirectory() as folder:
        known, added = Path(folder, "reference.fasta"), Path(folder, "added.fasta")
        known.write_text(f">reference\n{reference}\n")
        added.write_text("".join(f">{number}\n{text}\n" for number, text in enumerate(barcodes)))
        start = time.perf_counter()
        made = subprocess.run(
            ["mafft", "--quiet", "--thread", "2", "--keeplength", "--add", str(added), str(known)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        theirs = time.perf_counter() - start
    texts = ["".join(entry.split("\n")[1:]).upper() for entry in made.split(">")[2:]]
    there = codes(pl.Series(["".join(letter if letter in "ACGT" else "N" for letter in text) for text in texts]))
    here = framed.letters(placed)
    is_base = here < UNKNOWN
    is_placed = placed["first"].is_not_null().to_numpy()
    alike = ((here == there) & is_base)[is_placed].sum() / is_base[is_placed].sum()
    print(
        f"MAFFT on {len(barcodes)}: {alike:.2%} of our bases are in the same column there; it takes "
        f"{theirs / ours:.1f} times as long ({theirs:.1f} s, {ours:.1f} s)"
    )


if __name__ == "__main__":
    main()
