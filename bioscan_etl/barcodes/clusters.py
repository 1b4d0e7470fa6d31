"""Barcodes of each group in clusters around a centre: two centres say something of all pairs of their barcodes.

A centre is a sequence on the frame, in each column the base that most of the cluster's barcodes have. A barcode's
radius is the number of the centre's columns in which it has another base or none. Two barcodes then differ in at least
as many columns as their centres, less both radii: where the centres differ, the barcodes differ, or one of them differs
from its centre or has no base.

Belongs here: clusters. Does not belong here: searches with them (`outside`, `distances`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.framed import Framed

RADIUS = 8
"""Columns in which a barcode of a cluster may differ from the centre."""
_ROUNDS = 4  # after which the barcodes that lie in no cluster are one each
_PART = 5_000  # barcodes whose columns are held at a time, and those of one group

_Numbers = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters, by group.

    Attributes:
        low, high, known: the centres, as in `Framed`, but of shape (11, clusters).
        centres: the same three, each of shape (clusters, 11).
        group: the group of each cluster, ascending, int64, shape (clusters,).
        radius: the largest radius of its barcodes, int64, the same shape.
        columns: the most columns in which one of them has a base, at least 1; the same.
        members: positions of the barcodes, by cluster, int64, shape (barcodes,).
        radii: the radius of each of these, the same shape.
        starts: where the barcodes of each cluster begin, and the number of all; shape (clusters + 1,).
        nearest: the position of the barcode of each cluster with the smallest radius, int64, shape (clusters,).
    """

    low: _Words
    high: _Words
    known: _Words
    centres: tuple[_Words, _Words, _Words]
    group: _Numbers
    radius: _Numbers
    columns: _Numbers
    members: _Numbers
    radii: _Numbers
    starts: _Numbers
    nearest: _Numbers


def clusters(barcodes: Framed, members: _Numbers, groups: _Numbers) -> Clusters:
    """Put the barcodes of each group into clusters.

    Args:
        barcodes: on the frame.
        members: their positions.
        groups: the group of each; ascending.
    """
    left = np.arange(len(members))
    label, radii = np.full(len(members), -1), np.zeros(len(members), np.int64)
    none = np.empty((0, barcodes.known.shape[1]), np.uint64)
    centres: list[tuple[_Words, _Words, _Words]] = [(none, none, none)]
    count = 0
    for round_ in range(_ROUNDS + 1):
        if not len(left):
            break
        starts = np.flatnonzero(np.diff(groups[left], prepend=-1))
        if round_ == _ROUNDS:
            starts = np.arange(len(left))
        sizes = np.diff(np.append(starts, len(left)))
        of = np.repeat(np.arange(len(starts)), sizes)
        centre = _centres(barcodes, members[left], starts)
        radius = _radius(barcodes, members[left], centre, of)
        inside = radius <= RADIUS
        # A group of which none lies near the centre: its first barcode is a cluster.
        lonely = np.flatnonzero(~np.logical_or.reduceat(inside, starts))
        first = starts[lonely]
        for plane, whole in zip(centre, (barcodes.low, barcodes.high, barcodes.known), strict=True):
            plane[lonely] = whole[members[left[first]]]
        inside[first], radius[first] = True, 0
        label[left[inside]], radii[left[inside]] = count + of[inside], radius[inside]
        centres.append(centre)
        count += len(starts)
        left = left[~inside]
    low, high, known = (np.concatenate(planes) for planes in zip(*centres, strict=True))
    order = np.lexsort((radii, label, groups))
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    wanted = label[order][starts]
    at = members[order]
    columns = np.bitwise_count(barcodes.known[at]).sum(axis=1, dtype=np.int64)
    return Clusters(
        np.ascontiguousarray(low[wanted].T),
        np.ascontiguousarray(high[wanted].T),
        np.ascontiguousarray(known[wanted].T),
        (low[wanted], high[wanted], known[wanted]),
        groups[order][starts],
        np.maximum.reduceat(radii[order], starts),
        np.maximum(np.maximum.reduceat(columns, starts), 1),
        at,
        radii[order],
        np.append(starts, len(at)),
        at[starts],
    )


def _centres(barcodes: Framed, members: _Numbers, starts: _Numbers) -> tuple[_Words, _Words, _Words]:
    """The centre of each stretch of barcodes, low, high and known, of shape (stretches, 11)."""
    found = [np.empty((len(starts), barcodes.known.shape[1]), np.uint64) for _ in range(3)]
    ends = np.append(starts[1:], len(members))
    first = 0
    while first < len(starts):
        after = max(int(np.searchsorted(ends, starts[first] + _PART, side="right")), first + 1)
        part = members[starts[first] : ends[after - 1]]
        begins = starts[first:after] - starts[first]
        low, high, known = (
            np.add.reduceat(np.unpackbits(plane[part].view(np.uint8), axis=1), begins, axis=0, dtype=np.int32)
            for plane in (barcodes.low, barcodes.high, barcodes.known)
        )
        sizes = (ends[first:after] - starts[first:after])[:, None]
        for plane, bits in zip(found, (2 * low > known, 2 * high > known, 2 * known > sizes), strict=True):
            plane[first:after] = np.packbits(bits, axis=1).view(np.uint64)
        first = after
    low, high, known = found
    return low & known, high & known, known


def _radius(barcodes: Framed, members: _Numbers, centre: tuple[_Words, _Words, _Words], of: _Numbers) -> _Numbers:
    """The radius of each of some barcodes around its centre."""
    low, high, known = (plane[of] for plane in centre)
    mine = barcodes.known[members]
    differ = ((low ^ barcodes.low[members]) | (high ^ barcodes.high[members]) | ~mine) & known
    radius: _Numbers = np.bitwise_count(differ).sum(axis=1, dtype=np.int64)
    return radius
