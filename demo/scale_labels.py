"""Names at the size of BIOSCAN-5M: a taxonomy, which cluster is called what, and how records spell it.

Belongs here: the labels of `scale`. Does not belong here: barcodes and files (`scale`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.demo.sequences import Indices
from bioscan_etl.vocabulary import RANKS

_RECORDS_PER_CLUSTER, _RECORDS_PER_SPECIES, _RECORDS_PER_GENUS = 16, 200, 420
_FAMILIES, _ORDERS = 934, 55
_CLASSES = (
    *("Insecta", "Arachnida", "Collembola", "Malacostraca", "Diplopoda"),
    *("Chilopoda", "Ostracoda", "Symphyla", "Pauropoda", "Copepoda"),
)
# Shares of clusters (genus, subfamily) and of records (the others) that carry a label.
_GENUS_NAMED, _SUBFAMILY_NAMED = 0.17, 0.07
_ORDER_MISSING, _FAMILY_MISSING, _DROPPED = 0.002, 0.038, 0.04
_CONFLICT, _CONTAMINATED = 0.004, 0.0005
_DIRTY, _TYPO, _NULL_WORD, _WRONG_FAMILY = 0.02, 0.002, 0.01, 0.001
_NULL_WORDS = ("Unknown", "unidentified", "n/a", "not identified", "Undetermined")
_SYLLABLES = [a + b for a in (*"bcdfghlmnprstvz", "br", "cr", "dr", "st", "tr") for b in "aeiou"]


@dataclass(frozen=True, slots=True)
class Labels:
    """What clusters are called. A code below 0 means no label.

    Attributes:
        names: per rank the distinct names.
        codes: (clusters, 7) int32, index into the names of the rank.
        genus: (clusters,) the genus that a cluster belongs to, whether named or not.
        order: (clusters,) its order.
        family_of_genus: (genera,).
        order_of_family: (families,).
        bins: BIN of each cluster.
        by_genus: (clusters,) clusters, those of one genus together.
        place: (clusters,) position of a cluster in `by_genus`.
    """

    names: dict[str, pl.Series]
    codes: npt.NDArray[np.int32]
    genus: Indices
    order: Indices
    family_of_genus: Indices
    order_of_family: Indices
    bins: pl.Series
    by_genus: Indices
    place: Indices

    def named_as(self, rng: np.random.Generator, cluster: Indices) -> Indices:
        """Whose labels records carry: their own cluster's, a relative's (conflict) or anybody's (contamination)."""
        chance = rng.random(len(cluster))
        step = np.where(chance < _CONFLICT, rng.integers(1, 3, len(cluster)), 0)
        named_as = self.by_genus[np.minimum(self.place[cluster] + step, len(self.by_genus) - 1)]
        anybody = rng.integers(0, len(self.genus), len(cluster))
        return np.where(chance > 1 - _CONTAMINATED, anybody, named_as)


