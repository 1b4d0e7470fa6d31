"""The page of an evaluation: figures, headline numbers and all tables; it opens from a disk, without any request.

Belongs here: the page. Does not belong here: measuring, and drawing (`figures`).
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from bioscan_etl.evaluation.beside import NONE_BEFORE, Earlier
from bioscan_etl.evaluation.figures import Drawn, draw_scores
from bioscan_etl.evaluation.headline import BENCHMARK_TITLES, METRICS, headline, title
from bioscan_etl.evaluation.over_releases import OVER_RELEASES, TITLE, draw_over_releases
from bioscan_etl.extras import MissingExtraError, require_extra
from bioscan_etl.io.write import write_text
from bioscan_etl.printable import printable
from bioscan_etl.release.layout import FIGURES
from bioscan_etl.vocabulary import BENCHMARKS

PAGE = "index.html"
_REPORT = "report"  # folder of the quality report within a release
_NAMES = {"report": "quality report", "gallery": "figures"}
_POLICY = "default-src 'none'; img-src 'self' data: file:; style-src 'unsafe-inline'"


def write_page(
    folder: Path,
    scores: pl.DataFrame,
    release: str,
    *,
    root: Path | None = None,
    place: Path | None = None,
    before: Earlier = NONE_BEFORE,
) -> list[Path]:
    """Write `index.html`, and figures beside it where matplotlib is installed.

    Args:
        folder: of the files.
        scores: `schema.EVALUATION`.
        release: name and version.
        root: folder of the release, whose report and gallery the page links to; None: it has no links.
        place: folder that the files are moved to afterwards, which links start at; None: `folder`.
        before: scores of earlier releases.

    Returns:
        The paths.
    """
    figures: dict[str, tuple[str, str]] = {}
    drawn = _drawn(folder, scores, release, before)
    for name, found in drawn.items():
        figures[name] = (found.path.name, found.caption)
    sections = [
        {
            "name": name,
            "title": BENCHMARK_TITLES[name],
            "figure": figures.get(name),
            "tasks": _tasks(scores.filter(pl.col("benchmark") == name)),
        }
        for name in BENCHMARKS
        if name in scores["benchmark"].unique()
    ]
    first = scores.row(0, named=True) if scores.height else {}
    text: str = _template().render(
        release=printable(release),
        policy=_POLICY,
        digest=first.get("digest", ""),
        seed=first.get("seed", 0),
        versions=sorted({part for row in scores["versions"].unique() for part in row.split(", ")}),
        headline=[_row(row) for row in headline(scores).iter_rows(named=True)],
        sections=sections,
        links=_links(root, place or folder),
        over_releases=figures.get(OVER_RELEASES),
        over_releases_title=TITLE,
        earlier=list(before.scores),
        damaged=before.damaged,
    )
    write_text(folder / PAGE, text)
    return [folder / PAGE, *(path for found in drawn.values() for path in (found.path, found.path.with_suffix(".png")))]


def _drawn(folder: Path, scores: pl.DataFrame, release: str, before: Earlier) -> dict[str, Drawn]:
    """The figures by name; none where matplotlib is missing."""
    try:
        require_extra("figures")
    except MissingExtraError:
        return {}
    found: dict[str, Drawn | None] = {name: draw_scores(scores, name, folder, release) for name in BENCHMARKS}
    if before.scores:
        dataset, _, version = release.rpartition(" ")
        found[OVER_RELEASES] = draw_over_releases({**before.scores, version: scores}, folder, dataset)
    return {name: figure for name, figure in found.items() if figure is not None}


def release_pages(root: Path) -> list[tuple[str, Path]]:
    """The pages that a release has, by name."""
    pages = (("report", root / _REPORT / PAGE), ("gallery", root / FIGURES / PAGE))
    return [(name, page) for name, page in pages if page.is_file()]


def _links(root: Path | None, place: Path) -> list[tuple[str, str]]:
    """Names and relative addresses of the pages of a release."""
    pages = release_pages(root) if root is not None else []
    return [(_NAMES[name], quote(Path(os.path.relpath(page, place)).as_posix())) for name, page in pages]


def _tasks(scores: pl.DataFrame) -> list[dict[str, Any]]:
    found = []
    for (task, queries, keys), rows in scores.group_by("task", "queries", "keys", maintain_order=True):
        found.append(
            {
                "title": title(str(task)),
                "queries": printable(str(queries)),
                "held": printable(str(keys)),
                "rows": [_row(row) for row in rows.iter_rows(named=True)],
            }
        )
    return found


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the scores as texts of the page."""
    return {
        "task": title(row["task"]),
        "model": printable(row["model"]),
        "queries": printable(row["queries"]),
        "keys": printable(row["keys"]),
        "rank": row["rank"],
        "subset": row["subset"],
        "metric": METRICS[row["metric"]],
        "value": percent(row["value"]),
        "interval": f"{percent(row['low'])} – {percent(row['high'])}" if row["value"] is not None else "",
        "majority": percent(row["majority"]),
        "shuffled": percent(row["shuffled"]),
        "n": f"{row['n']:,}",
        "classes": f"{row['classes']:,}",
        "n_keys": f"{row['n_keys']:,}" if row["n_keys"] else "",
        "seconds": "" if row["cpu_seconds"] is None else f"{row['cpu_seconds']:.1f}",
        "note": printable(row["note"] or ""),
    }


def percent(value: float | None) -> str:
    """A score of 100, with one decimal; empty for none.

    Example:
        >>> percent(0.65344), percent(None)
        ('65.3', '')
    """
    return "" if value is None else f"{100 * value:.1f}"


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja")
