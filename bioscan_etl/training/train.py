"""Train the region proposal network: a narrow YOLO11 by Ultralytics, from random weights.

    python -m bioscan_etl.training.train IMAGES ANNOTATIONS.coco.json OUTPUT [--epochs 130]
        [--from WEIGHTS [--trust-pickle]] [--parts PART...]

Needs the extra `train`. The same command resumes a run that was interrupted, at its last whole epoch. It does nothing
if the run is complete. It runs on CUDA if there is a device, else on the CPU.

`--from` takes the weights of an earlier run (`.pt`) or an exported network (`.onnx`), such as the package's own.

`--parts training calibration` learns from the calibration part as well; use it only after `calibrate` has run.

The weights are the moving average at the end, `OUTPUT/coarse/weights/last.pt`. No epoch is selected.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from bioscan_etl.io.paths import real_path
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2
    import torch
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.utils import LOGGER

    from bioscan_etl.training.compose import Material, box_of, load_material, look, relit, seen
    from bioscan_etl.training.dataset import LEARNABLE, write_dataset
    from bioscan_etl.training.exported import renormed, take_over

MODEL = Path(__file__).with_name("coarse.yaml")
SIZE = 192, 144
SCENE_WIDTH = 384
SCENES_PER_EPOCH = 2048
MEASURED = 24, 16  # batches, and scenes per batch, that set the normalisations of an exported network
SMALLEST = 2.0  # px of the reduced picture, below which a specimen cannot be learnt


class Scenes(torch.utils.data.Dataset[dict[str, Any]]):
    """Scenes in the form that Ultralytics' data loader hands to its trainer."""

    rect = False

    def __init__(self, material: Material, seed: int) -> None:
        self._material = material
        self._seed = seed
        self._taken = 0
        # What Ultralytics asks a data set for, beside its items.
        self.im_files = [f"scene {number}" for number in range(SCENES_PER_EPOCH)]
        self.labels = [{"cls": np.zeros((1, 1), np.float32), "bboxes": np.zeros((1, 4), np.float32)}]

    def __len__(self) -> int:
        return SCENES_PER_EPOCH

    def __getitem__(self, index: int) -> dict[str, Any]:
        # The loader's worker has torch's seed of the epoch; a scene depends on it and on the index only.
        self._taken += 1
        rng = np.random.default_rng([self._seed, index, torch.initial_seed() % 2**32, self._taken])
        scene = self._material.scene(rng)
        matrix = look(rng, self._material.size, SIZE)
        warped = cv2.warpAffine(scene.pixels, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        pixels = np.asarray(warped, np.uint8)
        boxes = [box_of(seen(found.outline, matrix), SIZE) for found in scene.objects]
        kept = np.array([box for box in boxes if box is not None and (box[2:] - box[:2]).min() >= SMALLEST])
        kept = kept.reshape(-1, 4) / (*SIZE, *SIZE)
        centred = np.hstack([(kept[:, :2] + kept[:, 2:]) / 2, kept[:, 2:] - kept[:, :2]]).astype(np.float32)
        return {
            "img": torch.from_numpy(np.ascontiguousarray(relit(rng, pixels).transpose(2, 0, 1))),
            "cls": torch.zeros(len(kept), 1),
            "bboxes": torch.from_numpy(centred),
            "batch_idx": torch.zeros(len(kept)),
            "im_file": self.im_files[index],
            "ori_shape": (SIZE[1], SIZE[0]),
            "resized_shape": (SIZE[1], SIZE[0]),
        }

    @staticmethod
    def collate_fn(batch: list[dict[str, Any]]) -> dict[str, Any]:
        """Join items as Ultralytics' own data set does."""
        for number, item in enumerate(batch):
            item["batch_idx"] += number
        joined: dict[str, Any] = {key: [item[key] for item in batch] for key in batch[0]}
        joined["img"] = torch.stack(joined["img"])
        for key in ("cls", "bboxes", "batch_idx"):
            joined[key] = torch.cat(joined[key])
        return joined


class Trainer(DetectionTrainer):
    """Ultralytics' trainer, fed with composed scenes."""

    material: Material
    exported: Path | None = None

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """The network, with the weights of an export if one is given."""
        model = super().get_model(cfg, weights, verbose)
        if self.exported is not None:
            take_over(model, self.exported, torch.zeros(1, 3, SIZE[1], SIZE[0]))
            scenes, (batches, count) = Scenes(self.material, self.args.seed), MEASURED
            pictures = (torch.stack([scenes[at * count + one]["img"] for one in range(count)]) for at in range(batches))
            renormed(model, (batch / 255 for batch in pictures))
        return model

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """Scenes to train on; for validation the files of the data set."""
        if mode == "train":
            return Scenes(self.material, self.args.seed)
        return super().build_dataset(img_path, mode, batch)

    def plot_training_labels(self) -> None:
        """Do nothing: labels are made as they are needed."""


def main() -> None:
    """Train, or resume the training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--epochs", type=int, default=130)
    parser.add_argument("--from", dest="start", type=Path, help="weights to start from, .pt or .onnx (fine-tuning)")
    parser.add_argument("--trust-pickle", action="store_true", help="open a .pt of --from, which can run any code")
    parser.add_argument("--parts", nargs="+", choices=LEARNABLE, default=["training"], help="images to learn from")
    parser.add_argument("--rate", type=float, default=0.002, help="learning rate at the start")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.start is not None and arguments.start.suffix != ".onnx" and not arguments.trust_pickle:
        raise SystemExit(
            f"--from: {arguments.start} is a pickle, which can run any code when it is opened; add --trust-pickle if "
            "you trust its source, or name an .onnx"
        )
    cv2.setNumThreads(1)
    run = arguments.output / "coarse"
    last = run / "weights" / "last.pt"
    if last.exists() and torch.load(last, weights_only=False)["epoch"] == -1:
        print(f"{last} is complete")
        return
    data = write_dataset(arguments.images, arguments.annotations, arguments.output / "dataset")
    exported = arguments.start if arguments.start is not None and arguments.start.suffix == ".onnx" else None
    plain = arguments.start if exported is None else None
    settings: dict[str, Any] = {
        "model": str(plain or MODEL),
        "data": str(data),
        "project": str(real_path(arguments.output)),
        "name": "coarse",
        "exist_ok": True,
        "epochs": arguments.epochs,
        "imgsz": max(SIZE),
        "batch": 16,
        "nbs": 16,
        "optimizer": "AdamW",
        "lr0": arguments.rate,
        "lrf": 0.01,
        "cos_lr": True,
        "weight_decay": 0.01,
        "warmup_epochs": 1.0,
        "warmup_bias_lr": 0.0,  # the default suits SGD
        "seed": arguments.seed,
        "device": "0" if torch.cuda.is_available() else "cpu",
        "workers": 1,
        "val": False,
        "plots": False,
        "amp": False,
        "pretrained": plain is not None,
    }
    if last.exists():
        settings["resume"], exported = str(last), None
    trainer = Trainer(overrides=settings)
    trainer.exported = exported
    trainer.material = load_material(arguments.images, arguments.annotations, SCENE_WIDTH, arguments.parts)
    LOGGER.info(f"{len(trainer.material.photos)} photographs, {len(trainer.material.dishes)} dishes")
    trainer.train()
    print(f"{last} {zlib.crc32(last.read_bytes()):08x}")


if __name__ == "__main__":
    execute(main)
