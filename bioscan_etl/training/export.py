"""Export the trained networks to ONNX, float32, and check that their outputs are the same.

    python -m bioscan_etl.training.export OUTPUT FOLDER

OUTPUT is where `train` and `refine` wrote; FOLDER gets `coarse.onnx`, `refiner.onnx` and, if one was trained,
`expert.onnx`. Run `calibrate` next: it adds `calibration.json`, and FOLDER is then a value for `images.detector`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import onnx
    import onnxruntime
    import torch
    from torch import nn
    from ultralytics import YOLO

    from bioscan_etl.training.architectures import NETWORKS
    from bioscan_etl.training.refiner import Answers

COARSE_SIZE = 144, 192
"""Height and width of the region proposal network's picture, in px."""

OPSET = 17
TOLERANCE = 1e-3  # of any answer; pixels for boxes


def export(output: Path, folder: Path) -> None:
    """Write the models; `expert.onnx` only if there is an `expert.pt`."""
    folder.mkdir(parents=True, exist_ok=True)
    export_coarse(output, folder / "coarse.onnx")
    export_refiner(output / "refiner.pt", "refiner", folder / "refiner.onnx")
    if (output / "expert.pt").exists():
        export_refiner(output / "expert.pt", "expert", folder / "expert.onnx")


def export_refiner(weights: Path, network: str, path: Path) -> None:
    """Write the model of the refiner or the expert.

    Args:
        weights: as `refine` writes them.
        network: key of `refine.NETWORKS`.
        path: to write.
    """
    architecture, side = NETWORKS[network]
    model = architecture()
    model.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    answers, shape = Answers(model, side).eval(), (1, 3, side, side)
    _write(answers, shape, ["window"], ["mask", "box", "spread", "scores"], path)


def export_coarse(output: Path, path: Path) -> None:
    """Write the region proposal network's model."""
    model: Any = YOLO(str(output / "coarse" / "weights" / "last.pt"), task="detect").model
    model = model.float().fuse(verbose=False).eval()
    for module in model.modules():
        if hasattr(module, "export"):  # the head then gives its decoded answer alone
            module.export, module.format, module.dynamic = True, "onnx", False
    _write(model, (1, 3, *COARSE_SIZE), ["images"], ["output0"], path)


def _write(model: nn.Module, shape: tuple[int, ...], inputs: list[str], outputs: list[str], path: Path) -> None:
    example = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model(example)
        torch.onnx.export(
            model, (example,), str(path), opset_version=OPSET, input_names=inputs, output_names=outputs, dynamo=False
        )
    # Torch notes source lines of this machine in each node; they are of no use to anyone else.
    graph = onnx.load(str(path))
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(graph, str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got = session.run(None, {inputs[0]: example.numpy()})
    expected = wanted if isinstance(wanted, tuple) else (wanted,)
    for name, one, other in zip(outputs, got, expected, strict=True):
        apart = float(np.abs(one - other.numpy()).max())
        if apart > TOLERANCE:
            raise SystemExit(f"{path}: {name} differs from torch's by {apart:.2g}, allowed are {TOLERANCE:g}")
        print(f"{path.name} {name}: differs from torch's by {apart:.1g} at most")
    print(f"-> {path} ({path.stat().st_size / 1e6:.1f} MB)")


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    export(arguments.output, arguments.folder)


if __name__ == "__main__":
    execute(main)
