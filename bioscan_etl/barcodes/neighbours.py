"""Misplaced barcodes: those whose nearest neighbours belong to another order.

A barcode that looks like a fly's but is labelled as a wasp's was contaminated or mislabelled. Comparing all pairs would
take too long, so neighbours are found by k-mers, subsampled by hash (a FracMinHash sketch that keeps 1 in 32). Two
passes keep the cost linear in the number of barcodes:

1. Count for each k-mer the barcodes of each order that contain it. A barcode is a suspect if its k-mers occur mostly in
   other orders. Rare k-mers, which only close relatives share, count most. This pass clears nearly all barcodes.
2. For each suspect, take the barcodes that share most k-mers with it, align them at a common k-mer without gaps, and
   count equal bases. The nearest ones vote; the suspect itself does not.

Belongs here: the search and the vote. Does not belong here: identical barcodes that disagree (`corpus`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.numbering import same_barcode
from bioscan_etl.settings import BarcodeSettings
from bioscan_etl.threads import cores, ordered_map

MISPLACED = pl.Schema(
    {
        "barcode": pl.String(),
        "order": pl.String(),
        "neighbours_order": pl.String(),
        "neighbours": pl.Int64(),
        "agreeing": pl.Int64(),
        "similarity": pl.Float64(),
    }
)

_KEPT = np.uint32((1 << 32) // 32)  # k-mers with a hash below this are kept: 1 in 32, about 20 of a barcode
_MIX = np.uint32(0x9E3779B1)  # multiplicative hash, after Knuth
_BLOCK = 500  # barcodes per block; their bases fit into the processor's cache
_PAIRS = 20_000  # pairs that are compared base by base at a time
_ENTRIES = 4_000_000  # k-mers that are counted at a time
_SUSPECTS = 1_000  # suspects whose neighbours are searched at a time
_BUCKETS = 19  # bits of a hash by which their pairs are counted
_HELD = 32  # most barcodes per k-mer that are considered: the first by hash
_CANDIDATES = 24  # most barcodes that are compared with a suspect base by base
_RAREST = 12  # k-mers that the neighbours of a suspect are searched with
_FOREIGN = 0.15  # least share of a suspect's k-mers that are foreign; barcodes of similarity 0.95 share 0.3 of theirs
_SHARED = 3  # least number of k-mers that a candidate shares
_OVERLAP = 200  # least number of aligned bases
_OTHER = 4  # code of a character that is not A, C, G or T
_WORD = 64  # columns whose bits are compared at a time
_KMER, _NODE = np.uint64(32), np.uint64(0xFFFFFFFF)  # a key: shift of its k-mer, and mask of its node

_Numbers = npt.NDArray[np.int64]
_Kmers = npt.NDArray[np.uint32]
_Keys = npt.NDArray[np.uint64]
_Tally = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]

_CODE = bytes("ACGT".find(chr(letter)) % (_OTHER + 1) for letter in range(256))  # for `translate`


def misplaced(barcodes: pl.DataFrame, settings: BarcodeSettings) -> pl.DataFrame:
    """Find barcodes whose nearest neighbours belong to another order (spec: DNA barcodes).

    A node is a distinct barcode with an order. Its neighbours are the up to `neighbours` nearest other nodes with a
    similarity of at least `neighbour_similarity`. It is misplaced if at least `neighbour_votes` of them belong to one
    other order, and that order holds at least `neighbour_share` of them. Similarity is the share of equal bases where
    both barcodes have A, C, G or T, aligned without gaps. An identical barcode with another order is a neighbour too.

    Args:
        barcodes: barcode, order (text), in any order of rows; rows may repeat, and rows with a null are ignored.
        settings: thresholds of the search and the vote; `neighbour_kmer` is the k-mer length.

    Returns:
        `MISPLACED`, sorted by barcode and order: a row per misplaced node, with the order of its neighbours, the
        number of all neighbours, the number of neighbours of that order, and the similarity of the nearest of these.
    """
    known = barcodes.select("barcode", "order").drop_nulls().rechunk()
    distinct = known.select("order", same_barcode(known["barcode"])).with_row_index("row").unique(["barcode", "order"])
    nodes = known[distinct["row"]].rechunk().sort("barcode", "order")
    if nodes.is_empty():
        return pl.DataFrame(schema=MISPLACED)
    nodes, keys = _indexed(nodes, settings.neighbour_kmer)
    orders = nodes["order"].unique().sort()
    order_of = orders.search_sorted(nodes["order"]).to_numpy().astype(np.int64)
    pairs = _candidates(keys, order_of, _suspects(keys, order_of), settings.neighbour_votes)
    compared = _compared(nodes["barcode"], pairs, settings.neighbour_kmer)
    return _voted(compared, nodes, settings)


def _sketch(barcodes: pl.Series, length: int) -> tuple[_Kmers, _Numbers, _Numbers]:
    """The sketch of barcodes: hash of each kept k-mer, its barcode, and its position in it."""
    lengths = barcodes.str.len_bytes().to_numpy().astype(np.int64)
    # An N after each barcode: no valid k-mer spans two barcodes, and a k-mer starts at each base.
    text = barcodes.str.join("N").cast(pl.Binary).item() + b"N" * length
    code = np.frombuffer(text.translate(_CODE), np.uint8)
    unknown = np.flatnonzero(code == _OTHER)
    bases = code & np.uint8(3)
    # Words of 2, 4, 8 and 16 bases, in the narrowest integers that hold them: less memory to pass through.
    two = bases[:-1] << np.uint8(2)
    two |= bases[1:]
    four = two[:-2] << np.uint8(4)
    four |= two[2:]
    eight = four[:-4].astype(np.uint16)
    eight <<= np.uint16(8)
    eight |= four[4:]
    kmers = eight[:-8].astype(np.uint32)
    kmers <<= np.uint32(16)
    kmers |= eight[8:]
    # Sixteen bases fit into 32 bits; a longer k-mer is a mix of two overlapping 16-mers.
    more = length - 16
    kmers *= _MIX
    if more:
        mixed = kmers[:-more] >> np.uint32(15)
        mixed ^= kmers[:-more]
        mixed += kmers[more:]
        kmers = mixed
    chosen = np.flatnonzero(kmers * _MIX < _KEPT)
    # A k-mer is valid if the next unknown base lies behind it; the text ends with unknown ones.
    chosen = chosen[unknown[np.searchsorted(unknown, chosen)] >= chosen + length]
    starts = np.concatenate([[0], np.cumsum(lengths + 1)])
    owners = np.searchsorted(starts, chosen, side="right") - 1
    return kmers[chosen], owners, chosen - starts[owners]


def _indexed(nodes: pl.DataFrame, length: int) -> tuple[pl.DataFrame, _Keys]:
    """Number the nodes, and list which k-mer is in which node.

    Returns:
        The nodes in the order of their numbers: sorted by a hash of their k-mers, so that the first ones are an
        unbiased sample, and the same for every k-mer. And sorted distinct keys: k-mer in the upper bits, node in the
        lower ones.
    """
    found, holders = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
    starts = range(0, nodes.height, _BLOCK)
    blocks = ordered_map(
        lambda start: _sketch(nodes["barcode"][start : start + _BLOCK], length), starts, threads=cores(), ahead=cores()
    )
    for start, (kmers, owners, _) in blocks:
        found.append(kmers)
        holders.append((owners + start).astype(np.uint32))
    kmers, owners = np.concatenate(found), np.concatenate(holders).astype(np.uint32)
    del found, holders
    firsts, _ = _runs(owners)
    mixed = np.zeros(nodes.height, np.uint32)
    if len(kmers):
        mixed[owners[firsts]] = np.bitwise_xor.reduceat(kmers * _MIX, firsts)
    place = pl.DataFrame({"mixed": mixed * _MIX}).with_row_index("node").sort("mixed", "node")["node"]
    number = np.empty(nodes.height, np.uint32)
    number[place.to_numpy()] = np.arange(nodes.height, dtype=np.uint32)
    keys = kmers.astype(np.uint64)
    del kmers
    keys <<= _KMER
    keys |= number[owners]
    keys.sort()
    return nodes[place].rechunk(), keys[_opens(keys)]


def _opens(values: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Where sorted values differ from the one before."""
    opens = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=opens[1:])
    return opens


