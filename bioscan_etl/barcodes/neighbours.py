"""Misplaced barcodes: those whose nearest neighbours are of another order.

A barcode that looks like a fly's and is labelled as a wasp's was contaminated or mislabelled. Comparing all pairs
is out of reach, so neighbours are looked up by words: stretches of so many letters, of which a fixed share, chosen
by a hash, is kept. Two passes keep the cost linear in the number of barcodes:

1. Count for each word the barcodes of each order that hold it. A barcode is a suspect where the words that it
   shares with few others, which only relatives share, speak for other orders. Nearly all barcodes are cleared here.
2. For each suspect, take the barcodes that share most words with it, lay them over it where the words are, and
   count letters. The nearest ones vote; the suspect itself does not.

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

_KEPT = np.uint32((1 << 32) // 32)  # words with a hash below this are kept: one in 32, some 20 of a barcode
_MIX = np.uint32(0x9E3779B1)  # multiplicative hash, after Knuth
_BLOCK = 2_000  # barcodes whose letters are worked on at a time, near the processor
_PAIRS = 20_000  # pairs that are compared letter by letter at a time
_ENTRIES = 4_000_000  # words that are counted at a time
_SUSPECTS = 5_000  # suspects whose neighbours are looked up at a time
_HELD = 32  # barcodes that are looked at per word: those that come first by hash
_CANDIDATES = 24  # barcodes that are compared with a suspect letter by letter
_ASKED = 12  # words by which the neighbours of a suspect are looked up
_FOREIGN = 0.15  # share of a suspect's words that are foreign; barcodes that are 0.95 alike share 0.3 of their words
_SHARED = 3  # words that a candidate shares at least
_OVERLAP = 200  # letters that have to lie over each other
_OTHER = 4  # code of a letter that is no base
_WORD, _NODE = np.uint64(32), np.uint64(0xFFFFFFFF)  # where a key holds the word, and which part is the node

_Numbers = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint32]
_Keys = npt.NDArray[np.uint64]
_Tally = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]

_CODE = np.full(256, _OTHER, np.uint8)
_CODE[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4, dtype=np.uint8)


def misplaced(barcodes: pl.DataFrame, settings: BarcodeSettings) -> pl.DataFrame:
    """Find barcodes whose nearest neighbours are of another order (spec: DNA barcodes).

    A node is a distinct barcode under an order. Of its up to `neighbours` nearest other nodes that are at least
    `neighbour_similarity` alike, at least `neighbour_votes` must belong to one other order, and make up at least
    `neighbour_share` of them. Similarity is the share of equal letters where both barcodes have A, C, G or T, laid
    over each other without gaps. An identical barcode under another order is a neighbour too.

    Args:
        barcodes: barcode, order (text), in any order of rows; rows may repeat, and those with a null are left out.
        settings: the numbers, and `neighbour_word`, the letters of a word.

    Returns:
        `MISPLACED`, sorted by barcode and order: a row per misplaced node, with the order of its neighbours, their
        number, how many of them are of that order, and the similarity of the nearest of these.
    """
    known = barcodes.select("barcode", "order").drop_nulls().rechunk()
    distinct = known.select("order", same_barcode(known["barcode"])).with_row_index("row").unique(["barcode", "order"])
    nodes = known[distinct["row"]].rechunk().sort("barcode", "order")
    if nodes.is_empty():
        return pl.DataFrame(schema=MISPLACED)
    nodes, keys = _indexed(nodes, settings.neighbour_word)
    orders = nodes["order"].unique().sort()
    order_of = orders.search_sorted(nodes["order"]).to_numpy().astype(np.int64)
    pairs = _candidates(keys, order_of, _suspects(keys, order_of), settings.neighbour_votes)
    compared = _compared(nodes["barcode"], pairs, settings.neighbour_word)
    return _voted(compared, nodes, settings)


def _words(barcodes: pl.Series, length: int) -> tuple[_Words, _Numbers, _Numbers]:
    """The kept words of barcodes: a number of the word, in which barcode, and where in it; in this order."""
    lengths = barcodes.str.len_bytes().to_numpy().astype(np.int64)
    # A letter that is no base after each barcode: no word spans two of them, and there is a word at each letter.
    text = barcodes.str.join("N").item() + "N" * length
    code = _CODE[np.frombuffer(text.encode(), np.uint8)]
    known = code < _OTHER
    words = code.astype(np.uint32) & np.uint32(3)
    for width in (1, 2, 4, 8):
        words = (words[:-width] << np.uint32(2 * width)) | words[width:]
        known = known[:-width] & known[width:]
    # Sixteen letters are a number of 32 bits; longer words are two that overlap, mixed into one.
    more = length - 16
    words = words * _MIX
    if more:
        words = (words[:-more] ^ (words[:-more] >> np.uint32(15))) + words[more:]
        known = known[:-more] & known[more:]
    chosen = np.flatnonzero(known & (words * _MIX < _KEPT))
    starts = np.concatenate([[0], np.cumsum(lengths + 1)])
    owners = np.searchsorted(starts, chosen, side="right") - 1
    return words[chosen], owners, chosen - starts[owners]


def _indexed(nodes: pl.DataFrame, length: int) -> tuple[pl.DataFrame, _Keys]:
    """Number the nodes, and list which word is in which node.

    Returns:
        The nodes in the order of their numbers: by a hash of their words, so that the first ones are a fair choice,
        and the same for every word. And sorted distinct keys: the word above, the node below.
    """
    found, holders = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
    starts = range(0, nodes.height, _BLOCK)
    blocks = ordered_map(
        lambda start: _words(nodes["barcode"][start : start + _BLOCK], length), starts, threads=cores(), ahead=cores()
    )
    for start, (words, owners, _) in blocks:
        found.append(words)
        holders.append((owners + start).astype(np.uint32))
    words, owners = np.concatenate(found), np.concatenate(holders).astype(np.uint32)
    del found, holders
    firsts, _ = _runs(owners)
    mixed = np.zeros(nodes.height, np.uint32)
    if len(words):
        mixed[owners[firsts]] = np.bitwise_xor.reduceat(words * _MIX, firsts)
    place = pl.DataFrame({"mixed": mixed * _MIX}).with_row_index("node").sort("mixed", "node")["node"]
    number = np.empty(nodes.height, np.uint32)
    number[place.to_numpy()] = np.arange(nodes.height, dtype=np.uint32)
    keys = words.astype(np.uint64)
    del words
    keys <<= _WORD
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
    """Nodes whose words speak for another order.

    A word is foreign to a node where most others that hold it are of other orders. A suspect has at least
    `_FOREIGN` of its words so, and they outweigh the others, a word that few hold counting most: near relatives
    share words that nobody else has.
    """
    count = len(order_of)

    def counted(part: tuple[int, int]) -> _Tally:
        return _tally(keys[part[0] : part[1]], order_of, count)

    balance, foreign, total = np.zeros(count), np.zeros(count), np.zeros(count)
    # Added in the order of the parts, so that the sums do not depend on the threads.
    for _, tally in ordered_map(counted, _parts(keys), threads=cores(), ahead=cores()):
        balance += tally[0]
        foreign += tally[1]
        total += tally[2]
    return (balance > 0) & (foreign >= _FOREIGN * total)


def _parts(keys: _Keys) -> Iterator[tuple[int, int]]:
    """Stretches of the keys; the nodes of one word stay together."""
    start = 0
    while start < len(keys):
        end = min(start + _ENTRIES, len(keys))
        while end < len(keys) and keys[end] >> _WORD == keys[end - 1] >> _WORD:
            end += 1
        yield start, end
        start = end


def _tally(keys: _Keys, order_of: _Numbers, count: int) -> _Tally:
    """Per node: the balance of its words' votes, how many of them are foreign to it, and how many there are."""
    words, nodes = keys >> _WORD, (keys & _NODE).astype(np.int64)
    _, holders = _runs(words)
    by_order = words << np.uint64(16) | order_of[nodes].astype(np.uint64)
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
    """Pairs to compare: suspect and node (UInt32), sorted; of suspects with so many candidates of other orders."""
    wanted = keys[suspects[keys & _NODE]]
    words, which = np.unique(wanted >> _WORD, return_inverse=True)
    first = np.searchsorted(keys, words << _WORD)
    held = np.searchsorted(keys, words << _WORD | _NODE, side="right") - first
    # The words that fewest others hold: near relatives share these, and little is to be looked up.
    askers = (
        pl.DataFrame(
            {"word": words[which], "suspect": (wanted & _NODE).astype(np.uint32), "held": held[which]},
            schema_overrides={"word": pl.UInt32},
        )
        .filter(pl.col("held") > 1)
        .sort("suspect", "held", "word")
        .group_by("suspect", maintain_order=True)
        .head(_ASKED)
        .drop("held")
    )
    held = np.minimum(held, _HELD)
    at = np.repeat(first - np.cumsum(held) + held, held) + np.arange(held.sum())
    holders = pl.DataFrame({"word": np.repeat(words, held), "node": keys[at] & _NODE}).cast(pl.UInt32)
    order = pl.Series(order_of)
    chosen = [pl.DataFrame(schema={"suspect": pl.UInt32, "node": pl.UInt32})]
    numbers = np.flatnonzero(suspects)
    for start in range(0, len(numbers), _SUSPECTS):
        part = numbers[start : start + _SUSPECTS]
        shared = (
            askers.filter(pl.col("suspect").is_between(int(part[0]), int(part[-1])))
            .join(holders, on="word", how="inner")
            .filter(pl.col("suspect") != pl.col("node"))
            .group_by("suspect", "node")
            .agg(words=pl.len())
            .filter(pl.col("words") >= _SHARED)
            .sort("suspect", "words", "node", descending=[False, True, False])
            .group_by("suspect", maintain_order=True)
            .head(_CANDIDATES)
        )
        foreign = order.gather(shared["suspect"]) != order.gather(shared["node"])
        shared = shared.select("suspect", "node", foreign=foreign)
        chosen.append(shared.filter(pl.col("foreign").sum().over("suspect") >= votes).drop("foreign"))
    return pl.concat(chosen).sort("suspect", "node")


