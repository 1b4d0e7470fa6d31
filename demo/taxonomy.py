"""The invented taxonomy of the synthetic corpus: lineages, names, and how many records carry each.

Belongs here: clusters (species, named or not) with their labels and sizes. Does not belong here: what goes
wrong with a label (`bioscan_etl.demo.name_defects`).

Orders and classes are real, families, genera and species are not. A cluster's role says what it is for:

- `seen`: a described species; `novel`: a placeholder species with at least 8 records in a seen genus;
  `placeholder`: one of the placeholder forms of the taxonomy spec; `dark`: no species label.
- `conflict`, `majority`, `inferred`, `typo`, `malaise`: groups of one barcode whose labels differ.
- `similar_a`/`_b`, `homonym_a`/`_b`, `decomposed`, `candidate`: labels that a rule might change wrongly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.demo.sequences import Indices
from bioscan_etl.vocabulary import RANKS

BASE_SPECIMENS = 300
"""Specimens from which on every kind of defect is planted."""

_DARK = 92
_DARK_SHARE = 0.6
"""Share of unlabelled specimens in smaller corpora."""

_SEEN = (24, 13, 12, 11, 10, 9, 5, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1)
_NOVEL = (13, 12, 12)
_DEDICATED = {
    "conflict": 4,
    "majority": 11,
    "inferred": 4,
    "typo": 12,
    "malaise": 12,
    "similar_a": 3,
    "similar_b": 3,
    "homonym_a": 3,
    "homonym_b": 3,
    "decomposed": 2,
    "candidate": 1,
}
ONE_BARCODE = frozenset({"conflict", "majority", "inferred", "typo", "malaise", "decomposed"})
"""Roles whose records all carry one barcode."""

_ORDERS = (
    ("Insecta", "Diptera"),
    ("Insecta", "Hymenoptera"),
    ("Insecta", "Coleoptera"),
    ("Insecta", "Lepidoptera"),
    ("Insecta", "Hemiptera"),
    ("Insecta", "Psocodea"),
    ("Insecta", "Trichoptera"),
    ("Collembola", "Entomobryomorpha"),
    ("Arachnida", "Araneae"),
)
_ORDER_CYCLE = (0, 1, 0, 2, 3, 0, 4, 1, 5, 0, 6, 7, 8)
_DEPTHS = ("family", "genus", "order", "family", "genus", "subfamily", "genus", "family")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words(
    "Bras Cyrt Dolich Elach Ferg Gon Hapl Ixod Juld Kell Lept Morb Nyct Oxyt Plag Quer Rhod Scyt Trich Urg "
    "Velt Xyph Yder Zorn Brund Cholt Drep Ergh Fland Grypt"
)
_SECOND = _words("ador elom ibran oxen ultiv aphor egron idust omber urtel archid entor ifold orvin under alket")
_GENUS_ENDINGS = ("ella", "opsis", "ius", "odes", "yta", "ura")
_EPITHETS = _words(
    "vexor brund colth dramp fergul gront hulvir jovent kremb lorgan morvex nubrit ondrel pulgor quister "
    "rhomb storv tulgen urmel vantor wolgr yndar zephul bruntar crovel drinth"
)
_EPITHET_ENDINGS = ("ensis", "atus", "oides", "ula", "icola", "inus", "orum", "ifera")
_PREFIXES = ("tach", "zyg", "ura", "bra", "cal")

PLACEHOLDERS = {
    "placeholder_collector": "Wexley{n}",
    "placeholder_prefixed": "{prefix}Wexley{n}",
    "placeholder_prefixed_short": "{prefix}Quarm{short:02d}",
    "placeholder_group": "{genus}_group",
    "placeholder_genus_collector": "{genus} Quarm{n}",
    "placeholder_genus_code": "{genus} QRS{n}",
    "placeholder_bin": "{genus} {bin}",
    "placeholder_malaise": "{prefix}Malaise{n}",
    "placeholder_sp_morph": "{genus} sp. QUEVG Morph{n}",
    "placeholder_cf": "{genus} cf. {epithet}",
    "placeholder_sp_code": "{genus} sp. {short}ES",
    "placeholder_aff": "{genus} aff. {epithet}",
    "placeholder_new": "{genus} n. sp. {short}",
    "placeholder_genus": "{prefix}Malaise{n}",
}
"""Kind of placeholder to its form; `placeholder_genus` labels the genus and leaves the species open."""

_BY_WORTH = (
    *([(role, _DEDICATED[role])] for role in ("conflict", "inferred")),
    *([("placeholder", 1)] for _ in PLACEHOLDERS),
    [("decomposed", _DEDICATED["decomposed"])],
    *([(f"{pair}_{half}", _DEDICATED[f"{pair}_{half}"]) for half in "ab"] for pair in ("similar", "homonym")),
    *([(role, _DEDICATED[role])] for role in ("majority", "typo", "malaise")),
)
"""Groups of clusters that a corpus too small for all gets as many of as fit; the candidate of a typo needs more."""

_NOVEL_FORMS = ("placeholder_sp_code", "placeholder_genus_collector", "placeholder_genus_code")


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The clusters and the tree they belong to.

    Attributes:
        clusters: a row per cluster: role, size, bin, form (kind of placeholder or null) and the seven ranks,
            null if unlabelled.
        genus_of_cluster: shape (clusters,).
        family_of_genus: shape (genera,).
        order_of_family: shape (families,).
    """

    clusters: pl.DataFrame
    genus_of_cluster: Indices
    family_of_genus: Indices
    order_of_family: Indices


