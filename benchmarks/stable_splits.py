"""The protocol "stable" over ten growing releases: what moved, what straddled, and how close the shares stay.

    .venv/bin/python benchmarks/stable_splits.py                    # 4,000 species, some 230,000 records
    .venv/bin/python benchmarks/stable_splits.py --species 20000

The corpus is that of `tests/splits_growth.py`, once with growth alone and once with labels that change. The last lines
show the same corpus partitioned at once, by both protocols, and the cost of keeping BINs together.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from splits_growth import RELEASES, growing_corpus, release

from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits import bioscan_5m
from bioscan_etl.splits.checks import check, require, species_also_held_out, split_of_each
from bioscan_etl.splits.stable import assign_stable, remember
from bioscan_etl.splits.targets import review
from bioscan_etl.vocabulary import SPLITS

APART = SplitSettings(protocol="stable", keep_overlaps_together=False)  # barcodes of this corpus overlap with none
EVALUATED = ("val", "test", "val_unseen", "test_unseen")


def grow(corpus, options: SplitSettings, relabel: bool) -> pl.DataFrame:
    """Ten releases, one line each; returns the last one's report."""
    memory, last = None, pl.DataFrame()
    print(f"{'release':>7} {'records':>9} {'seconds':>7} {'moved':>6} {'unlisted':>8} {'straddling':>10}  ", end="")
    print(*(f"{split + ' % of target':>24}" for split in EVALUATED))
    for number in range(RELEASES):
        table = release(corpus, number, relabel)
        start = time.perf_counter()
        assigned, moves = assign_stable(table, memory, options)
        seconds = time.perf_counter() - start
        findings = check(table, assigned)
        require(findings)
        moved = 0
        if memory is not None:
            changed = memory.join(assigned, on="processid", suffix="_now").filter(
                pl.col("split") != pl.col("split_now")
            )
            moved = len(changed)
            unlisted = len(changed.join(moves, on="processid", how="anti"))
        else:
            unlisted = 0
        last = review(table, assigned).partitions
        shares = last.filter(pl.col("split").is_in(EVALUATED)).with_columns(
            of_target=100 * pl.col("samples") / pl.col("target_samples")
        )
        print(f"{number + 1:>7} {len(table):>9,} {seconds:>7.2f} {moved:>6,} {unlisted:>8} ", end="")
        print(f"{findings[0].count:>10}  ", *(f"{share:>24.1f}" for share in shares["of_target"]))
        if not moves.is_empty():
            counts = Counter(
                moves.select(pl.concat_str("reason", pl.lit(" "), "before", pl.lit(" -> "), "after")).to_series()
            )
            last_counts = counts
        memory = remember(table, assigned, memory)
    print(f"unseen species also in other_heldout: {species_also_held_out(table, assigned).count}")
    if relabel:
        print("moves of the last release:")
        for what, count in sorted(last_counts.items()):
            print(f"  {count:>6,}  {what}")
    else:
        print(review(table, assigned).classes)
    return last


def bin_price(table: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Partition sizes with barcodes kept together and with BINs kept together, as for a first release.

    A species in one BIN cannot be divided: it is in train, or in key_unseen, as a whole. Records without a species
    follow the BIN's, and a placeholder in a described species' BIN is not an unseen species.

    Args:
        table: columns processid, genus, species, dna_barcode, dna_bin, text; one row per record.
        seed: key of the choice.

    Returns:
        One row per partition in the order of `vocabulary.SPLITS`: split; samples and samples_together, species and
        species_together (with BINs kept together), int64; bins_shared (BINs of the partition, without the option,
        that have records in another one, too), int64; target_samples (null if the partition takes what is left),
        share and share_together, float.
    """
    options = APART.model_copy(update={"seed": seed})
    plain, _ = assign_stable(table, None, options)
    together, _ = assign_stable(table, None, options.model_copy(update={"keep_bins_together": True}))
    in_bins = pl.DataFrame({"bin": table["dna_bin"].cast(pl.String), "split": split_of_each(table, plain)}).drop_nulls()
    shared = (
        in_bins.unique().filter(pl.len().over("bin") > 1).group_by("split").agg(bins_shared=pl.len().cast(pl.Int64))
    )
    return (
        review(table, plain)
        .partitions.join(review(table, together).partitions, on="split", suffix="_together", maintain_order="left")
        .join(shared, on="split", how="left", maintain_order="left")
        .with_columns(pl.col("bins_shared").fill_null(0))
        .select(
            "split",
            "samples",
            "samples_together",
            "species",
            "species_together",
            "bins_shared",
            "target_samples",
            "share",
            "share_together",
        )
    )


def main() -> None:
    """Grow twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--species", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    corpus = growing_corpus(arguments.seed, arguments.species)
    options = APART
    pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True
    )
    print("growth alone")
    grown = grow(corpus, options, relabel=False)
    print("growth, and labels that change")
    grow(corpus, options, relabel=True)
    table = release(corpus, RELEASES - 1)
    at_once = review(table, assign_stable(table, None, options)[0]).partitions
    published = review(table, bioscan_5m.assign(table)).partitions
    print("the last release of growth alone, and the same table partitioned at once")
    print(
        pl.DataFrame(
            {
                "split": SPLITS,
                "target": published["target_samples"],
                "bioscan-5m": published["samples"],
                "stable, at once": at_once["samples"],
                "stable, grown": grown["samples"],
            }
        )
    )
    print("the price of keeping BINs together")
    print(bin_price(table))


if __name__ == "__main__":
    main()
