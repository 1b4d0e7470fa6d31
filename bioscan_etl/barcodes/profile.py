"""The shipped profile of COI-5P: how well a codon fits each place of the 658-column frame.

Belongs here: reading the profile. Does not belong here: placing barcodes with it (`placement`), and making it
(`tools/build_coi_profile.py`).

The profile is the same for every corpus: what a barcode is placed by never comes from the data at hand.
`coi_profile.json` names its version, source and licence.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.columns import CODONS
from bioscan_etl.io.tables import read_csv

CODON_NAMES = tuple("".join(bases) for bases in product("ACGT", repeat=3))
TABLE = Path(__file__).with_name("coi_profile.csv")
NOTES = Path(__file__).with_name("coi_profile.json")


@cache
def weights() -> npt.NDArray[np.int32]:
    """Log-odds of three letters as a codon of the frame, shape (219, 125), in hundredths of a natural logarithm.

    Three letters have the number 25 a + 5 b + c, with A, C, G, T and unknown as 0 to 4 (`columns.codes`). A codon with
    an unknown letter says nothing: 0.
    """
    table = read_csv(TABLE, schema={"codon": pl.Int16, **dict.fromkeys(CODON_NAMES, pl.Int16)})
    full = np.zeros((CODONS, 5, 5, 5), np.int32)
    full[:, :4, :4, :4] = table.select(CODON_NAMES).to_numpy().reshape(CODONS, 4, 4, 4)
    return full.reshape(CODONS, 125)


@cache
def notes() -> dict[str, Any]:
    """Version, source and licence of the profile, and the files that it was made from."""
    made: dict[str, Any] = json.loads(NOTES.read_text())
    return made
