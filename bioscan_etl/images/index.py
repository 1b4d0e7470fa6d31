"""Which image file belongs to which specimen: the image index of a batch.

Belongs here: matching of files to process IDs by manifest or file name, and hashing of the matched ones.
Does not belong here: what is in the files (`images.decode`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from bioscan_etl.images.manifest_file import LINES, read_manifest
from bioscan_etl.images.sources import DamagedFile, Sources, open_sources, unsafe_reason
from bioscan_etl.printable import printable
from bioscan_etl.processids import unfit
from bioscan_etl.progress import Progress, silent
from bioscan_etl.schema import IMAGE_INDEX
from bioscan_etl.settings import ImageSettings
from bioscan_etl.threads import ordered_map, workers

_IMAGE_SUFFIX = r"(?i)\.(?:jpg|jpeg|png|tif|tiff)$"
_NAMED_BY_PROCESSID = r"^([A-Za-z0-9-]+)(?:(?i)\.1024px\.jpg|(?i)\.(?:jpg|jpeg|png|tif|tiff))$"
_REPORT_EVERY = 500
_CLAIM = ("processid", "image_file", "size_bytes", "rank")


def index_images(
    sources: Sequence[str],
    manifest: Path | str | None,
    processids: pl.Series | None,
    batch: str,
    settings: ImageSettings,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Index the image files of a batch's sources.

    A line of the manifest assigns a file to a process ID, by its path within the source or, if that is not
    unique to one folder, by its file name. Files that no line names are assigned by their own name:
    `{processid}.jpg` (jpeg, png, tif, tiff) or `{processid}.1024px.jpg`. Of several files of a process ID the
    first by name is `found`, those of the manifest first; the others are `duplicate`. Files that are not
    images by their suffix count only if the manifest names them.

    Args:
        sources: folders, zips and S3 prefixes; their order makes no difference.
        manifest: CSV with the columns `processid`, `image_file`; None if there is none.
        processids: process IDs of the batch's records; None takes every file that names one.
        batch: name of the batch.
        settings: number of threads.
        progress: is called with the step "image_index" and the number of files hashed.

    Returns:
        Table `image_index`, sorted by `image_file`, `status`, `processid`. Only files of status `found` have
        been read; one that its source could not deliver has no sha256 and says so in `detail`.

    Raises:
        SourceError: a source or the manifest is absent, broken or out of reach.
    """
    with open_sources(sources) as opened:
        files = _list(opened)
        lines = read_manifest(manifest) if manifest is not None else pl.DataFrame(schema=LINES)
        matched, problems = _match(files, lines)
        rows = _decide(matched, processids)
        found = _hash(opened, rows.filter(pl.col("status") == "found"), workers(settings.workers), progress)
    frames = [problems, rows.filter(pl.col("status") != "found"), found]
    index = pl.concat(frames, how="diagonal").with_columns(batch=pl.lit(batch))
    return IMAGE_INDEX.conform(index).sort("image_file", "status", "processid", nulls_last=True)


def list_images(sources: Sources) -> pl.DataFrame:
    """Every image of the sources by its suffix, independent of the records.

    Returns:
        `image_file` (printable and unique), `name` (to read it by), `processid` (of the file name; null where
        that holds none), `problem` (why it must not be read; '' if it may), sorted by `image_file`.
    """
    files = _list(sources).filter(pl.col("name").str.contains(_IMAGE_SUFFIX))
    again = pl.when(pl.col("repeated")).then(pl.lit("the sources hold this name more than once"))
    return files.select(
        "image_file",
        "name",
        processid=pl.col("base").str.extract(_NAMED_BY_PROCESSID),
        problem=pl.when(pl.col("problem") != "").then("problem").otherwise(again.otherwise(pl.lit(""))),
    ).sort("image_file")


def _list(sources: Sources) -> pl.DataFrame:
    """Files of all sources: image_file (printable, unique), name, base, size_bytes, problem, repeated."""
    rows = [(printable(file.name), file.size, file.problem) for _, file in sources.files()]
    frame = pl.DataFrame(rows, orient="row", schema={"name": pl.String, "size_bytes": pl.Int64, "problem": pl.String})
    again = pl.int_range(pl.len()).over("name")
    return frame.with_columns(
        repeated=again > 0,
        # The same path in a second source, or twice in a zip: the first is read, the others are only counted.
        image_file=pl.when(again > 0).then(pl.format("{}#{}", "name", again + 1)).otherwise("name"),
        base=pl.col("name").str.extract(r"([^/]*)$"),
    )