def bin_name(number: int) -> str:
    """The Barcode Index Number with that running number, as BOLD writes it."""
    letters = "".join(chr(65 + number // 10_000 // 26**place % 26) for place in (2, 1, 0))
    return f"BOLD:{letters}{number % 10_000:04d}"


def _more(number: int) -> str:
    """Syllables that distinguish names whose first parts are equal; none for 0."""
    syllables = ""
    while number:
        number, digit = divmod(number, len(_SECOND))
        syllables += "ar" + _SECOND[digit]
    return syllables


def genus_name(number: int) -> str:
    """The invented genus with that running number."""
    first, rest = number * 7 % len(_FIRST), number // len(_FIRST)
    second = (number * 5 + rest) % len(_SECOND)
    ending = (number + rest // len(_SECOND)) % len(_GENUS_ENDINGS)
    more = rest // (len(_SECOND) * len(_GENUS_ENDINGS))
    return _FIRST[first] + _SECOND[second] + _more(more) + _GENUS_ENDINGS[ending]


def epithet(genus: int, number: int) -> str:
    """The epithet of a genus' species with that running number; neighbours differ in their stems."""
    stem = (genus * 3 + number) % len(_EPITHETS)
    round_ = number // len(_EPITHETS)
    ending = (genus + round_) % len(_EPITHET_ENDINGS)
    second = round_ // len(_EPITHET_ENDINGS)
    return _EPITHETS[stem] + ("o" + _EPITHETS[second % len(_EPITHETS)] if second else "") + _EPITHET_ENDINGS[ending]


def family_name(number: int) -> str:
    """The invented family with that running number."""
    first, rest = number % len(_FIRST), number // len(_FIRST)
    second = (number * 3 + rest + 1) % len(_SECOND)
    return f"{_FIRST[first]}{_SECOND[second]}{_more(rest // len(_SECOND))}idae"


def _subfamily(family: int, genus: int) -> str:
    """One of a family's four subfamilies."""
    return family_name(family).removesuffix("idae") + ("", "ad", "el", "ib")[genus % 4] + "inae"


def _long_tailed(rng: np.random.Generator, total: int, exponent: float, largest: int) -> list[int]:
    """Sizes that sum to `total`: a few large ones, many of one."""
    if not total:
        return []
    sizes = np.minimum(rng.zipf(exponent, total), largest)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), total)) + 1]
    sizes[-1] -= sizes.sum() - total
    return [int(size) for size in sizes]


