"""Weights taken from an ONNX export, to train further: the package ships its networks in ONNX only.

Belongs here: how the weights of an export become those of the network that was exported. Does not belong here: the
networks, and exporting them (`export`).

An export has no batch normalisation: each is folded into the convolution before it. A network with these weights gives
the same outputs, but it could not learn, because in training a batch normalisation rescales its input to mean 0 and
deviation 1. So `renormed` measures the input of each one on training pictures, and sets it such that the outputs stay
the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bioscan_etl.extras import extras_named

with extras_named():
    import onnx
    import torch
    from onnx import numpy_helper
    from torch import Tensor, nn


Learnt = (nn.Conv2d, nn.Linear)
_SCALE = 0.8  # root mean square of a convolution's weights, times the root of their number per output: as trained ones


def take_over(network: nn.Module, path: Path, example: Tensor) -> None:
    """Give a network the weights of an export of it; its batch normalisations then only add a bias.

    Args:
        network: whose convolutions and linear layers, in the order in which they run, are those of the export.
        path: of the ONNX file.
        example: a batch of pictures that the network takes.

    Raises:
        SystemExit: the file is not an export of this network.
    """
    network.eval()
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf's own kinds
        raise SystemExit(f"--from: {path} cannot be read as ONNX: {error}") from None
    values = {one.name: one for one in graph.initializer}
    nodes = [node for node in graph.node if node.op_type in ("Conv", "Gemm") and node.input[1] in values]
    layers = _in_order(network, example)
    if len(nodes) != len(layers):
        raise SystemExit(f"--from: {path} has {len(nodes)} layers, this network {len(layers)}; it is no export of it")
    with torch.no_grad():
        for node, (layer, norming) in zip(nodes, layers, strict=True):
            weight, *rest = (torch.from_numpy(numpy_helper.to_array(values[name]).copy()) for name in node.input[1:])
            if node.op_type == "Gemm" and not any(one.name == "transB" and one.i for one in node.attribute):
                weight = weight.t()
            if weight.shape != layer.weight.shape:
                sizes = f"{tuple(weight.shape)} where this network has {tuple(layer.weight.shape)}"
                raise SystemExit(f"--from: {path} has a layer of {sizes}; it is no export of it")
            layer.weight.copy_(weight)
            bias = rest[0] if rest else torch.zeros(len(weight))
            if layer.bias is not None:
                layer.bias.copy_(bias)
            elif norming is not None:
                norming.running_mean.zero_()
                norming.running_var.fill_(1 - norming.eps)
                norming.weight.fill_(1)
                norming.bias.copy_(bias)


def renormed(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the normalisations after `take_over` from pictures; the outputs stay the same.

    Args:
        network: on the CPU.
        batches: pictures as the network takes them, some hundred in all.
    """
    network.eval()
    batches = list(batches)
    layers = [(layer, norming) for layer, norming in _in_order(network, batches[0]) if norming is not None]
    sums: dict[Any, list[Any]] = {norming: [0.0, 0.0, 0.0] for _, norming in layers}

    def measure(norming: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen = inputs[0].detach().double()
        parts = seen.numel() / seen.shape[1], seen.sum((0, 2, 3)), (seen**2).sum((0, 2, 3))
        sums[norming] = [one + other for one, other in zip(sums[norming], parts, strict=True)]

    with _hooked([norming for _, norming in layers], measure), torch.no_grad():
        for batch in batches:
            network(batch)
    with torch.no_grad():
        for layer, norming in layers:
            count, total, squares = sums[norming]
            mean = (total / count).float()
            variance = (squares / count).float() - mean**2
            # The scale of the weights does not affect the outputs, but how much a training step changes them.
            each = layer.weight.flatten(1)
            factor = _SCALE * each.shape[1] ** -0.5 / each.pow(2).mean(1).sqrt().clamp(min=1e-8)
            layer.weight.mul_(factor.reshape(-1, 1, 1, 1))
            norming.running_mean.copy_(mean * factor)
            norming.running_var.copy_(variance.clamp(min=0) * factor**2)
            norming.weight.copy_((norming.running_var + norming.eps).sqrt() / factor)
            norming.bias.add_(mean)


def _in_order(network: nn.Module, example: Tensor) -> list[tuple[Any, Any]]:
    """The layers with weights in the order in which they run, each with the normalisation right after it, or None."""
    ran: list[nn.Module] = []
    modules = [module for module in network.modules() if isinstance(module, (*Learnt, nn.BatchNorm2d))]
    with _hooked(modules, lambda module, _: ran.append(module)), torch.no_grad():
        network(example)
    following = [*ran[1:], None]
    return [
        (one, after if isinstance(after, nn.BatchNorm2d) else None)
        for one, after in zip(ran, following, strict=True)
        if isinstance(one, Learnt)
    ]


@contextmanager
def _hooked(modules: list[nn.Module], hook: Any) -> Iterator[None]:
    handles = [module.register_forward_pre_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
