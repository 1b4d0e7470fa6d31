"""The figures of a detector as lines of text, and as the tables of the model card.

Belongs here: how figures are shown. Does not belong here: what they are (`evaluate.Result`, here as a dictionary, so
that a stored JSON file can be shown as well).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioscan_etl.training.outcomes import SIZES

Figures = Mapping[str, Any]

_GROUPED = {
    "AP75": "AP 0.75",
    "AR": "AR 0.50:0.95",
    "empty_as_empty": "empty as empty",
    "empty_as_empty_or_sent": "empty as empty or sent",
    "occupied_as_empty": "occupied as empty",
    "sent": "sent to a person",
}
_SHARES = ("empty_as_empty", "empty_as_empty_or_sent", "occupied_as_empty", "sent")
_DERIVED = ("area_fraction", "scale_factor", "image_measurement_value")


def as_text(result: Figures) -> str:
    """A result as lines of text."""
    lines = [f"detector          {result['detector']}"]
    lines.append(f"images            {result['occupied']} occupied, {result['empty']} empty ({result['part']})")
    for name, figures in _by_size(result["coco"]):
        text = "  ".join(f"{key} {value:.3f}" for key, value in figures.items() if key != "specimens")
        lines.append(f"{name:8}{figures['specimens']:5}     {text}")
    lines.append(f"empty as empty    {result['empty_as_empty']:.3f}")
    lines.append(f"occupied as empty {result['occupied_as_empty']:.3f}")
    lines += [f"statuses {name:9} {counts}" for name, counts in result["statuses"].items()]
    for name, sized in _by_size(result["sizes"]):
        text = f"reported empty {sized['missed']:.3f}"
        if sized["mask_iou"] is not None:
            text += f"  mask IoU {sized['mask_iou']:.3f} (median)"
        lines.append(f"{name:8}{sized['specimens']:5}     {text}")
        lines += [
            f"    error of {what}: {median:.1%} median, {ninth:.1%} at the 90th percentile"
            for what, (median, ninth) in sized["errors"].items()
        ]
    lines.append("figures with 95 % intervals")
    for name, group in _groups(result):
        lines.append(f"  {_titled(name, group)}")
        lines += [
            f"    {title:23} {_with_interval(group['figures'][key], share=key in _SHARES)}"
            for key, title in _GROUPED.items()
            if key in group["figures"]
        ]
        lines += [f"    statuses {kind:9} {counts}" for kind, counts in group["statuses"].items() if counts]
    lines.append(f"CPU per image     {result['cpu_ms']:.1f} ms")
    return "\n".join(lines)


def as_markdown(result: Figures) -> str:
    """The tables of the model card: boxes by size, derived values by size, and labels by triage."""
    return "\n\n".join((_boxes(result), _values(result), _labels(result)))


def _boxes(result: Figures) -> str:
    header = ["boxes", "AP 0.50", "AP 0.75", "AP 0.50:0.95", "AR 0.50:0.95", "occupied as empty"]
    rows = []
    for name, figures in _by_size(result["coco"]):
        known = result["intervals"][name]
        cells = [f"{figures['AP50']:.3f}", _with_interval(known["AP75"]), f"{figures['AP']:.3f}"]
        lost = _with_interval(known["occupied_as_empty"], share=True)
        rows.append([_size(name, int(figures["specimens"])), *cells, _with_interval(known["AR"]), lost])
    return _table(header, rows)


def _values(result: Figures) -> str:
    header = ["boxes", "mask IoU, median", "area fraction", "scale factor", "organism pixels"]
    rows = []
    for name, sized in _by_size(result["sizes"]):
        errors = [
            ", ".join(f"{100 * error:.1f} %" for error in sized["errors"][key]) if key in sized["errors"] else ""
            for key in _DERIVED
        ]
        mask = "" if sized["mask_iou"] is None else f"{sized['mask_iou']:.2f}"
        rows.append([_size(name, sized["specimens"]), mask, *errors])
    return _table(header, rows)


def _labels(result: Figures) -> str:
    header = ["images", "occupied", "empty", *_GROUPED.values()]
    rows = []
    for name, group in _groups(result):
        cells = [
            _with_interval(group["figures"][key], share=key in _SHARES) if key in group["figures"] else ""
            for key in _GROUPED
        ]
        rows.append([_label(name, group), str(group["occupied"]), str(group["empty"]), *cells])
    return _table(header, rows)


def _by_size(figures: Figures) -> list[tuple[str, Any]]:
    return [(name, figures[name]) for name in SIZES if name in figures]  # a stored file has them by name


def _groups(result: Figures) -> list[tuple[str, Any]]:
    """All agreed images, each kind of them, then the same of the disputed ones."""
    return sorted(result["groups"].items(), key=lambda one: (not one[1]["agreed"], ", " in one[0], one[0]))


def _label(name: str, group: Figures) -> str:
    return name if group["agreed"] or name == "disputed" else f"{name} (disputed)"


def _titled(name: str, group: Figures) -> str:
    return f"{_label(name, group)}: {group['occupied']} occupied, {group['empty']} empty"


def _size(name: str, specimens: int) -> str:
    low, high = SIZES[name]
    if name == "all":
        return f"all {specimens}"
    if low == 0:
        return f"{specimens} below {100 * high:g} % of the image"
    return f"{specimens} above {100 * low:g} %" if high == 1 else f"{specimens} of {100 * low:g} to {100 * high:g} %"


def _with_interval(one: Mapping[str, float], *, share: bool = False) -> str:
    """`0.652 [0.593, 0.710]`, or `2.9 % [0.7, 5.8]` of a share."""
    if share:
        return f"{100 * one['value']:.1f} % [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
