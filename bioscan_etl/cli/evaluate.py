"""The command that measures a release: `evaluate`.

Belongs here: its options and output. Does not belong here: benchmarks (`bioscan_etl.evaluation`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, File, Folder, Said, reflowed
from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.vocabulary import Benchmark

if TYPE_CHECKING:
    import polars as pl

_SHOWN = ("task", "model", "rank", "queries", "keys", "value", "low", "high", "majority", "shuffled", "n", "classes")


@reflowed
def evaluate(
    release: str,
    /,
    *,
    benchmark: Annotated[tuple[Benchmark, ...], Parameter(consume_multiple=1)] = (),
    output: Folder | None = None,
    releases: Annotated[Folder | None, Parameter(name="--in", metavar="DIR")] = None,
    budget: Annotated[float, Parameter(metavar="MINUTES")] = 20.0,
    seed: int = 0,
    network: Annotated[str | None, Parameter(metavar="SIZE")] = None,
    weights: Annotated[File | None, Parameter(metavar="FILE")] = None,
    minutes: float = 10.0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    text: bool = False,
    encoder: Annotated[File | None, Parameter(metavar="ONNX")] = None,
    dry_run: bool = False,
    settings: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Measure what a model can learn from a release.

    Run the benchmarks of BarcodeBERT, zero-shot clustering and CLIBD on a release, with models that need no network,
    and with networks where you ask for them. Write every score with its interval and its controls as CSV and Parquet,
    and a page that shows them. Say what it costs before it starts. A run replaces the scores of its own benchmarks;
    those of others of the same release and seed stay. How to read them: docs/benchmarks.md.

    Args:
        release: folder of a release, or a version such as v1 or latest
        benchmark: run these; without it, all
        output: folder for the scores; without it, evaluations/VERSION beside the folder releases
        releases: where a version is looked up: the --output of run, or its folder releases
        budget: processor minutes of all benchmarks together; queries that do not fit are drawn by the seed
        seed: of all that is drawn; the same seed gives the same scores
        network: also pretrain a transformer of this size on the barcodes and align images with barcodes: tiny, 4-4-4,
            8-4-4 or 4-12-12; needs the extra bench
        weights: ask a pretrained transformer instead: a checkpoint of ours, or one that BarcodeBERT published
        minutes: of the training of each benchmark; of one core or a GPU
        device: where networks are trained
        text: align names, too, and look images and barcodes up among them
        encoder: another image encoder, an ONNX file with its sidecar; without it, the one that this package ships
        dry_run: only say what it costs; measure nothing and write nothing
        settings: TOML with settings; barcodes.min_shared_columns counts
    """
    with terminal.progress() as progress:
        found = api.evaluate(
            release,
            benchmarks=benchmark,
            output=output,
            releases=releases,
            budget=budget,
            seed=seed,
            network=network,
            weights=weights,
            minutes=minutes,
            device=device,
            text=text,
            encoder=encoder,
            settings=settings,
            progress=progress,
            announce=None if dry_run else lambda estimated: _announce(terminal, estimated),
            dry_run=dry_run,
        )
    terminal.fact(release=found.release, estimated=found.estimated, dry_run=dry_run)

    import polars as pl

    from bioscan_etl.evaluation.estimate import in_words
    from bioscan_etl.evaluation.headline import headline
    from bioscan_etl.evaluation.run import UNREAD

    if dry_run:
        for line in in_words(found.estimated):
            terminal.say(line)
        return 0
    first = headline(found.scores).select(_SHOWN)
    terminal.frame(
        "scores", first.with_columns((pl.col("value", "low", "high", "majority", "shuffled") * 100).round(1))
    )
    terminal.fact(scores=first, count=found.scores.height, output=found.folder, files=found.files)
    missing = found.scores.filter(pl.col("value").is_null()).height
    terminal.say(f"{found.scores.height:,} measurements, {missing:,} of them not applicable: {found.folder}/scores.csv")
    if (unread := found.tables.get(UNREAD)) is not None:
        terminal.say(f"{unread.height:,} images could not be read and were left out: {found.folder}/{UNREAD}.csv")
    terminal.say(f"page: {found.folder}/index.html")
    return 0


def _announce(terminal: Terminal, estimated: pl.DataFrame) -> None:
    from bioscan_etl.evaluation.estimate import in_words

    for line in in_words(estimated):
        terminal.note(line)