def _compared(barcodes: pl.Series, pairs: pl.DataFrame, length: int) -> pl.DataFrame:
    """Add the similarity of each pair (Float64); null where too few letters lie over each other."""
    starts = range(0, pairs.height, _PAIRS)
    compared = ordered_map(
        lambda start: _aligned(barcodes, pairs[start : start + _PAIRS], length), starts, threads=cores(), ahead=cores()
    )
    empty = pairs.clear().with_columns(similarity=pl.lit(None, pl.Float64))
    return pl.concat([empty, *(part for _, part in compared)])


def _aligned(barcodes: pl.Series, part: pl.DataFrame, length: int) -> pl.DataFrame:
    """Lay the pairs over each other where most of their common words agree, and add the similarity."""
    involved = pl.concat([part["suspect"], part["node"]]).unique().sort()
    texts = barcodes.gather(involved)
    found, owners, at = _words(texts, length)
    words = pl.DataFrame({"owner": owners.astype(np.uint32), "word": found, "at": at})
    words = words.unique(["owner", "word"], keep="none")
    a, b = (involved.search_sorted(part[name]).cast(pl.UInt32) for name in ("suspect", "node"))
    local = pl.DataFrame({"a": a, "b": b}).with_row_index("pair")
    shifts = (
        local.join(words.rename({"owner": "a"}), on="a")
        .join(words.rename({"owner": "b"}), on=["b", "word"], suffix="_b")
        .group_by("pair", shift=pl.col("at_b") - pl.col("at"))
        .len()
        .sort("pair", "len", "shift", descending=[False, True, False])
        .unique("pair", keep="first", maintain_order=True)
    )
    placed = local.join(shifts, on="pair", how="left", maintain_order="left")
    similarity = _similarity(texts, placed["a"], placed["b"], placed["shift"].fill_null(0))
    return part.with_columns(pl.Series("similarity", similarity, nan_to_null=True))