def build_labels(rng: np.random.Generator, records: int) -> Labels:
    """Draw a taxonomy for so many records; sizes of genera and families fall as 1/rank."""
    clusters = max(records // _RECORDS_PER_CLUSTER, 50)
    genera = max(records // _RECORDS_PER_GENUS, 20)
    families = min(_FAMILIES, max(genera // 8, 10))
    orders = min(_ORDERS, max(families // 5, 3))
    order_of_family = _children(rng, orders, families)
    family_of_genus = _children(rng, families, genera)
    genus = _children(rng, genera, clusters)
    class_of_order = _children(rng, min(len(_CLASSES), orders), orders)
    subfamily_of_genus = np.where(rng.random(families) < 0.7, np.arange(families), -1)[family_of_genus]
    subfamily_of_genus = np.where(subfamily_of_genus < 0, -1, subfamily_of_genus * 2 + rng.integers(0, 2, genera))

    words = _words(rng, orders + families + genera + clusters)
    parts = np.cumsum([orders, families, genera])
    order_words, family_words, genus_words, epithets = (pl.Series(part) for part in np.split(words, parts))
    names = {
        "phylum": pl.Series(["Arthropoda"]),
        "class": pl.Series(_CLASSES),
        "order": order_words.str.to_titlecase() + "ptera",
        "family": family_words.str.to_titlecase() + "idae",
        "subfamily": (family_words.str.to_titlecase().gather(np.repeat(np.arange(families), 2))) + _tails(families),
        "genus": genus_words.str.to_titlecase(),
    }
    names["species"] = _species(rng, names["genus"].gather(genus), epithets)

    family, order = family_of_genus[genus], order_of_family[family_of_genus[genus]]
    species_named = rng.random(clusters) < _RECORDS_PER_CLUSTER / _RECORDS_PER_SPECIES * 1.2
    genus_named = species_named | (rng.random(clusters) < _GENUS_NAMED)
    subfamily_named = genus_named | (rng.random(clusters) < _SUBFAMILY_NAMED)
    codes = np.stack(
        [
            np.zeros(clusters, np.int64),
            class_of_order[order],
            order,
            family,
            np.where(subfamily_named, subfamily_of_genus[genus], -1),
            np.where(genus_named, genus, -1),
            np.where(species_named, np.arange(clusters), -1),
        ],
        axis=1,
    ).astype(np.int32)
    by_genus = np.argsort(genus, kind="stable")
    place = np.empty(clusters, np.int64)
    place[by_genus] = np.arange(clusters)
    return Labels(names, codes, genus, order, family_of_genus, order_of_family, _bin_names(clusters), by_genus, place)


def _children(rng: np.random.Generator, parents: int, children: int) -> Indices:
    """The parent of each child: every parent has one at least, the others follow 1/rank."""
    weight = 1 / (np.arange(parents) + 1)
    drawn = rng.choice(parents, max(children - parents, 0), p=weight / weight.sum())
    return rng.permutation(np.concatenate([np.arange(parents), drawn])[:children])


def _words(rng: np.random.Generator, count: int) -> npt.NDArray[np.str_]:
    """Distinct words of four syllables, so far apart that hardly two are a letter from each other."""
    syllables = np.array(_SYLLABLES)
    codes = rng.permutation(np.unique(rng.integers(0, len(syllables) ** 4, 2 * count)))[:count]
    words: npt.NDArray[np.str_] = syllables[codes % len(syllables)]
    for place in (1, 2, 3):
        words = np.char.add(words, syllables[codes // len(syllables) ** place % len(syllables)])
    return words


def _tails(families: int) -> pl.Series:
    return pl.Series(["inae", "ellinae"] * families)


def _species(rng: np.random.Generator, genera: pl.Series, epithets: pl.Series) -> pl.Series:
    """Half binomials, half placeholder names in the forms that BOLD's users write."""
    frame = pl.DataFrame({"genus": genera, "word": epithets}).with_row_index("n")
    kind = pl.Series(rng.integers(0, 8, len(genera)))
    return frame.select(
        pl.when(kind < 4)
        .then(pl.format("{} {}us", "genus", "word"))
        .when(kind == 4)
        .then(pl.format("{} sp. {}MAL", "genus", "n"))
        .when(kind == 5)
        .then(pl.format("{} Janzen{}", "genus", "n"))
        .when(kind == 6)
        .then(pl.format("{}Malaise{}", pl.col("word").str.slice(0, 4), "n"))
        .otherwise(pl.format("{} cf. {}us", "genus", "word"))
    ).to_series()


def _bin_names(count: int) -> pl.Series:
    letters = pl.lit(pl.Series([chr(65 + i) for i in range(26)]))
    number = pl.int_range(count)
    code = pl.concat_str(letters.gather(number // (10_000 * 26**place) % 26) for place in (2, 1, 0))
    digits = (number % 10_000).cast(pl.String).str.pad_start(4, "0")
    return pl.select(pl.format("BOLD:{}{}", code, digits)).to_series()


def delivered_names(rng: np.random.Generator, labels: Labels, named_as: Indices) -> list[pl.Series]:
    """The ranks, identification and identification_rank as records deliver them, dirt included."""
    size = len(named_as)
    codes = labels.codes[named_as]
    codes[rng.random(size) < _ORDER_MISSING, 2:] = -1
    codes[rng.random(size) < _FAMILY_MISSING, 3:] = -1
    codes[rng.random(size) < _DROPPED, 6] = -1
    codes[rng.random(size) < _DROPPED, 5:] = -1
    wrong = np.flatnonzero((rng.random(size) < _WRONG_FAMILY) & (codes[:, 3] >= 0))
    codes[wrong, 3] = rng.integers(0, len(labels.names["family"]), len(wrong))
    frame = pl.DataFrame(
        {
            rank: labels.names[rank].gather(pl.select(pl.when(pl.Series(code) >= 0).then(pl.Series(code))).to_series())
            for rank, code in zip(RANKS, codes.T, strict=True)
        }
    )
    deepest = pl.coalesce(reversed(RANKS))
    rank = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in reversed(RANKS))
    frame = frame.with_columns(identification=deepest, identification_rank=rank)
    dirty = [_dirty(rng, frame[name], name) for name in ("family", "genus", "species")]
    return frame.with_columns(dirty).get_columns()


def _dirty(rng: np.random.Generator, names: pl.Series, rank: str) -> pl.Series:
    chance = pl.Series(rng.random(len(names)))
    length = names.str.len_chars()
    typed = names.str.slice(0, length - 4) + names.str.slice(length - 3)
    words = pl.Series(_NULL_WORDS).gather(rng.integers(0, len(_NULL_WORDS), len(names)))
    author = names + (" Walker, 1856" if rank == "species" else " ")
    return pl.select(
        pl.when(names.is_null() & (chance < _NULL_WORD))
        .then(words)
        .when(chance < _DIRTY / 4)
        .then(names.str.to_uppercase())
        .when(chance < _DIRTY / 2)
        .then(" " + names.str.replace(" ", "  ", literal=True))
        .when((chance < _DIRTY) & names.str.contains(r"^\w+ [a-z]+$"))
        .then(author)
        .when(chance > 1 - _TYPO)
        .then(typed)
        .otherwise(names)
        .alias(rank)
    ).to_series()