def _match(files: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Claims of process IDs to files (`_CLAIM`), and rows of the index that are settled already."""
    problems = [
        _settled(files.filter(pl.col("problem") != ""), "unsafe_name", pl.col("problem")),
        _settled(
            files.filter((pl.col("problem") == "") & pl.col("repeated") & pl.col("name").str.contains(_IMAGE_SUFFIX)),
            "duplicate",
            pl.format("the sources hold {} more than once; the first is used", "name"),
        ),
    ]
    files = files.filter((pl.col("problem") == "") & ~pl.col("repeated"))
    by_manifest, bad_lines = _match_lines(files, lines)
    rest = files.join(by_manifest, on="image_file", how="anti").filter(pl.col("name").str.contains(_IMAGE_SUFFIX))
    rest = rest.with_columns(processid=pl.col("base").str.extract(_NAMED_BY_PROCESSID), rank=pl.lit(1, pl.Int8))
    nameless = _settled(
        rest.filter(pl.col("processid").is_null()), "no_record", pl.lit("the file name holds no process ID")
    )
    claims = pl.concat([by_manifest, rest.filter(pl.col("processid").is_not_null()).select(*_CLAIM)])
    return claims, pl.concat([*problems, *bad_lines, nameless], how="diagonal")


def _match_lines(files: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    place = pl.format("(manifest line {})", "line")
    blank = (pl.col("processid") == "") | (pl.col("image_file") == "")
    reason = unfit(pl.col("processid"))
    safe = reason.is_null()
    bad = [
        _settled(
            lines.filter(blank).with_columns(processid=pl.lit(None, pl.String), image_file=place),
            "missing",
            pl.lit("the line lacks a process ID or a file name"),
        ),
        _settled(
            lines.filter(~blank & ~safe)
            .with_columns(detail=pl.format("process ID {} {}", "processid", reason))
            .with_columns(processid=pl.lit(None, pl.String), image_file=place),
            "unsafe_name",
            pl.col("detail"),
        ),
    ]
    lines = lines.filter(~blank & safe).unique(["processid", "image_file"], keep="first", maintain_order=True)
    lines = lines.with_columns(
        problem=pl.col("image_file").map_elements(unsafe_reason, return_dtype=pl.String, skip_nulls=True)
    )
    bad.append(
        _settled(
            # Escaped only after the check: the text is shown, never used as a path.
            lines.filter(pl.col("problem") != "").with_columns(
                pl.col("image_file").map_elements(printable, return_dtype=pl.String)
            ),
            "unsafe_name",
            pl.col("problem"),
        ).unique(["processid", "image_file"], keep="first", maintain_order=True)
    )
    lines = lines.filter(pl.col("problem") == "").select("line", "processid", wanted="image_file")
    exact = lines.join(files, left_on="wanted", right_on="name", how="inner")
    rest = lines.join(exact, on=["processid", "wanted"], how="anti")
    based = rest.join(files, left_on="wanted", right_on="base", how="inner")
    absent = rest.join(based, on=["processid", "wanted"], how="anti")
    bad.append(
        _settled(
            absent.select("processid", image_file="wanted"),
            "missing",
            pl.lit("the manifest names a file that no source holds"),
        )
    )
    claims = [frame.with_columns(rank=pl.lit(0, pl.Int8)).select(*_CLAIM) for frame in (exact, based)]
    return pl.concat(claims).unique(["processid", "image_file"]), bad


def _settled(frame: pl.DataFrame, status: str, detail: pl.Expr) -> pl.DataFrame:
    processid = pl.col("processid") if "processid" in frame.columns else pl.lit(None, pl.String)
    size = [pl.col("size_bytes")] if "size_bytes" in frame.columns else []
    return frame.select(processid.alias("processid"), "image_file", *size, status=pl.lit(status), detail=detail)


def _decide(claims: pl.DataFrame, processids: pl.Series | None) -> pl.DataFrame:
    """The status of each claim: found, duplicate or no_record."""
    claims = claims.sort("processid", "rank", "image_file")
    first = pl.col("image_file").first().over("processid")
    duplicate = pl.int_range(pl.len()).over("processid") > 0
    stranger = pl.lit(value=False)
    if processids is not None:
        stranger = ~pl.col("processid").is_in(processids.drop_nulls().unique().implode())
    return claims.with_columns(
        status=pl.when(stranger)
        .then(pl.lit("no_record"))
        .when(duplicate)
        .then(pl.lit("duplicate"))
        .otherwise(pl.lit("found")),
        detail=pl.when(stranger)
        .then(pl.lit("the batch has no record of this process ID"))
        .when(duplicate)
        .then(pl.format("{} is used for this process ID", first)),
    ).drop("rank")


def _hash(sources: Sources, rows: pl.DataFrame, threads: int, progress: Progress) -> pl.DataFrame:
    """Size and sha256 of the found files; `detail` if one cannot be read."""

    def one(name: str) -> tuple[int | None, str | None, str | None]:
        try:
            data = sources.read(name)
        except DamagedFile as error:
            return None, None, str(error)
        return len(data), hashlib.sha256(data).hexdigest(), None

    sizes: list[int | None] = []
    digests: list[str | None] = []
    details: list[str | None] = []
    progress("image_index", 0, rows.height)
    for done, (_, (size, digest, detail)) in enumerate(ordered_map(one, rows["image_file"], threads), 1):
        sizes.append(size)
        digests.append(digest)
        details.append(detail)
        if done % _REPORT_EVERY == 0 or done == rows.height:
            progress("image_index", done, rows.height)
    return rows.with_columns(
        pl.coalesce(pl.Series(sizes, dtype=pl.Int64), pl.col("size_bytes")).alias("size_bytes"),
        pl.Series("sha256", digests, dtype=pl.String),
        pl.Series("detail", details, dtype=pl.String),
    )