def _similarity(texts: pl.Series, a: pl.Series, b: pl.Series, shift: pl.Series) -> npt.NDArray[np.float64]:
    """Share of equal letters of texts a and b, b being moved to the left by `shift`; NaN for too short an overlap."""
    width = int(texts.str.len_bytes().max())  # type: ignore[arg-type]
    codes = _CODE[np.frombuffer(texts.str.pad_end(width, "N").str.join("").item().encode(), np.uint8)]
    # Unknown letters on both sides: a text that is moved runs out into them.
    letters = np.pad(codes.reshape(len(texts), width), ((0, 0), (width, width)), constant_values=_OTHER)
    columns = np.arange(width, 2 * width)
    here = letters[a.to_numpy()[:, None], columns]
    there = letters[b.to_numpy()[:, None], columns + shift.to_numpy()[:, None]]
    known = (here < _OTHER) & (there < _OTHER)
    overlap = known.sum(axis=1)
    equal = (known & (here == there)).sum(axis=1)
    return np.where(overlap >= _OVERLAP, equal / np.maximum(overlap, 1), np.nan)


def _voted(compared: pl.DataFrame, nodes: pl.DataFrame, settings: BarcodeSettings) -> pl.DataFrame:
    """Let the nearest neighbours of each suspect vote."""
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