def _runs(values: npt.NDArray[np.generic]) -> tuple[_Numbers, _Numbers]:
    """Start and length of each run of equal values."""
    starts = np.flatnonzero(_opens(values))
    return starts, np.diff(np.append(starts, len(values)))


def _suspects(keys: _Keys, order_of: _Numbers) -> npt.NDArray[np.bool_]:
    """Nodes whose k-mers occur mostly in other orders.

    A k-mer is foreign to a node if most other nodes that contain it are of other orders. In a suspect, at least a
    share of `_FOREIGN` of the k-mers is foreign, and they outweigh the others. Rare k-mers count most, because only
    close relatives share them.
    """
    count = len(order_of)

    def counted(part: tuple[int, int]) -> _Tally:
        return _tally(keys[part[0] : part[1]], order_of, count)

    balance, foreign, total = np.zeros(count), np.zeros(count), np.zeros(count)
    # Added in the order of the parts, so that the sums do not depend on the number of threads.
    for _, tally in ordered_map(counted, _parts(keys), threads=cores(), ahead=cores()):
        balance += tally[0]
        foreign += tally[1]
        total += tally[2]
    return (balance > 0) & (foreign >= _FOREIGN * total)


def _parts(keys: _Keys) -> Iterator[tuple[int, int]]:
    """Ranges of the keys; the nodes of one k-mer stay together."""
    start = 0
    while start < len(keys):
        end = min(start + _ENTRIES, len(keys))
        while end < len(keys) and keys[end] >> _KMER == keys[end - 1] >> _KMER:
            end += 1
        yield start, end
        start = end


