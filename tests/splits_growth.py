"""A corpus that grows by releases and whose labels change, for the tests and the benchmark of the protocol "stable".

On every release records of one barcode carry one label, as on any curated table.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

RELEASES = 10
NEVER = 99


@dataclass(frozen=True)
class Corpus:
    """Three tables, of which `release` makes one.

    records: processid, arrives, withdrawn (release that lacks it), dna_barcode, corrected (release from which on it
    is) corrected_barcode. barcodes: dna_barcode, dna_bin, code (of its species, or null), cleared (release from which
    on, for two releases, it has no species), named (release from which on it has one), named_code. species: code,
    genus, name, changed (release from which on it has) later_name.
    """

    records: pl.DataFrame
    barcodes: pl.DataFrame
    species: pl.DataFrame


def letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def growing_corpus(seed: int, species: int, mean: float = 12.0) -> Corpus:
    """Species sizes fall off as in BIOSCAN-5M: most are small, a few large; half of them are placeholders.

    Most species arrive over all releases, some from a late one on, and so do some genera. A third as many records as
    have a species have none. Of the labels: 1 species in 4 changes at some release, two thirds of these between
    placeholder and described name; 1 barcode in 30 loses its species for two releases; 1 unlabelled barcode in 10
    gets one; 1 record in 100 turns out to have another barcode of its species; 1 in 50 is withdrawn for a release.
    """
    r = np.random.default_rng(seed)
    genera = [f"Genus{letters(i)}" for i in range(max(species // 4, 2))]

    def at(share: float, count: int) -> list[int]:
        return np.where(r.random(count) < share, r.integers(1, RELEASES, count), NEVER).tolist()

    species_rows, barcode_rows, record_rows = [], [], []
    for code in range(species):
        genus = genera[number := int(r.integers(len(genera)))]
        described, placeholder = f"{genus} {letters(code)}us", f"{genus} sp. {code}"
        name = placeholder if r.random() < 0.5 else described
        kind = r.random()
        later = f"{name}X" if kind < 0.33 and name is placeholder else f"{genus} {letters(code)}a"
        later = later if kind < 0.33 else (described if name is placeholder else placeholder)
        species_rows.append((code, genus, name, at(0.25, 1)[0], later))
        size = min(int((r.pareto(1.1) + 0.15) * mean) + 1, 60 * int(mean))
        begins = int(r.integers(RELEASES)) if r.random() < 0.3 else 0
        begins = max(begins, 5 if number % 7 == 0 else 0)
        barcodes, bins = max(1, int(size * r.uniform(0.2, 0.9))), int(r.choice([1, 1, 2, 4]))
        for i in range(barcodes):
            own_bin = code * 4 + (i % bins if r.random() > 0.005 else 7)  # a few lie in the BIN of a neighbour
            barcode_rows.append((f"{code}V{i}", own_bin, code))
        for _ in range(size):
            one, other = (f"{code}V{int(barcodes * r.random() ** 2)}" for _ in range(2))
            record_rows.append((one, other, int(r.integers(begins, RELEASES))))
    unlabelled = max(len(record_rows) // 6, 1)
    for i in range(unlabelled):
        barcode_rows.append((f"U{i}", 4 * species + 8 + i // 5, None))
    for _ in range(len(record_rows) // 3):
        one, other = (f"U{int(unlabelled * r.random() ** 2)}" for _ in range(2))
        record_rows.append((one, other, int(r.integers(RELEASES))))
    barcode_table = pl.DataFrame(
        barcode_rows, schema={"dna_barcode": pl.String, "bin": pl.Int64, "code": pl.Int64}, orient="row"
    )
    count = len(barcode_table)
    has_species = pl.col("code").is_not_null()
    barcode_table = barcode_table.select(
        "dna_barcode",
        "code",
        dna_bin=pl.format("BOLD:AAA{}", pl.col("bin").cast(pl.String).str.zfill(4)),
        cleared=pl.when(has_species).then(pl.Series(at(0.03, count))).otherwise(NEVER),
        named=pl.when(has_species).then(NEVER).otherwise(pl.Series(at(0.1, count))),
        named_code=pl.Series(r.integers(0, species, count)),
    )
    record_table = pl.DataFrame(record_rows, schema=["dna_barcode", "corrected_barcode", "arrives"], orient="row")
    count = len(record_table)
    return Corpus(
        record_table.with_columns(
            pl.Series("processid", [f"G{i:07}-26" for i in r.permutation(count)]),
            corrected=pl.Series(at(0.01, count)),
            withdrawn=pl.Series(at(0.02, count)),
        ),
        barcode_table,
        pl.DataFrame(species_rows, schema=["code", "genus", "name", "changed", "later_name"], orient="row"),
    )


def release(corpus: Corpus, number: int, relabel: bool = False) -> pl.DataFrame:
    """The curated table of a release, in arrival order: processid, genus, species, dna_barcode, dna_bin.

    Without `relabel` nothing but growth happens.
    """
    now = number if relabel else 0
    records = corpus.records.filter(pl.col("arrives") <= number, pl.col("withdrawn") != now).select(
        "processid",
        "arrives",
        dna_barcode=pl.when(pl.col("corrected") <= now).then("corrected_barcode").otherwise("dna_barcode"),
    )
    cleared = (pl.col("cleared") <= now) & (pl.col("cleared") + 2 > now)
    barcodes = corpus.barcodes.select(
        "dna_barcode",
        "dna_bin",
        code=pl.when(pl.col("named") <= now).then("named_code").when(~cleared).then("code"),
    )
    species = corpus.species.select(
        "code", "genus", species=pl.when(pl.col("changed") <= now).then("later_name").otherwise("name")
    )
    return (
        records.join(barcodes, on="dna_barcode", how="left")
        .join(species, on="code", how="left")
        .sort("arrives", "processid")
        .select("processid", "genus", "species", "dna_barcode", "dna_bin")
    )
