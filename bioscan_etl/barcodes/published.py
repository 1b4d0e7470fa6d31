"""The published distance between barcodes: edits between rows of MAFFT's alignment (spec: statistics and figures).

The recipe is that of the code published with BIOSCAN-5M (github.com/zahrag/barcodemetr):

1. The barcodes of a group are cut to 625 letters. The code pads shorter ones with gaps, too, which MAFFT removes.
2. MAFFT aligns them with its defaults.
3. The distance of a pair is the number of edits between the aligned strings, a gap being a letter like the others:
   insertions, deletions, substitutions, and transpositions of neighbours. The code calls it Damerau-Levenshtein; the
   package that it uses, textdistance, means the restricted form, optimal string alignment, unless told otherwise.
4. Pairs whose aligned strings are equal are left out. Such barcodes differ behind letter 625 alone.

A missing end is a run of gaps, so that it counts as one edit per column. The distance measures length, too.

Belongs here: alignment and edits of one group. Does not belong here: which barcodes form a group
(`statistics.published_distances`).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.columns import PUBLISHED_COLUMNS
from bioscan_etl.errors import SourceError

_PROGRAM = "mafft"
_ROWS = 64  # barcodes that are compared with the others at a time

_Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Mafft:
    """The program that aligns.

    Attributes:
        path: of its executable.
        version: as it states it, such as `v7.505 (2022/Apr/10)`.
    """

    path: str
    version: str


def find_mafft() -> Mafft:
    """Find MAFFT in the search path.

    Raises:
        SourceError: it is not installed, or does not run.
    """
    path = shutil.which(_PROGRAM)
    if path is None:
        raise SourceError(
            "the published distances need the program MAFFT, which is not installed: apt-get install mafft, or see "
            "mafft.cbrc.jp"
        )
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    said = (done.stdout + done.stderr).split("\n", 1)[0].strip()
    if done.returncode or not said:
        raise SourceError(f"MAFFT ({path}) does not state its version; install it anew: apt-get install mafft")
    return Mafft(path, said)


def align(barcodes: Sequence[str], mafft: Mafft, cut: int | None = PUBLISHED_COLUMNS) -> list[str]:
    """Align barcodes by MAFFT's defaults.

    Args:
        barcodes: two at least, of the letters ACGTN. Their order decides the alignment, too.
        mafft: from `find_mafft`.
        cut: letters that each is cut to first; None for all.

    Returns:
        Strings of equal length, of the letters acgtn and of gaps, in the order given.

    Raises:
        SourceError: MAFFT failed.
    """
    fasta = "".join(f">{number}\n{barcode[:cut]}\n" for number, barcode in enumerate(barcodes))
    # One thread: groups run beside each other, and the alignment does not depend on the number of cores.
    command = [mafft.path, "--quiet", "--thread", "1", "-"]
    done = subprocess.run(command, input=fasta, capture_output=True, text=True, check=False)
    aligned = ["".join(entry.split("\n")[1:]) for entry in done.stdout.split(">")[1:]]
    if done.returncode or len(aligned) != len(barcodes) or len({len(one) for one in aligned}) != 1:
        reason = done.stderr.strip().split("\n")[-1] or f"it ended with status {done.returncode}"
        raise SourceError(f"MAFFT could not align {len(barcodes)} barcodes: {reason}")
    return aligned


@dataclass(frozen=True, slots=True)
class Edits:
    """The pairs of aligned barcodes, counted.

    Attributes:
        count: pairs with each number of edits from 0 on, int64, shape (most edits + 1,); equal strings are not counted.
        substitutions: columns in which both have a base and these differ, added up over these pairs.
    """

    count: _Numbers
    substitutions: int

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return int(self.count.sum())


def edits(aligned: Sequence[str], threads: int) -> Edits:
    """Compare each of some aligned barcodes with each other one.

    Args:
        aligned: from `align`.
        threads: decides nothing but the time.
    """
    # Imported where it is needed: a release without the published distances loads no process pool of rapidfuzz.
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cdist

    letters = np.array([list(one.encode()) for one in aligned], np.uint8)
    is_base = np.isin(letters, np.frombuffer(b"acgt", np.uint8))
    counts = np.zeros(1, np.int64)
    substitutions = 0
    for start in range(0, len(aligned), _ROWS):
        rows, others = aligned[start : start + _ROWS], aligned[start:]
        found = cdist(rows, others, scorer=OSA.distance, dtype=np.uint16, workers=threads).astype(np.int64)
        found[np.tril_indices(len(rows), m=len(others))] = 0
        more = np.bincount(found[found > 0], minlength=1)
        counts = np.pad(counts, (0, max(0, len(more) - len(counts))))
        counts[: len(more)] += more
        for row in range(len(rows)):
            at, rest = start + row, slice(start + row + 1, None)
            substitutions += int(((letters[at] != letters[rest]) & is_base[at] & is_base[rest]).sum())
    return Edits(counts, substitutions)
