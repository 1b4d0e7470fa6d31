"""Small releases for the tests of the benchmarks: rows, barcodes and images as a test names them."""

from pathlib import Path

import numpy as np
import onnx
import polars as pl
import simplejpeg
from onnx import TensorProto, helper, numpy_helper

from bioscan_etl import schema
from bioscan_etl.evaluation.records import READ, Records, records_of

DATASET = "bioscan5m"
PACKAGE = "cropped_256"


def records(columns: dict[str, list], root: Path = Path("none"), packages: tuple[str, ...] = ()) -> Records:
    """Records of columns; process IDs are S-0, S-1 …, and all columns of `READ` that are not named are null."""
    height = len(next(iter(columns.values())))
    columns = {"processid": [f"S-{number}" for number in range(height)], **columns}
    given = pl.DataFrame(
        columns,
        schema_overrides={name: schema.METADATA_EXTENDED[name].dtype for name in columns},
    )
    frame = given.select(
        pl.col(name) if name in columns else pl.lit(None, schema.METADATA_EXTENDED[name].dtype).alias(name)
        for name in READ
    )
    return records_of(frame, root=root, release="bioscan5m v1", digest="0" * 64, packages=packages, dataset=DATASET)


def write_image(root: Path, split: str, processid: str, pixels: np.ndarray) -> Path:
    """A JPEG of the package cropped_256."""
    path = root / DATASET / "images" / PACKAGE / split / f"{processid}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=100, colorsubsampling="444"))
    return path


def plain(colour: tuple[int, int, int], height: int = 16, width: int = 16) -> np.ndarray:
    """An image of one colour."""
    return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()


def mean_encoder(path: Path, side: int = 8, factor: float = 1.0) -> Path:
    """An encoder whose features are the means of the channels of its input, times a factor; and its sidecar."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "factor"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.array(factor, np.float32), "factor")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    path.with_suffix(".json").write_text(
        f'{{"name": "means", "side": {side}, "shorter": {side}, "mean": [0, 0, 0], "deviation": [1, 1, 1]}}'
    )
    return path
