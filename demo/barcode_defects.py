"""Defects of barcodes, after the barcodes spec.

Belongs here: planting them. A record keeps everything else as it was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bioscan_etl.demo.draft import Draft, Mask
from bioscan_etl.demo.sequences import CODONS, LENGTH, OFFSET, reverse_complement
from bioscan_etl.demo.taxonomy import bin_name
from bioscan_etl.vocabulary import RANKS

Recipe = Callable[[str], str]

_SHORTER, _BELOW_STANDARD = 0.3, 0.04
"""Shares of the sound specimens whose barcode is shorter, and below the 500 bp of the BARCODE standard."""


def _closed(sequence: str) -> str:
    # TAA stops forwards, TTA is TAA on the other strand; steps of four bring each into all three frames.
    stops = "TAAATAAATAA" + "TTAATTAATTA"
    return sequence[:100] + stops + sequence[100 + len(stops) :]


def _ambiguous(sequence: str) -> str:
    letters = list(sequence)
    for number in range(20):
        letters[40 + 29 * number] = "NRYWNKMSNN"[number % 10]
    return "".join(letters)


def _long(sequence: str) -> str:
    return sequence + "GGATCAATTCTTACAATAATTTCAATAATCCGACCA"


def _run(sequence: str) -> str:
    at = OFFSET + 3 * 40
    return sequence[:at] + "T" * 24 + sequence[at + 24 :]


def _simple(sequence: str) -> str:
    return sequence[: OFFSET + 3 * 60] + "ATT" * (CODONS - 60)


def _invalid(sequence: str) -> str:
    return sequence[:200] + "7" + sequence[201:203] + "E" + sequence[204:]


_RECIPES: dict[str, Recipe] = {
    "barcode_long": _long,
    "barcode_ambiguous": _ambiguous,
    "no_open_reading_frame": _closed,
    "reverse_complement": reverse_complement,
    "homopolymer": _run,
    "low_complexity": _simple,
    "invalid_letters": _invalid,
}


def plant_barcodes(draft: Draft) -> None:
    """Plant every defect of a barcode that one record can have."""
    unlabelled = draft.alone
    for kind, recipe in _RECIPES.items():
        for specimen in draft.take(draft.rate, unlabelled):
            sequence = recipe(draft.barcode(specimen))
            draft.edit_barcode(specimen, sequence)
            # Only the other strand is put right again; a letter that is not a base becomes N.
            kept = {"reverse_complement": draft.barcode(specimen), "invalid_letters": _as_n(sequence)}.get(
                kind, sequence
            )
            draft.note(kind, specimen, "nuc", None, kept)
    for specimen in draft.take(draft.rate, unlabelled):
        sequence = draft.barcode(specimen)[: 300 + int(draft.rng.integers(0, 60)) * 3]
        draft.edit_barcode(specimen, sequence)
        draft.note("barcode_short", specimen, "nuc", None, sequence)
    for specimen in draft.take(draft.rate, unlabelled & (draft.batch > 0)):
        sequence = draft.barcode(specimen)[:601]
        draft.edit_barcode(specimen, sequence, basecount=658)
        draft.note("basecount_mismatch", specimen, "nuc_basecount", "658", "601")
    _plant_notation(draft, unlabelled)
    _plant_bins(draft, unlabelled)


def _as_n(sequence: str) -> str:
    return sequence.replace("7", "N").replace("E", "N")


def _plant_notation(draft: Draft, unlabelled: Mask) -> None:
    """Gaps and small letters, as BOLD's aligned form has them since 2024: defects only if the frame breaks."""
    aligned = unlabelled & (draft.batch > 0)
    for specimen in draft.take(draft.rate, aligned):
        inner = draft.barcode(specimen)[9:640]
        draft.edit_barcode(specimen, "-" * 9 + inner + "-" * 18)
        draft.note("end_gaps", specimen, "nuc", None, inner)
    for specimen in draft.take(draft.rate, aligned):
        sequence = draft.barcode(specimen)
        draft.edit_barcode(specimen, sequence[:300] + "---" + sequence[303:])
        draft.note("internal_gap", specimen, "nuc", None, sequence[:300] + sequence[303:])
    for specimen in draft.take(draft.rate, aligned):
        sequence = draft.barcode(specimen)
        draft.edit_barcode(specimen, sequence[:300] + "--" + sequence[300:])
        draft.note("gap_breaks_frame", specimen, "nuc", None, sequence)
    for specimen in draft.take(draft.rate, aligned):
        draft.edit_barcode(specimen, draft.barcode(specimen).lower())
        draft.note("lower_case_barcode", specimen, "nuc", None, draft.barcode(specimen))


