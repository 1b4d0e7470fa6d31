"""Which new barcodes of one species fill an evaluation partition under the protocol "stable".

The targets, bounds and method are those of `select`, with two differences. Where `select` uses a random generator or
the order of ties, a keyed hash decides, which depends only on seed, species and barcode. And records that earlier
releases placed count towards the target; new barcodes fill the rest.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from bioscan_etl.splits.select import Quota, last_choice, without, without_options


def keyed_hash(seed: int, species: str, barcode: str) -> int:
    """Sort key of a barcode among those of its species, 0 to 2^63 - 1.

    >>> keyed_hash(0, "Atta cephalotes", "ACGT") == keyed_hash(1, "Atta cephalotes", "ACGT")
    False
    """
    digest = hashlib.blake2b(
        f"{species}\n{barcode}".encode(), digest_size=8, key=seed.to_bytes(8, "big"), person=b"bioscan-etl"
    ).digest()
    return int.from_bytes(digest, "big") >> 1


def fill_barcodes(
    sizes: NDArray[np.int64],
    keys: NDArray[np.int64],
    quota: Quota,
    *,
    records: int,
    barcodes: int,
    got: int,
    taken: int,
) -> list[int]:
    """Choose among the new barcodes of one species.

    Args:
        sizes: records per new barcode, int64, shape (new barcodes,).
        keys: keyed hash of each, int64, shape (new barcodes,).
        quota: what the partition wants.
        records: the species' candidate records, those in the partition included.
        barcodes: its barcodes, those in the partition included.
        got: its records that are in the partition already.
        taken: its barcodes that are in the partition already.

    Returns:
        Positions in `sizes`, in the order of choice. The choice does not depend on the order of the barcodes.
    """
    target = quota.target(records)
    upper, bound = quota.upper(records), quota.bound(barcodes)
    if target == 0 or barcodes < 2 or got >= target or (taken and taken >= bound):
        return []
    grown = barcodes > len(sizes)
    positions = np.lexsort((keys, sizes))
    left = sizes[positions]
    total = np.cumsum(left)
    chosen: list[int] = []
    while len(left):
        end = int(np.searchsorted(left, math.floor(target - got), side="right"))
        wanted = math.ceil(quota.soft * target - got)
        # A batch rarely has as many records as are still wanted: then every barcode that fits is an option.
        first = int(np.searchsorted(total, wanted, side="left")) if total[-1] >= wanted else 0
        if first >= end:
            position = without_options(
                left, quota, first=first, end=end, got=got, records=records, target=target, upper=upper
            )
            # `select` lets the only barcode exceed the bound if it does not fit. Here there are others.
            if position is None or (grown and got + left[position] > upper):
                break
        elif len(chosen) + taken + 1 >= bound:
            position = last_choice(left, end - 1, got, target, upper)
        else:
            # The larger half and all barcodes as large as its smallest: among equal sizes only the hash decides.
            half = int(np.searchsorted(left, left[first + (end - first) // 2], side="left"))
            position = half + int(np.argmin(keys[positions[half:end]]))
        size = int(left[position])
        chosen.append(int(positions[position]))
        got += size
        if got >= target or len(chosen) + taken >= bound:
            break
        total[position:] -= size
        left, total, positions = (without(array, position) for array in (left, total, positions))
    return chosen if got >= quota.lower else []
