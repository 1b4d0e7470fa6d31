"""How hard the demo corpus is for classifiers, measured with numpy alone.

Belongs here: neighbours by k-mers, a ridge map and plain features of pictures, as `benchmarks/demo_difficulty.py` and
the tests of the demo corpus need them. Does not belong here: the benchmarks of a release.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from bioscan_etl.demo.draft import Draft
from bioscan_etl.demo.image_plan import Picture, drawn

Numbers = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]
KMER = 6
PERCENTILES = (5, 50, 95)
REAL = {"species": (0.2, 0.8, 10.3), "genus": (11.2, 14.4, 17.2), "family": (14.0, 16.7, 20.1)}
"""Percentiles of edit distances on real barcodes, in %, within a species, a genus and a family."""
_RIDGE = 300.0
_HELD = 0.3
"""Share of the specimens whose pictures are queries; the others are keys."""


@dataclass(frozen=True, slots=True)
class Barcodes:
    """Distinct barcodes of the labelled species, as delivered: their text, and the lineage they are labelled with.

    `own` says which ones are their specimen's own.
    """

    text: list[str]
    species: Numbers
    genus: Numbers
    family: Numbers
    own: npt.NDArray[np.bool_]


def labelled(draft: Draft) -> Barcodes:
    """One barcode per species and haplotype of a corpus, shortened ones left out where a whole one is there."""
    named = draft.taxonomy.clusters["species"].is_not_null().to_numpy()[draft.cluster]
    whole = np.array([specimen not in draft.shortened for specimen in range(len(named))])
    order = np.argsort(~whole, kind="stable")
    order = order[named[order]]
    _, first = np.unique(np.stack([draft.cluster[order], draft.haplotype[order]]), axis=1, return_index=True)
    chosen = np.sort(order[first])
    species = draft.cluster[chosen]
    genus = draft.taxonomy.genus_of_cluster[species]
    text = [draft.shortened.get(one, draft.barcode(one)) for one in chosen.tolist()]
    own = ~np.isin(chosen, list(draft.barcode_of))
    return Barcodes(text, species, genus, draft.taxonomy.family_of_genus[genus], own)


def kmers(texts: list[str]) -> Vectors:
    """Counts of 6-mers, each row of length 1; shape (barcodes, 4096)."""
    counts = np.zeros((len(texts), 4**KMER), np.float32)
    for row, text in enumerate(texts):
        codes = np.searchsorted(np.frombuffer(b"ACGT", np.uint8), np.frombuffer(text.encode(), np.uint8))
        windows = np.lib.stride_tricks.sliding_window_view(codes, KMER) @ 4 ** np.arange(KMER - 1, -1, -1)
        counts[row] = np.bincount(windows, minlength=4**KMER)
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def left_out(barcodes: Barcodes, labels: Numbers | None = None) -> tuple[float, float, int]:
    """Genus of a species left out: share right, that of the most common genus, and number of barcodes.

    Each barcode is a query. Its nearest by cosine among the barcodes of other species says the genus. Barcodes whose
    genus has no other species are no queries.

    Args:
        barcodes: to compare.
        labels: genus that the keys say, to shuffle; their own without it.
    """
    vectors = kmers(barcodes.text)
    near = vectors @ vectors.T
    near[barcodes.species[:, None] == barcodes.species[None]] = -1
    says = barcodes.genus if labels is None else labels
    species = np.unique(np.stack([barcodes.genus, barcodes.species]), axis=1)[0]
    asked = np.bincount(species)[barcodes.genus] > 1
    right = says[near.argmax(axis=1)] == barcodes.genus
    common = np.bincount(barcodes.genus[asked]).max() / asked.sum()
    return float(right[asked].mean()), float(common), int(asked.sum())


def distances(barcodes: Barcodes, rng: np.random.Generator, pairs: int = 4_000) -> dict[str, npt.NDArray[np.float64]]:
    """Percentiles of the edit distance in % of the length within each rank, as `REAL`; of whole, own barcodes."""
    whole = np.array([len(text) == 658 for text in barcodes.text]) & barcodes.own
    species, genus, family = (each[whole] for each in (barcodes.species, barcodes.genus, barcodes.family))
    text = [one for one, is_whole in zip(barcodes.text, whole, strict=True) if is_whole]
    one, other = np.triu_indices(len(text), 1)
    same = {name: each[one] == each[other] for name, each in (("s", species), ("g", genus), ("f", family))}
    found = {}
    for rank, chosen in (
        ("species", same["s"]),
        ("genus", same["g"] & ~same["s"]),
        ("family", same["f"] & ~same["g"]),
    ):
        at = np.flatnonzero(chosen)
        at = rng.choice(at, min(pairs, len(at)), replace=False)
        apart = [Levenshtein.distance(text[i], text[j]) for i, j in zip(one[at], other[at], strict=True)]
        found[rank] = np.percentile(100 * np.array(apart) / 658, PERCENTILES)
    return found


@dataclass(frozen=True, slots=True)
class Pictures:
    """Crops of sound pictures (RGB, 224 x 224), their specimens, and the aspect of their boxes."""

    crops: npt.NDArray[np.uint8]
    specimen: Numbers
    aspect: npt.NDArray[np.float64]


def crops(draft: Draft, pictures: list[Picture], seed: int) -> Pictures:
    """Draw the sound pictures of a corpus and cut each to a square around its true box."""
    number = {name: at for at, name in enumerate(draft.specimens["processid"].to_list())}
    sound = {one.processid: one for one in pictures if not one.fault and one.processid}
    found, specimens, aspects = [], [], []
    for picture, _, taken in drawn(list(sound.values()), seed):
        assert taken.box is not None
        x0, y0, x1, y1 = taken.box
        half = int(0.55 * max(x1 - x0, y1 - y0))
        framed = cv2.copyMakeBorder(taken.pixels, half, half, half, half, cv2.BORDER_REPLICATE)
        middle = (x0 + x1) // 2, (y0 + y1) // 2
        square = framed[middle[1] : middle[1] + 2 * half, middle[0] : middle[0] + 2 * half, ::-1]
        found.append(cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA))
        specimens.append(number[picture.processid])
        aspects.append(min(x1 - x0, y1 - y0) / max(x1 - x0, y1 - y0))
    return Pictures(np.stack(found), np.array(specimens), np.array(aspects))


def plain_features(pictures: Pictures) -> Vectors:
    """Histogram of hue and saturation of what is darker than the well, and the aspect of the box; (pictures, 65)."""
    rows = []
    for crop, aspect in zip(pictures.crops, pictures.aspect, strict=True):
        hsv = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV)
        dark = (hsv[..., 2] < 150).astype(np.uint8)
        histogram = cv2.calcHist([hsv], [0, 1], dark, [16, 4], [0, 180, 0, 256]).ravel()
        histogram = np.sqrt(histogram / max(histogram.sum(), 1))
        rows.append(np.append(histogram, [aspect]))
    return np.array(rows, np.float32)


def _unit(vectors: Vectors) -> Vectors:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _standard(vectors: Vectors, keys: npt.NDArray[np.bool_]) -> Vectors:
    scaled: Vectors = (vectors - vectors[keys].mean(axis=0)) / (vectors[keys].std(axis=0) + 1e-6)
    return scaled


def image_scores(
    features: Vectors, specimen: Numbers, draft: Draft, rng: np.random.Generator, *, shuffled: bool = False
) -> dict[str, tuple[float, float]]:
    """Order of query pictures by their nearest key, and the chance of that.

    `image_to_image`: the nearest picture by cosine of standardised features. `image_to_dna`: a ridge map from the
    pictures of the keys to the 6-mers of their barcodes; the key whose barcode is nearest to the mapped query.
    Chance: the same with the labels of the keys shuffled, on average: the sum of squared shares of the orders.

    Args:
        features: of the pictures, shape (pictures, width).
        specimen: that each picture is filed under.
        draft: the corpus.
        rng: chooses the queries.
        shuffled: whether pictures are dealt to specimens at random.
    """
    keys = rng.random(len(specimen)) > _HELD
    if shuffled:
        features = rng.permutation(features)
    order = draft.taxonomy.order_of_family[draft.taxonomy.family_of_genus[draft.taxonomy.genus_of_cluster]]
    label = order[draft.cluster[specimen]]
    vectors = _standard(features, keys)
    unit = _unit(vectors)
    near = (unit[~keys] @ unit[keys].T).argmax(axis=1)
    barcode = kmers([draft.shortened.get(one, draft.barcode(one)) for one in specimen.tolist()])
    mean = barcode[keys].mean(axis=0)
    centred = barcode[keys] - mean
    inner = vectors[keys].T @ vectors[keys] + _RIDGE * np.eye(vectors.shape[1], dtype=np.float32)
    mapped = vectors[~keys] @ np.linalg.solve(inner, vectors[keys].T @ centred)
    far = (_unit(mapped) @ _unit(centred).T).argmax(axis=1)
    shares = [np.bincount(label[part], minlength=9) / part.sum() for part in (keys, ~keys)]
    chance = float(shares[0] @ shares[1])
    return {
        "image_to_image": (float((label[keys][near] == label[~keys]).mean()), chance),
        "image_to_dna": (float((label[keys][far] == label[~keys]).mean()), chance),
    }