def _plan(rng: np.random.Generator, specimens: int) -> tuple[list[str], list[int]]:
    """Role and size of every cluster."""
    if specimens < BASE_SPECIMENS:
        return _small_plan(specimens)
    copies = 1 + max(0, specimens - BASE_SPECIMENS) // 3000
    plan = [("seen", size) for size in _SEEN] + [("novel", size) for size in _NOVEL]
    plan += [("placeholder", 1)] * (len(PLACEHOLDERS) * copies)
    plan += list(_DEDICATED.items()) * copies
    left = specimens - sum(size for _, size in plan)
    # Most defects are planted in unlabelled specimens that share their barcode with nobody: as many as they need.
    dark = min(left, _DARK * (specimens // BASE_SPECIMENS or 1))
    extra = left - dark
    plan += [("dark", size) for size in _long_tailed(rng, dark, 4.0, 3)]
    if extra > 0:
        for role, share in (("seen", 0.55), ("placeholder", 0.1), ("dark", 0.35)):
            if int(extra * share):
                plan += [(role, size) for size in _long_tailed(rng, int(extra * share), 1.9, 400)]
        if rest := specimens - sum(size for _, size in plan):
            plan.append(("dark", rest))
    return [role for role, _ in plan], [size for _, size in plan]


def _small_plan(specimens: int) -> tuple[list[str], list[int]]:
    """Role and size of every cluster where not every kind of defect fits: groups for as many as do, in order."""
    dark = math.ceil(_DARK_SHARE * specimens)
    named = specimens - dark
    plan: list[tuple[str, int]] = []
    used = 0
    for group in _BY_WORTH:
        size = sum(count for _, count in group)
        if used + size <= named // 2:
            plan += group
            used += size
    seen = []
    left = named - used
    while left:
        seen.append(min(_SEEN[0], math.ceil(left / 2)))
        left -= seen[-1]
    plan = [("seen", size) for size in seen] + plan + [("dark", 1)] * dark
    return [role for role, _ in plan], [size for _, size in plan]


def build_taxonomy(rng: np.random.Generator, specimens: int) -> Taxonomy:
    """Invent the clusters of a corpus.

    Args:
        rng: the random generator.
        specimens: records to share out, at least 1.
    """
    roles, sizes = _plan(rng, specimens)
    clusters = len(roles)
    seen_genera = max(7, roles.count("seen") // 3)
    genera = seen_genera + max(14, clusters // 4)
    within: dict[str, int] = {}
    genus_of_cluster = rng.integers(seen_genera, genera, clusters)
    for cluster, role in enumerate(roles):
        number = within.get(role, 0)
        within[role] = number + 1
        if role in {"seen", "novel", "candidate"}:
            genus_of_cluster[cluster] = number % seen_genera
        elif role in {"similar_b"}:
            genus_of_cluster[cluster] = genus_of_cluster[cluster - 1]
    families = max(len(_ORDER_CYCLE), genera // 5)
    order_of_family = np.array([_ORDER_CYCLE[family % len(_ORDER_CYCLE)] for family in range(families)])
    family_of_genus = rng.integers(0, families, genera)
    # Homonyms live in genera of their own, one in a family of flies, one in a family of beetles.
    names = [genus_name(genus) for genus in range(genera)]
    for cluster, role in enumerate(roles):
        if role in {"homonym_a", "homonym_b"}:
            names.append(genus_name(genera + cluster - (role == "homonym_b")))
            genus_of_cluster[cluster] = len(names) - 1
            family_of_genus = np.append(family_of_genus, 0 if role == "homonym_a" else 3)
    labels = _labels(roles, genus_of_cluster, family_of_genus, order_of_family, names)
    frame = pl.DataFrame({"role": roles, "size": sizes, **labels}, schema_overrides=dict.fromkeys(RANKS, pl.String))
    return Taxonomy(frame, genus_of_cluster, family_of_genus, order_of_family)


def _labels(
    roles: list[str], genus_of_cluster: Indices, family_of_genus: Indices, order_of_family: Indices, names: list[str]
) -> dict[str, list[str | None]]:
    """BIN, form and seven ranks per cluster."""
    columns: dict[str, list[str | None]] = {name: [] for name in ("bin", "form", *RANKS)}
    in_genus = np.zeros(len(names), np.int64)
    within: dict[str, int] = {}
    for cluster, role in enumerate(roles):
        genus = int(genus_of_cluster[cluster])
        family = int(family_of_genus[genus])
        class_, order = _ORDERS[int(order_of_family[family])]
        number = within[role] = within.get(role, -1) + 1
        row: dict[str, str | None] = {
            "bin": bin_name(1000 + cluster),
            "form": None,
            "phylum": "Arthropoda",
            "class": class_,
            "order": order,
            "family": family_name(family),
            # Every third family is one that nobody has divided.
            "subfamily": None if family % 3 == 2 else _subfamily(family, genus),
            "genus": names[genus],
            "species": f"{names[genus]} {epithet(genus, int(in_genus[genus]))}",
        }
        in_genus[genus] += 1
        if role == "dark":
            depth = RANKS.index(_DEPTHS[number % len(_DEPTHS)])
            row |= dict.fromkeys(RANKS[depth + 1 :])
        elif role in {"novel", "placeholder", "malaise"}:
            forms = {"novel": _NOVEL_FORMS, "malaise": ("placeholder_malaise",)}.get(role, tuple(PLACEHOLDERS))
            row |= _placeholder(forms[number % len(forms)], genus, cluster, row)
        elif role in {"similar_a", "similar_b"}:
            row["species"] = f"{names[genus]} {'grontata' if role == 'similar_a' else 'grontita'}"
        elif role == "decomposed":
            row["species"] = f"{names[genus]} co\u00ebtor{'ius' if number % 2 else 'atus'}"
        for name, value in row.items():
            columns[name].append(value)
    return columns


def _placeholder(form: str, genus: int, cluster: int, row: dict[str, str | None]) -> dict[str, str | None]:
    name = PLACEHOLDERS[form].format(
        n=1000 + cluster,
        short=cluster,
        prefix=_PREFIXES[cluster % len(_PREFIXES)],
        genus=row["genus"],
        bin=row["bin"],
        epithet=epithet(genus, cluster % 20 + 40),
    )
    labels = {"genus": name, "species": None} if form == "placeholder_genus" else {"species": name}
    return {"form": form, **labels}


def cluster_members(
    sizes: npt.NDArray[np.int64], roles: list[str], rng: np.random.Generator
) -> tuple[Indices, Indices, Indices]:
    """Spread records over clusters and their barcodes.

    Returns:
        cluster of each record, haplotype of each record, and cluster of each haplotype. The first haplotype
        of a cluster is its most common one; barcodes are shared as in real corpora, the square of an even draw.
    """
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    single = np.array([role in ONE_BARCODE for role in roles])
    kinds = np.where(single, 1, np.ceil(0.6 * sizes).astype(np.int64))
    first = np.cumsum(kinds) - kinds
    local = (kinds[cluster] * rng.random(len(cluster)) ** 2).astype(np.int64)
    return cluster, first[cluster] + local, np.repeat(np.arange(len(sizes)), kinds)
