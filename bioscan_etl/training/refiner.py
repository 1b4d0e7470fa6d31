"""The refiner, the second network of the detector: the specimen in the window around a box.

Belongs here: the architecture and the meaning of its outputs. Does not belong here: its training (`refine`).
"""

from __future__ import annotations

from bioscan_etl.extras import extras_named

with extras_named():
    import torch
    from torch import Tensor, nn
    from torch.nn import functional


_NEAR = 1 / 8
"""Share of the positions on either side of the mode that are averaged for the position of an edge."""


def grid_of(side: int) -> int:
    """Cells per side of the mask, and positions an edge of the box can take, for an input of so many pixels."""
    return side // 2


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution with normalisation and rectifier; only the stride changes the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    """Two convolutions with half as many channels between them: half the cost of the full width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels // 2)
        self.second = nn.Sequential(nn.Conv2d(channels // 2, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class Refiner(nn.Module):
    """A small encoder and decoder with three answers.

    The input is (n, 3, side, side), RGB from 0 to 1; the grid has half as many cells per side. The answers are raw:

    - mask (n, 1, grid, grid): logit that the cell shows the specimen;
    - edges (n, 4, grid): for x0, y0, x1, y1 the logit of each position; position i is i / grid of the side for x0
      and y0, (i + 1) / grid for x1 and y1. One set of weights serves all four: the picture is turned for it;
    - scores (n, 2): logits that there is a specimen, and of the box's IoU with it.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128), top: int = 8) -> None:
        super().__init__()
        one, two, three, four = widths
        self.stem = convolution(3, one, 3, 2)
        self.down1 = nn.Sequential(convolution(one, two, 3, 2), _Residual(two))
        self.down2 = nn.Sequential(convolution(two, three, 3, 2), _Residual(three), _Residual(three))
        self.down3 = nn.Sequential(convolution(three, four, 3, 2), _Residual(four), _Residual(four))
        self.context = nn.Sequential(nn.Linear(2 * four, four), nn.ReLU(inplace=True))
        self.side2, self.up2 = convolution(four, three, 1), convolution(three, three)
        self.side1, self.skip1, self.up1 = convolution(three, two, 1), convolution(two, two, 1), convolution(two, two)
        # Twice as fine without a convolution at that size, which would take a tenth of the network's time.
        self.side0, self.skip0 = nn.Sequential(nn.Conv2d(two, 4 * top, 1), nn.PixelShuffle(2)), nn.Conv2d(one, top, 1)
        self.edge = edge_module(top)
        self.scores = nn.Sequential(
            nn.Linear(four + 2 * three, 64), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(64, 2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mask, edges and scores."""
        zero = self.stem(x)
        one = self.down1(zero)
        two = self.down2(one)
        three = self.down3(two)
        context = self.context(torch.cat([three.mean((2, 3)), three.amax((2, 3))], 1))
        deep = self.up2(two + twice(self.side2(three + context[:, :, None, None])))
        middle = self.up1(self.skip1(one) + twice(self.side1(deep)))
        fine = self.skip0(zero) + self.side0(middle)
        mask = fine[:, :1]
        scores = self.scores(torch.cat([context, deep.mean((2, 3)), deep.amax((2, 3))], 1))
        return mask, edges_of(self.edge, torch.cat([mask.sigmoid(), fine[:, 1:].relu()], 1)), scores


def edge_module(channels: int) -> nn.Sequential:
    """The module that `edges_of` takes, for features of so many channels."""
    return nn.Sequential(
        nn.Conv2d(2 * channels, 32, (1, 5), padding=(0, 2)),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 1, (1, 5), padding=(0, 2)),
    )


def edges_of(edge: nn.Module, x: Tensor) -> Tensor:
    """Logits of the four edges, (n, 4, grid), of features (n, channels, grid, grid): one module serves them all.

    It runs along four lines of positions: columns, rows, and both from the other end.
    """
    columns = torch.cat([x.amax(2), x.mean(2)], 1)
    rows = torch.cat([x.amax(3), x.mean(3)], 1)
    lines = torch.stack([columns, rows], 2)
    found = edge(torch.cat([lines, lines.flip(3)], 2))[:, 0]
    return torch.cat([found[:, :2], found[:, 2:].flip(2)], 1)


def twice(x: Tensor) -> Tensor:
    """Both sides doubled."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class Answers(nn.Module):
    """A network as it is exported: probabilities and a box, instead of logits.

    Gives mask (n, grid, grid), box (n, 4) in shares of the window's side, spread (n, 4) of each edge's position
    in the same unit, and scores (n, 2). The grid is that of the input (`grid_of`).
    """

    def __init__(self, refiner: nn.Module, side: int) -> None:
        super().__init__()
        self.refiner = refiner
        self.register_buffer("positions", positions(grid_of(side)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mask, box, spread and scores."""
        mask, edges, scores = self.refiner(x)
        chances = edges.softmax(2)
        box = places_of(chances, self.positions)
        spread = (chances * (self.positions - box[:, :, None]) ** 2).sum(2).sqrt()
        return mask.sigmoid()[:, 0], box, spread, scores.sigmoid()


def places_of(chances: Tensor, positions: Tensor) -> Tensor:
    """The edges, (n, 4) in shares of the side: the mean of the positions near the mode of each distribution.

    The mean of all positions would be wrong for an edge that is before or behind a wing: neither edge is there.

    Args:
        chances: of the positions, (n, 4, grid).
        positions: as the function of that name gives them.
    """
    grid = positions.shape[2]
    likeliest = functional.avg_pool1d(chances, 3, 1, 1).argmax(2, keepdim=True)
    near = (torch.arange(grid, device=chances.device) - likeliest).abs() <= int(_NEAR * grid)
    chances = chances * near
    return (chances * positions).sum(2) / chances.sum(2)


def positions(grid: int) -> Tensor:
    """The positions of the four edges, in shares of the side; (1, 4, grid)."""
    cells = torch.arange(grid, dtype=torch.float32)
    return torch.stack([cells, cells, cells + 1, cells + 1])[None] / grid
