"""The nearest barcode of a species of another family, where it is nearer than all of the family.

Of a barcode whose nearest one is in another family, one of the two labels is likely wrong. The search is over all
barcodes, exactly, by clusters (`apart`): whatever is not nearer than the nearest barcode within the family does not
matter, which excludes nearly all pairs of clusters by their centres.

Belongs here: the search. Does not belong here: distances within a family (`distances`), and what they say of a species
(`statistics.audit`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.apart import Stretch, blocks, nearest_groups, some_distance
from bioscan_etl.barcodes.clusters import Clusters, clusters
from bioscan_etl.barcodes.framed import Framed
from bioscan_etl.progress import Progress, silent

_Numbers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Barcodes of species.

    Attributes:
        members: positions of barcodes, by group and position.
        groups: the group of each, a species within a family; ascending, each from 0 on.
        families: the number of the family of each group; ascending.
        names: the number of the species' name of each group: a species can have a group in two families.
        bounds: of each group, the p-distance from which on a barcode does not matter; infinite for none.
    """

    members: _Numbers
    groups: _Numbers
    families: _Numbers
    names: _Numbers
    bounds: _Floats


def nearest_outside(
    barcodes: Framed, labelled: Labelled, least: int, progress: Progress = silent, held: Clusters | None = None
) -> tuple[_Floats, _Numbers]:
    """Find the nearest barcode of another species in another family, if it is nearer than the bound of the group.

    Args:
        barcodes: on the frame.
        labelled: whose barcodes they are.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).
        progress: reports the clusters.
        held: the clusters of these barcodes; made if not given.

    Returns:
        Of each group the p-distance, float64, infinite if there is none below the bound; and the group of that
        barcode, int64, of several the first by name, -1 for none. Both of shape (groups,).
    """
    if not len(labelled.members):
        return labelled.bounds.copy(), np.full(len(labelled.bounds), -1)
    held = clusters(barcodes, labelled.members, labelled.groups) if held is None else held
    family, name = labelled.families[held.group], labelled.names[held.group]
    count = len(held.group)

    def is_outside(one: _Numbers, other: _Numbers) -> npt.NDArray[np.bool_]:
        outside: npt.NDArray[np.bool_] = (family[one] != family[other]) & (name[one] != name[other])
        return outside

    limit = labelled.bounds.copy()
    unbound = np.flatnonzero(np.isinf(limit[held.group]))
    for first, last in blocks(0, len(unbound)):
        some = some_distance(barcodes, held, unbound[first:last], 0, count, is_outside, least, len(limit))
        np.minimum(limit, some, out=limit)
    stretches = [Stretch(first, last, first, count) for first, last in blocks(0, count)]
    said = "barcodes of other families"
    p, which = nearest_groups(barcodes, held, stretches, is_outside, limit, labelled.names, least, progress, said)
    is_nearer = p < labelled.bounds
    return np.where(is_nearer, p, np.inf), np.where(is_nearer, which, -1)
