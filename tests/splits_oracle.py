"""Protocol "bioscan-5m" by the book: slow, in pandas, with the shuffles, written from the text of the spec.

It shares no code with `bioscan_etl.splits`; the tests hold the two against each other record by record, and
`benchmarks/splits.py` measures how much slower it is.
"""

import re

import numpy as np
import pandas as pd

MALAISE = r"[mM]+[aA]+[lLiI]+[aA]+[iIlL]+[sSzZ]+[eE]+"
SPECIES_ONLY = [MALAISE, r"^[a-z]", r"[0-9]", r"[A-Z][A-Z]", r"[_?]", r"[^$][A-Z]", re.escape(".")]
BOTH = [
    r"\baff\b",
    r"\bn[\b\.\s]+sp\b",
    r"\bsp[\b\s]+ex\b",
    r"\bgen\b",
    r"\bsp\b\.?[\s\w\d]+",
    r"affinis\s+[0-9A-Z]+",
]


def contains(column, pattern):
    return column.map(lambda text: isinstance(text, str) and re.search(pattern, text) is not None).astype(bool)


def is_novel(df):
    novel = pd.Series(False, index=df.index)
    for pattern in SPECIES_ONLY:
        novel |= contains(df["species"], pattern)
    for pattern in BOTH:
        novel |= contains(df["species"], pattern) | contains(df["genus"], pattern)
    lower = contains(df["genus"], r"^[a-z]")
    filler = contains(df["genus"], r"^(unclassified|unassigned)")
    return novel | contains(df["genus"], MALAISE) | (lower & ~filler)


def t_of(n):
    return 0 if n < 8 else min(25, int(np.floor(4 + (n - 8) / 4)))


def u_of(n):
    return 0 if n < 8 else int(np.floor(4 + (n - 8) / 3))


def b_of(n):
    return 0 if n < 3 else int(np.floor(1 + (n - 2) / 3))


def shuffle(rows, s):
    return rows.iloc[np.random.RandomState(s).choice(len(rows), size=len(rows), replace=False)]


def ordered_sizes(group):
    counts = group["barcode"].value_counts().sort_index()  # value_counts leaves missing barcodes out
    order = np.argsort(counts.to_numpy().astype(np.int64))
    return [(counts.index[i], int(counts.iloc[i])) for i in order]


def choose(group, target_of, lower, upper_of, bound_of, soft, soft2, g):  # noqa: PLR0912
    n = len(group)
    t = target_of(n)
    left = ordered_sizes(group)
    if t == 0 or len(left) <= 1:
        return []
    u, b = upper_of(n), bound_of(len(left))
    cum = [int(c) for c in np.cumsum([size for _, size in left])]
    got, chosen = 0, []
    while left:
        sizes = [size for _, size in left]
        options = [i for i in range(len(left)) if sizes[i] <= t - got and cum[i] >= soft * t - got]
        if not options:
            if got == 0 and not any(size <= t for size in sizes):
                if not (sizes[0] >= lower and sizes[0] < n / 2):
                    break
                k = 0
            elif sizes[0] > soft2 * t - got:
                if sizes[0] > (t - got) / 2 or got + sizes[0] > u:
                    break
                k = 0
            else:
                reaching = [i for i in range(len(left)) if cum[i] >= soft * t - got]
                if not reaching:
                    break
                k = reaching[0]
                if got + sizes[k] > u:
                    break
                if k > 0 and abs(got + sizes[k - 1] - t) < abs(t - got - sizes[k]):
                    k = k - 1
        elif len(chosen) + 1 >= b:
            k = [i for i in range(len(left)) if sizes[i] <= t - got][-1]
            if k + 1 < len(left) and abs(got + sizes[k + 1] - t) < abs(got + sizes[k] - t) and got + sizes[k + 1] <= u:
                k = k + 1
        else:
            m = len(options)
            lo, hi = max(0, int(m / 2)), m
            if hi <= lo:
                lo, hi = max(lo - 1, 0), min(hi + 1, m)
            k = options[g.integers(lo, hi, size=1)[0]]
        chosen.append(left[k][0])
        got += sizes[k]
        if got >= t:
            break
        cum = cum[:k] + [c - sizes[k] for c in cum[k:]]
        del cum[k]
        del left[k]
        if len(chosen) >= b:
            break
    return chosen if got >= lower else []


def partition(df):  # noqa: PLR0915
    """Columns processid, genus, species, dna_barcode (None is missing) -> list of partitions in row order."""
    df = df[["processid", "genus", "species", "dna_barcode"]].astype(object).reset_index(drop=True)
    df["barcode"] = df["dna_barcode"].map(lambda text: text.strip("N") if isinstance(text, str) else None)
    # 1
    novel = is_novel(df)
    df["split"] = "seen"
    df.loc[df["species"].isna() | novel, "split"] = "pretrain"
    # 2
    known = df["genus"].isin(df.loc[df["split"] == "seen", "genus"])
    viable = df[known & (df["split"] == "pretrain") & df["species"].notna()]
    counts = viable["species"].value_counts()
    df.loc[df["species"].isin(counts.index[counts >= 8]), "split"] = "unseen"
    # 3
    counts = df.loc[df["split"] == "seen", "species"].value_counts()
    singles = list(counts.index[counts == 1])
    df.loc[df["species"].isin(singles), "split"] = "train"

    def candidates(state, s):
        return shuffle(df[df["split"] == state], s).groupby("species", sort=True)

    def place(barcodes, split):
        df.loc[df["barcode"].isin(barcodes), "split"] = split

    # 4
    g = np.random.default_rng(1)
    taken = []
    for _, group in candidates("seen", 0):
        taken += choose(group, t_of, 3, u_of, b_of, 1.1, 1.0, g)
    place(taken, "test")
    # 5
    g = np.random.default_rng(3)
    taken = []
    groups = candidates("seen", 2)
    for _, group in groups:
        taken += choose(
            group, lambda n: 0 if n < 20 else 0.05 * n, 0, lambda n: 0.1 * n, lambda k: 0.05 * k, 1.1, 1.1, g
        )
    sizes = groups.size()
    enough = round(0.05 * (len(singles) + sum(sizes[sizes < 20])))
    records = 0
    in_test = df.loc[df["split"] == "test", "species"].value_counts()
    for name, group in groups:
        n = len(group)
        if n < 7 or n > 19:
            continue
        tested = in_test.get(name, 0)
        if tested > t_of(n + tested):
            continue
        left = ordered_sizes(group)
        if not left or left[0][1] > 1:
            continue
        taken.append(left[0][0])
        records += left[0][1]
        if records >= enough:
            break
    place(taken, "val")
    # 6
    df.loc[df["split"] == "seen", "split"] = "train"
    # 7
    g = np.random.default_rng(5)
    taken = []
    for _, group in candidates("unseen", 4):
        taken += choose(group, t_of, 3, u_of, b_of, 1.1, 1.0, g)
    place(taken, "test_unseen")
    # 8
    g = np.random.default_rng(7)
    taken = []
    for _, group in candidates("unseen", 6):
        taken += choose(group, lambda n: 0.2 * n, 0, lambda n: 0.4 * n, lambda k: 0.2 * k, 1.1, 1.1, g)
    place(taken, "val_unseen")
    # 9 and 10
    df.loc[df["split"] == "unseen", "split"] = "key_unseen"
    df.loc[df["species"].notna() & (df["split"] == "pretrain"), "split"] = "other_heldout"
    return df["split"].tolist()
