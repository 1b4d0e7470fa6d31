"""Networks of the benchmarks on a GPU: speed and memory, and what 4-4-4 and a contrastive alignment learn.

    python benchmarks/networks.py [--release OUTPUT/releases/v1] [--records 100000] [--size 4-4-4] [--minutes 8]
    python benchmarks/networks.py --tiny

It needs the extra `bench`. Three parts share the minutes, and are left out one by one where these are over:

- 4-4-4 on a release (--release, such as that of the three real files): pretraining, probes, fine-tuning, each beside
  random weights;
- the same pretraining on --records drawn records, half of which have a barcode of their own, as in BIOSCAN-5M;
- contrastive alignment of drawn image features and those barcodes: heads on 5-mers, and the whole transformer, each
  beside the same heads untrained and trained on shuffled pairs.

The features of images are drawn (1,280 numbers): each has a part of its order, family, genus and species, and noise. So
the accuracy tells alignments apart, and nothing about real images.

--tiny is a check of one minute on two CPU cores.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl import schema
from bioscan_etl.demo.sequences import as_text, haplotypes, lineage_tree
from bioscan_etl.evaluation.measured import Sheet
from bioscan_etl.evaluation.networks.alignment import ON_CPU, Plan, align
from bioscan_etl.evaluation.networks.encoder import begun
from bioscan_etl.evaluation.networks.measure import measure
from bioscan_etl.evaluation.networks.modalities import Modality, barcode_kmers, barcode_tokens, images
from bioscan_etl.evaluation.networks.pretraining import RECIPES, masked_accuracy, pretrain
from bioscan_etl.evaluation.networks.sizes import size_of
from bioscan_etl.evaluation.networks.training import Budget, Trained, device_name, device_of
from bioscan_etl.evaluation.records import READ, Numbers, Records, open_records, records_of
from bioscan_etl.evaluation.search import Stored, nearest

_PER_SPECIES = 16  # records
_WIDTH = 1280  # of the features of EfficientNet-Lite0
_RANKS = ("order", "family", "genus", "species")
_ASKED = 2000  # queries of the alignment, at most


@dataclass(frozen=True)
class Limits:
    """What a run may take: minutes of the whole, or a few steps of each training."""

    start: float
    minutes: float
    steps: int | None

    def part(self, share: float) -> Budget:
        """The budget of a training."""
        return Budget(self.minutes * share, self.steps)

    def left(self) -> float:
        """Seconds that are left."""
        return self.start + 60 * self.minutes - time.monotonic()


def drawn_records(count: int, seed: int = 0) -> tuple[Records, Stored]:
    """Records along a tree of lineages, nine of ten in train and the rest in test; and features of their images."""
    draws = np.random.default_rng(seed)
    species = max(count // _PER_SPECIES, 8)
    genera, families, orders = max(species // 5, 4), max(species // 40, 3), max(species // 400, 2)
    order_of, family_of, genus_of = (
        np.sort(draws.integers(0, above, below))
        for above, below in ((orders, families), (families, genera), (genera, species))
    )
    consensus = lineage_tree(draws, order_of, family_of, genus_of)
    kept = count // 2
    cluster = np.sort(draws.integers(0, species, kept))
    first = np.concatenate([[True], cluster[1:] != cluster[:-1]])
    barcodes = as_text(haplotypes(draws, consensus, cluster, first))
    haplotype = np.concatenate([np.arange(kept), draws.integers(0, kept, count - kept)])
    of_record = cluster[haplotype]
    codes = dict(zip(_RANKS, (order_of[family_of[genus_of]], family_of[genus_of], genus_of), strict=False))
    codes["species"] = np.arange(species)
    features = np.zeros((count, _WIDTH), np.float32)
    for rank in _RANKS:
        points = draws.normal(size=(int(codes[rank].max()) + 1, _WIDTH)).astype(np.float32)
        features += points[codes[rank][of_record]]
    features += 2 * draws.normal(size=features.shape).astype(np.float32)
    frame = pl.DataFrame(
        {
            "processid": [f"DRAWN{number:07}-26" for number in range(count)],
            "split": np.where(draws.random(count) < 0.9, "train", "test"),
            "dna_barcode": pl.Series(barcodes).gather(haplotype),
            **{rank: [f"{rank} {code}" for code in codes[rank][of_record]] for rank in _RANKS},
        }
    )
    types = {name: schema.METADATA_EXTENDED[name].dtype for name in READ}
    full = frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in types.items()
    )
    return records_of(full, root=Path(), release="drawn", digest="0" * 64), Stored(features)


def on_release(folder: str, size: str, budget: Budget, device: str) -> None:
    """4-4-4 on a release: all that `measure` asks."""
    records = open_records(folder)
    sheet = Sheet(records, 0)
    for trained in measure(records, sheet, size=size, budget_minutes=budget.minutes, steps=budget.steps, device=device):
        print(" ", trained.line(), flush=True)
    table = sheet.table().filter(pl.col("subset") == "all", pl.col("metric").str.starts_with("top1"))
    with pl.Config(tbl_rows=-1, fmt_str_lengths=70, tbl_width_chars=160, tbl_hide_dataframe_shape=True):
        print(table.select("task", "model", "metric", "value", "majority", "shuffled", "n"))


def pretraining(records: Records, size: str, budget: Budget, device: str) -> Trained:
    """Pretraining on drawn barcodes, and its accuracy on others."""
    place = device_of(device)
    ids = np.unique(records.barcode_ids[records.of(("train",))])
    held = np.setdiff1d(records.barcode_ids[records.of(("test",))], ids)[:_ASKED]
    model = begun(size_of(size), 0).to(place).eval()
    before = masked_accuracy(model, records.barcodes.gather(held), seed=0, device=place)
    trained = pretrain(model, records.barcodes.gather(ids), RECIPES[size], budget, seed=0, device=place, label=size)
    after = masked_accuracy(model, records.barcodes.gather(held), seed=0, device=place)
    print(f"  {trained.line()}; masked k-mers of other barcodes named: {before:.1%}, after it {after:.1%}", flush=True)
    return trained


def alignment(records: Records, sides: list[Modality], plan: Plan, budget: Budget, device: str) -> None:
    """An alignment and its controls: the share of test images whose nearest train barcode is of their species."""
    place = device_of(device)
    queries, keys = records.of(("test",))[:_ASKED], records.of(("train",))
    for name, part, mixed in (
        ("heads as at the start", Budget(steps=0), False),
        ("aligned", budget, False),
        ("on shuffled pairs", budget, True),
    ):
        aligned = align(records, sides, plan, part, seed=0, device=place, shuffled=mixed, label=name)
        image, dna = (aligned.of_row[one.name] for one in sides)
        found, _ = nearest(aligned.vectors["image"], image[queries], dna[keys], 1, keyed=aligned.vectors["dna"])
        rates = [_share(records.codes(rank), queries, keys[found[:, 0]]) for rank in ("order", "genus", "species")]
        took = f"; {aligned.trained.line()}" if aligned.trained else ""
        print(f"  {name}: order {rates[0]:.1%}, genus {rates[1]:.1%}, species {rates[2]:.1%}{took}", flush=True)


def _share(labels: Numbers, queries: Numbers, found: Numbers) -> float:
    return float((labels[queries] == labels[found]).mean())


def main() -> None:
    """Run the parts for which there is time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--release", help="folder of a release")
    parser.add_argument("--records", type=int, default=100_000, help="drawn records")
    parser.add_argument("--size", default="4-4-4", help="of the transformer")
    parser.add_argument("--minutes", type=float, default=8.0, help="of the whole run")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tiny", action="store_true", help="a check of one minute on a CPU")
    arguments = parser.parse_args()
    size, count = ("tiny", 600) if arguments.tiny else (arguments.size, arguments.records)
    limits = Limits(time.monotonic(), arguments.minutes, 10 if arguments.tiny else None)
    print(f"on {device_name(device_of(arguments.device))}", flush=True)
    if arguments.release:
        print(f"{size} on {arguments.release}", flush=True)
        on_release(arguments.release, size, limits.part(0.3), arguments.device)
    records, features = drawn_records(count)
    print(f"{size} on {count:,} drawn records, {len(records.barcodes):,} barcodes", flush=True)
    if limits.left() > 0:
        pretraining(records, size, limits.part(0.2), arguments.device)
    pictures = images(features, np.arange(count), _WIDTH, "drawn features")
    plan = replace(ON_CPU, recipe=replace(ON_CPU.recipe, batch=64)) if arguments.tiny else ON_CPU
    whole = begun(replace(size_of(size), k=5), 0).bert
    for name, barcodes, share in (
        ("heads on 5-mers", barcode_kmers(records), 0.1),
        ("whole transformer of 5-mers", barcode_tokens(records, whole, "transformer"), 0.1),
    ):
        if limits.left() < 0:
            sys.exit(f"{arguments.minutes:g} minutes are over: no {name}")
        print(f"image to DNA, {name}", flush=True)
        alignment(records, [pictures, barcodes], plan, limits.part(share), arguments.device)
    print(f"{time.monotonic() - limits.start:.0f} s in all", flush=True)


if __name__ == "__main__":
    main()
