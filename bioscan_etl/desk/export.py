"""The desk as files: the same pages, opened from a disk or behind any web server.

Belongs here: the files, their names, and how many there may be. Does not belong here: which doubts and specimens are
written (`excerpt`), what the pages get (`worklist`, `evidence`, `taxon`), their modules as one script (`bundle`), and
decisions that are taken on them (`static/kept.js`).

Everything is numbered or named by a fingerprint: no text of the data becomes a file's name. Data are scripts that hand
their JSON to the page, for Chromium lets no page from a disk read files in another way. The pages of a batch have their
own list of doubts, and share everything else with those of all doubts.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.decisions.vocabulary import COLUMNS
from bioscan_etl.desk.bundle import STATIC, bundle
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.desk.excerpt import REPORT, Excerpt, doubted_taxa, excerpt, first_shown
from bioscan_etl.desk.land import land
from bioscan_etl.desk.states import line_columns, state_rows
from bioscan_etl.desk.taxon import taxon
from bioscan_etl.desk.worklist import as_json, doubts_json, words
from bioscan_etl.desk.written import MOST_DETAILED, beside, write_details, write_evidence, write_images, write_script
from bioscan_etl.doubts.kinds import BY_EVIDENCE, KINDS, NO_GAP
from bioscan_etl.errors import SourceError
from bioscan_etl.io.paths import real_path
from bioscan_etl.progress import Progress, silent

MOST_IMAGES = 2_000
"""Images of the pages, unless told otherwise; one takes about 60 KB."""
MOST_TAXA = 50
"""Taxa that have a page."""
MOST_OF_TAXON = 300
"""Specimens of a taxon that are written, the oddest ones."""
INSTEAD = {"source.js": "kept.js", "specimen.js": "brief.js"}
"""Modules of written pages, by those of the served ones."""

_MARK = "desk.js"
# A page from a disk has no origin, so 'self' is nothing there.
_POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: data:; "
    "base-uri 'none'; form-action 'none'"
)
_OF_SERVER = '<meta name="desk-token" content="{{token}}">'
_MODULE = '<script type="module" src="desk.js"></script>'
_BESIDE = ("desk.css", "icon.svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is written beside the doubts.

    Attributes:
        release: version of the release to which the pages belong; empty: they show the last run.
        front: as of `front.front`.
        trends: as of `trends.Trends.read`.
        batches: batches that have pages of their own.
        most_images: images that are written; open doubts about images come first.
        is_public: leave out what users of the data wrote.
    """

    front: Mapping[str, Any]
    trends: Mapping[str, Any]
    release: str = ""
    batches: Sequence[str] = ()
    most_images: int = MOST_IMAGES
    is_public: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        folder: of the pages; `index.html` is the first.
        doubts: number of doubts.
        images: number of images.
        compared: number of doubts about several specimens that have a page.
    """

    folder: Path
    doubts: int
    images: int
    compared: int


def write_pages(
    corpus: Corpus, folder: Path, contents: Contents, batch: str | None = None, progress: Progress = silent
) -> Written:
    """Write the pages of a corpus. They appear whole or not at all.

    Args:
        corpus: the corpus.
        folder: where; absent, empty, or with pages that were written before, which are replaced.
        contents: what is written beside the doubts.
        batch: only doubts about specimens of this batch; None: all.
        progress: receives images and parts.

    Raises:
        SourceError: the folder has other files, or no doubt is about the batch.
        LakeError: no run has listed doubts yet.
    """
    target = real_path(folder)
    with _swapped(target) as draft:
        done = fill_pages(corpus, draft, contents, batch, progress)
    return Written(target, done.doubts, done.images, done.compared)


def fill_pages(
    corpus: Corpus, folder: Path, contents: Contents, batch: str | None = None, progress: Progress = silent
) -> Written:
    """Write the pages into an empty folder, as `write_pages` does."""
    decisions = corpus.decisions()
    known = corpus.states(decisions)
    if contents.is_public:
        known = known.with_columns(decided_why=pl.when(pl.col("kind") != REPORT).then("decided_why"))
    open_ones = corpus.doubts().filter(known["state"] != "decided")
    taxa = doubted_taxa(corpus, open_ones, MOST_TAXA)
    chosen = excerpt(corpus, batch, taxa, is_public=contents.is_public)
    states = _of(known, chosen)
    first = first_shown(chosen, states)
    sweeps = [found for rank, name in taxa if (found := taxon(chosen, rank, name)) is not None]
    write_details(chosen, first.head(MOST_DETAILED), folder, progress)
    compared = write_evidence(chosen, states, folder, progress)
    pictured = write_images(chosen, first, beside(chosen, compared, sweeps), contents.most_images, folder, progress)
    for number, found in enumerate(sweeps):
        columns = {name: values[:MOST_OF_TAXON] for name, values in found["columns"].items()}
        write_script(
            folder,
            f"taxa/{number}",
            as_json(found | {"columns": columns, "compared": len(found["columns"]["processid"])}),
        )
    folders = {name: f"batches/{folder_of(name)}" for name in contents.batches}
    more: dict[str, Any] = {
        "columns": list(COLUMNS),
        "answers": {name: list(kind.settled_by) for name, kind in KINDS.items()},
        "by_evidence": list(BY_EVIDENCE),
        "no_gap": NO_GAP,
        "release": contents.release,
        "pictures": pictured.processids,
        "large": pictured.large,
        "masked": pictured.masked,
        "compared": compared,
        "taxa": [[found["rank"], found["name"]] for found in sweeps],
        "batches": folders,
    }
    write_script(folder, "words", as_json({**words(chosen, None), **more}))
    write_script(
        folder, "lines", as_json({"lines": line_columns(decisions, None), "refused": decisions.refused.to_dicts()})
    )
    write_script(folder, "land", as_json(land()))
    write_script(folder, "front", as_json(contents.front))
    write_script(folder, "trends", as_json(contents.trends))
    (folder / _MARK).write_text(bundle("desk.js", INSTEAD), encoding="utf-8")
    for name in _BESIDE:
        shutil.copyfile(STATIC / name, folder / name)
    _list(chosen, states, folder, "", batch)
    for done, (name, inner) in enumerate(folders.items(), 1):
        own = chosen.of_batch(name)
        _list(own, _of(known, own), folder / inner, "../../", name)
        progress("write batches", done, len(folders))
    return Written(folder, chosen.doubts().height, len(pictured.processids), len(compared))


def folder_of(batch: str) -> str:
    """Name of the folder of a batch's pages: the name of a batch is text of the data.

    >>> folder_of("north/../2026")
    'fe4591336966'
    """
    return hashlib.sha256(batch.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@contextmanager
def _swapped(target: Path) -> Iterator[Path]:
    """A folder that takes the place of another once it is complete."""
    there = sorted(target.iterdir()) if target.is_dir() else []
    if (target.exists() and not target.is_dir()) or (there and not (target / _MARK).is_file()):
        raise SourceError(f"{target} has other files than pages of the desk; give a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".desk-", dir=target.parent))
    try:
        draft.chmod(0o755)
        yield draft
        if target.exists():
            old = draft.with_name(f"{draft.name}-old")
            target.rename(old)
            draft.rename(target)
            shutil.rmtree(old)
        else:
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _of(states: pl.DataFrame, corpus: Excerpt) -> pl.DataFrame:
    """The states of the doubts of an excerpt, in their order."""
    return states.filter(pl.col("id").is_in(corpus.doubts()["id"].implode()))


def _list(corpus: Excerpt, states: pl.DataFrame, folder: Path, root: str, batch: str | None) -> None:
    """Write a page, and the list of doubts that it shows.

    Args:
        corpus: the doubts.
        states: the same with their state.
        folder: of the page.
        root: relative path from there to what all pages share.
        batch: the batch that the doubts are about; None: all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    details = corpus.doubts()["details"].to_list()
    write_script(folder, "doubts", doubts_json(corpus, details=details, batch=batch))
    write_script(folder, "states", as_json({"rows": state_rows(states)}))
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    for old, new in (
        (_OF_SERVER, f'{policy}\n<meta name="desk-root" content="{root}">'),
        (_MODULE, f'<script defer src="{root}{_MARK}"></script>'),
        *((f'href="{name}"', f'href="{root}{name}"') for name in _BESIDE),
    ):
        if old not in page:
            raise ValueError(f"static/index.html has no {old}")
        page = page.replace(old, new)
    (folder / "index.html").write_text(page, encoding="utf-8")