def _plant_bins(draft: Draft, unlabelled: Mask) -> None:
    for specimen in draft.take(draft.rate, unlabelled):
        draft.plant("bin_invalid", specimen, "bin_uri", draft.value(specimen, "bin_uri")[:-2])
    for specimen in draft.take(draft.rate, unlabelled):
        draft.plant("no_bin", specimen, "bin_uri", "None")
    for specimen in draft.take(draft.rate, unlabelled):
        draft.edit_barcode(specimen, "None", basecount=658)
        draft.note("bin_without_barcode", specimen, "nuc", "None")
        draft.note("no_barcode", specimen, "nuc", "None")
    # The same barcode twice, in two BINs: the second specimen takes over the first one's sequence.
    for first in draft.take(draft.rate, unlabelled):
        for second in draft.take(1, unlabelled & (draft.batch == draft.batch[first])):
            draft.edit_barcode(second, draft.barcode(first))
            for column in (*RANKS, "identification", "identification_rank"):
                draft.edit(second, column, draft.value(first, column))
            draft.edit(second, "bin_uri", bin_name(900_000 + first))
            for specimen in (first, second):
                draft.note("barcode_several_bins", specimen, "bin_uri")
    _plant_split_bins(draft, unlabelled)


def _plant_split_bins(draft: Draft, unlabelled: Mask) -> None:
    """Two barcodes of one BIN whose records say different families: one of them is misplaced."""
    family = draft.specimens["family"]
    labelled = unlabelled & (family != "None").to_numpy() & (draft.specimens["genus"] == "None").to_numpy()
    for first in draft.take(draft.rate, labelled):
        other = labelled & (family != draft.value(first, "family")).to_numpy()
        for second in draft.take(1, other):
            draft.edit(second, "bin_uri", draft.value(first, "bin_uri"))
            for specimen in (first, second):
                draft.note("bin_conflict", specimen, "bin_uri", draft.value(first, "bin_uri"))


def plant_lengths(draft: Draft) -> None:
    """Sequence some of the specimens that nothing was planted in shorter: no fault, unless below 500 bp.

    What is left still tells the barcodes of its species apart, so that no label depends on what was lost.
    """
    (rng,) = draft.rng.spawn(1)
    candidates = np.flatnonzero(draft.free & (draft.role("seen") | draft.role("novel") | draft.role("dark")))
    chosen = rng.permutation(candidates)[: round(_SHORTER * len(candidates))]
    below = round(_BELOW_STANDARD * len(candidates))
    carriers = np.zeros(len(draft.barcodes), np.int64)
    carriers[draft.haplotype] = draft.cluster
    for number, specimen in enumerate(int(one) for one in chosen):
        low, high = (400, 500) if number < below else (500, LENGTH)
        length = int(rng.integers(low, high))
        start = int(rng.integers(LENGTH - length + 1))
        own = int(draft.haplotype[specimen])
        others = draft.barcodes[(carriers == carriers[own]) & (np.arange(len(carriers)) != own), start : start + length]
        if not (others != draft.barcodes[own, start : start + length]).any(axis=1).all():
            continue
        sequence = draft.barcode(specimen)[start : start + length]
        draft.free[specimen] = False
        draft.edit_barcode(specimen, sequence)
        draft.shortened[specimen] = sequence
        if number < below:
            draft.note("barcode_short", specimen, "nuc", None, sequence)


def plant_gates(draft: Draft) -> None:
    """Plant the barcodes that the gates hold back."""
    unlabelled = draft.alone
    for specimen in draft.take(draft.rate, unlabelled):
        draft.edit_barcode(specimen, "None", basecount=0)
        draft.plant("no_barcode", specimen, "bin_uri", "None")
    for specimen in draft.take(draft.rate, unlabelled):
        sequence = draft.barcode(specimen)
        holes = "".join("N" if at % 160 == 150 else base for at, base in enumerate(sequence))
        draft.edit_barcode(specimen, holes)
        draft.note("barcode_run_too_short", specimen, "nuc", None, holes)