def _tally(keys: _Keys, order_of: _Numbers, count: int) -> _Tally:
    """Per node: the balance of the votes of its k-mers, the number of foreign ones, and the number of all."""
    kmers, nodes = keys >> _KMER, (keys & _NODE).astype(np.int64)
    _, holders = _runs(kmers)
    by_order = kmers << np.uint64(16) | order_of[nodes].astype(np.uint64)
    sorted_ = np.argsort(by_order, kind="stable")
    _, alike = _runs(by_order[sorted_])
    others, own = np.repeat(holders, holders) - 1, np.empty(len(nodes), np.int64)
    own[sorted_] = np.repeat(alike, alike) - 1
    is_foreign = 2 * own < others
    vote = np.where(is_foreign, 1.0, -1.0) / np.maximum(others, 1)
    return (
        np.bincount(nodes, np.where(others > 0, vote, 0.0), minlength=count).astype(np.float64, copy=False),
        np.bincount(nodes, is_foreign, minlength=count).astype(np.float64),
        np.bincount(nodes, minlength=count).astype(np.float64),
    )


def _candidates(keys: _Keys, order_of: _Numbers, suspects: npt.NDArray[np.bool_], votes: int) -> pl.DataFrame:
    """Pairs to compare: suspect and node (UInt32), sorted; only suspects with `votes` candidates of other orders."""
    wanted = keys[suspects[keys & _NODE]]
    kmers, which = np.unique(wanted >> _KMER, return_inverse=True)
    first = np.searchsorted(keys, kmers << _KMER)
    held = np.searchsorted(keys, kmers << _KMER | _NODE, side="right") - first
    # The rarest k-mers: close relatives share them, and few nodes have to be looked up.
    queries = (
        pl.DataFrame({"kmer": which, "suspect": (wanted & _NODE).astype(np.uint32), "held": held[which]})
        .filter(pl.col("held") > 1)
        .sort("suspect", "held", "kmer")
        .group_by("suspect", maintain_order=True)
        .head(_RAREST)
    )
    asking, first = queries["suspect"].to_numpy(), first[queries["kmer"]]
    held = np.minimum(queries["held"].to_numpy(), _HELD)
    order = pl.Series(order_of)
    numbers = np.flatnonzero(suspects)
    # So many suspects that the number of a pair fits into 32 bits: half as much to sort.
    step = max(min(_SUSPECTS, (1 << 32) // max(len(order_of), 1)), 1)

    def searched(start: int) -> pl.DataFrame:
        some = numbers[start : start + step]
        begin, end = np.searchsorted(asking, [some[0], some[-1] + 1])
        own = np.searchsorted(some, asking[begin:end])
        shared = (
            _shared(keys, some, (own, first[begin:end], held[begin:end]), len(order_of))
            .sort("suspect", "kmers", "node", descending=[False, True, False])
            .group_by("suspect", maintain_order=True)
            .head(_CANDIDATES)
        )
        foreign = order.gather(shared["suspect"]) != order.gather(shared["node"])
        shared = shared.select("suspect", "node", foreign=foreign)
        return shared.filter(pl.col("foreign").sum().over("suspect") >= votes).drop("foreign")

    found = ordered_map(searched, range(0, len(numbers), step), threads=cores(), ahead=cores())
    empty = pl.DataFrame(schema={"suspect": pl.UInt32, "node": pl.UInt32})
    return pl.concat([empty, *(part for _, part in found)]).sort("suspect", "node")


def _shared(keys: _Keys, suspects: _Numbers, queries: tuple[_Numbers, _Numbers, _Numbers], count: int) -> pl.DataFrame:
    """Pairs of suspect and node that meet at `_SHARED` k-mers at least, with their number (`kmers`).

    Args:
        keys: of `_indexed`.
        suspects: some of them, ascending.
        queries: for each of their k-mers, the place of its suspect among them, where it begins in the keys, and how
            many of its nodes are looked up.
        count: number of nodes; times the number of suspects, at most 2**32.
    """
    place, first, held = queries
    own = place.astype(np.uint32) * np.uint32(count)
    at = np.repeat(first - np.cumsum(held) + held, held) + np.arange(held.sum())
    pairs = np.repeat(own, held)
    pairs += keys[at].astype(np.uint32)  # the lower bits are the node
    # Most pairs meet once or twice. They are counted by a part of their hash, so that few are left to sort.
    bucket = (pairs * _MIX) >> np.uint32(32 - _BUCKETS)
    pairs = pairs[np.bincount(bucket, minlength=1 << _BUCKETS)[bucket] >= _SHARED]
    pairs.sort()
    starts, kmers = _runs(pairs)
    often = kmers >= _SHARED
    which, node = np.divmod(pairs[starts[often]], np.uint32(count))
    found = pl.DataFrame({"suspect": suspects[which].astype(np.uint32), "node": node, "kmers": kmers[often]})
    return found.filter(pl.col("suspect") != pl.col("node"))


def _compared(barcodes: pl.Series, pairs: pl.DataFrame, length: int) -> pl.DataFrame:
    """Add the similarity of each pair (Float64); null if too few bases are aligned."""
    starts = range(0, pairs.height, _PAIRS)
    compared = ordered_map(
        lambda start: _aligned(barcodes, pairs[start : start + _PAIRS], length), starts, threads=cores(), ahead=cores()
    )
    empty = pairs.clear().with_columns(similarity=pl.lit(None, pl.Float64))
    return pl.concat([empty, *(part for _, part in compared)])


def _aligned(barcodes: pl.Series, part: pl.DataFrame, length: int) -> pl.DataFrame:
    """Align each pair at the offset that most of its common k-mers have, and add the similarity."""
    involved = pl.concat([part["suspect"], part["node"]]).unique().sort()
    texts = barcodes.gather(involved)
    found, owners, at = _sketch(texts, length)
    kmers = pl.DataFrame({"owner": owners.astype(np.uint32), "kmer": found, "at": at})
    kmers = kmers.unique(["owner", "kmer"], keep="none")
    a, b = (involved.search_sorted(part[name]).cast(pl.UInt32) for name in ("suspect", "node"))
    local = pl.DataFrame({"a": a, "b": b}).with_row_index("pair")
    shifts = (
        local.join(kmers.rename({"owner": "a"}), on="a")
        .join(kmers.rename({"owner": "b"}), on=["b", "kmer"], suffix="_b")
        .group_by("pair", shift=pl.col("at_b") - pl.col("at"))
        .len()
        .sort("pair", "len", "shift", descending=[False, True, False])
        .unique("pair", keep="first", maintain_order=True)
    )
    placed = local.join(shifts, on="pair", how="left", maintain_order="left")
    similarity = _similarity(texts, placed["a"], placed["b"], placed["shift"].fill_null(0))
    return part.with_columns(pl.Series("similarity", similarity, nan_to_null=True))


def _similarity(texts: pl.Series, a: pl.Series, b: pl.Series, shift: pl.Series) -> npt.NDArray[np.float64]:
    """Share of equal bases of texts a and b after moving b to the left by `shift`; NaN if the overlap is too short.

    Bases are compared as bits, 64 columns at a time. No text is moved by more than the length of the longest one.
    """
    width = -(-int(texts.str.len_bytes().max()) // _WORD) * _WORD  # type: ignore[arg-type]
    padded = texts.str.pad_end(width, "N").str.join("").cast(pl.Binary).item()
    code = np.frombuffer(padded.translate(_CODE), np.uint8).reshape(len(texts), width)
    words = width // _WORD
    here, moved = np.arange(words), shift.to_numpy()[:, None]
    there, by = words + here + moved // _WORD, (moved % _WORD).astype(np.uint64)
    rows, others = a.to_numpy()[:, None], b.to_numpy()[:, None]

    def laid(bits: npt.NDArray[np.uint8]) -> tuple[_Keys, _Keys]:
        packed = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
        # Empty words on both sides, so that a moved text stays within the array.
        beyond = np.pad(packed, ((0, 0), (words, words + 1)))
        # What a shift by 64 bits gives is open in numpy: two steps take its place.
        right = beyond[others, there] >> by | beyond[others, there + 1] << np.uint64(1) << (np.uint64(_WORD - 1) - by)
        return packed[rows, here], right

    (a_known, b_known), (a_low, b_low), (a_high, b_high) = (
        laid(bits) for bits in ((code < _OTHER).view(np.uint8), code & np.uint8(1), code & np.uint8(2))
    )
    known = a_known & b_known
    differ = (a_low ^ b_low) | (a_high ^ b_high)
    overlap = np.bitwise_count(known).sum(axis=1, dtype=np.int64)
    equal = np.bitwise_count(known & ~differ).sum(axis=1, dtype=np.int64)
    return np.where(overlap >= _OVERLAP, equal / np.maximum(overlap, 1), np.nan)


def _voted(compared: pl.DataFrame, nodes: pl.DataFrame, settings: BarcodeSettings) -> pl.DataFrame:
    """Let the nearest neighbours of each suspect vote on its order."""
    near = (
        compared.filter(pl.col("similarity") >= settings.neighbour_similarity)
        .sort("suspect", "similarity", "node", descending=[False, True, False])
        .group_by("suspect", maintain_order=True)
        .head(settings.neighbours)
    )
    order = pl.DataFrame({"neighbours_order": nodes["order"].gather(near["node"])})
    votes = (
        near.hstack(order)
        .group_by("suspect", "neighbours_order")
        .agg(agreeing=pl.len().cast(pl.Int64), similarity=pl.col("similarity").max())
        .with_columns(neighbours=pl.col("agreeing").sum().over("suspect"))
    )
    suspects = pl.DataFrame({"barcode": nodes["barcode"], "order": nodes["order"]})[votes["suspect"]]
    return (
        votes.hstack(suspects)
        .filter(
            (pl.col("neighbours_order") != pl.col("order"))
            & (pl.col("agreeing") >= settings.neighbour_votes)
            & (pl.col("agreeing") >= settings.neighbour_share * pl.col("neighbours"))
        )
        .select(list(MISPLACED))
        .sort("barcode", "order")
    )
