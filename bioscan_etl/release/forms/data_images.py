"""`data_images/`: the rows of data/ with each specimen's image, as Hugging Face reads it.

Belongs here: the image column and the shards of images. Does not belong here: the rows themselves
(`release.tables`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl import schema, vocabulary
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.check.agreement import agreement
from bioscan_etl.release.check.faults import Fault, Listing
from bioscan_etl.release.check.shapes import check_shapes
from bioscan_etl.release.check.tables import UNREADABLE, parquet_form, row_groups, shards_of, unreadable
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms.registry import Card, Form, Shards
from bioscan_etl.release.rows import (
    Pieces,
    package_folder,
    released,
    released_groups,
    remove_temporary,
    with_path,
)
from bioscan_etl.release.staging import Staging
from bioscan_etl.release.tables import shards
from bioscan_etl.settings import ReleaseSettings

PACKAGE = "cropped_256"
FOLDER = "data_images"
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Without this the column is a struct to Hugging Face, and not an image (spec: the release, Parquet).
_FEATURES = {b"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}}).encode()}


def images_schema() -> pa.Schema:
    """Arrow schema of the files: `schema.METADATA_EXTENDED`, then `image`; one for all files."""
    return schema.METADATA_EXTENDED.arrow().append(pa.field("image", _IMAGE)).with_metadata(_FEATURES)


def build(staging: Staging, settings: ReleaseSettings, progress: Progress) -> None:
    """Write the shards from the staged metadata and images; a killed run resumes by shard.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    root = package_folder(staging, settings, PACKAGE)
    counts = dict(released(staging, ["split"]).group_by("split").len().iter_rows())
    folder = staging.tree / FOLDER
    remove_temporary(folder)

    def groups(split: str) -> Iterator[pl.DataFrame]:
        for rows in released_groups(staging, schema.METADATA_EXTENDED.names(), [split]):
            yield with_path(rows)

    write_data_images(groups, counts, root, folder, settings, progress)


def write_data_images(
    groups: Callable[[str], Iterable[pl.DataFrame]],
    counts: dict[str, int],
    root: Path,
    folder: Path,
    settings: ReleaseSettings,
    progress: Progress = silent,
) -> None:
    """Write `<split>-NNNNN-of-NNNNN.parquet`; a shard that is there is kept, so a killed run resumes.

    Memory holds the images of one row group. A split without specimens has one file without rows.

    Args:
        groups: rows of a split, in pieces, sorted: `schema.METADATA_EXTENDED` and `path` within the package,
            null if a specimen has no image.
        counts: rows by split.
        root: folder of the package `cropped_256`.
        folder: where the files go.
        settings: rows of a file and of a row group.
        progress: reports each row group.
    """
    done, total = 0, sum(counts.values())
    for split in vocabulary.SPLITS:
        parts = list(shards(counts.get(split, 0), settings.images_per_shard))
        paths = [folder / f"{split}-{number:05d}-of-{len(parts):05d}.parquet" for number, _, _ in parts]
        if not all(path.is_file() for path in paths):
            rows = Pieces(groups(split))
            for path, (_, _, length) in zip(paths, parts, strict=True):
                pieces = rows.take(length, settings.images_per_group)
                if path.is_file():
                    for piece in pieces:
                        progress("data_images", done + piece.height, total)
                else:
                    _write_shard(pieces, root, path)
                done += length
                progress("data_images", done, total)
        else:
            done += counts.get(split, 0)


def _write_shard(pieces: Iterator[pl.DataFrame], root: Path, path: Path) -> None:
    arrow = images_schema()
    # JPEG does not compress: trying would cost time and gain nothing.
    codecs = {name: "zstd" for name in arrow.names if name not in {"image", "flags"}}
    codecs |= {"flags.list.element": "zstd", "image.bytes": "none", "image.path": "zstd"}
    with (
        atomic_file(path) as stream,
        pq.ParquetWriter(stream, arrow, compression=codecs, write_page_index=True, write_page_checksum=True) as writer,
    ):
        for piece in pieces:
            writer.write_table(_with_images(piece, root, arrow), row_group_size=max(piece.height, 1))


def _with_images(rows: pl.DataFrame, root: Path, arrow: pa.Schema) -> pa.Table:
    table = rows.select(schema.METADATA_EXTENDED.names()).to_arrow()
    names = rows["path"].to_list()
    pictures: list[dict[str, Any] | None] = [
        None if name is None else {"bytes": (root / name).read_bytes(), "path": name.rsplit("/", 1)[-1]}
        for name in names
    ]
    return table.append_column("image", pa.array(pictures, _IMAGE)).cast(arrow)


def check(view: View) -> Iterator[Fault]:
    """Each row of data_images/ has the values of data/, and the bytes of its image file."""
    root, data, images = view.root, view.data, view.files(PACKAGE)
    yield from check_shapes(root, FOLDER, "release.images_per_shard", "release.images_per_group", view.stated)
    faults: list[Fault] = []
    shards = shards_of(root, FOLDER, images_schema(), faults)
    yield from faults
    if shards is None:
        return
    listing = Listing()
    for name, split in shards:
        try:
            for piece in row_groups(root, name, ["processid", "split", "image"]):
                listing.add(name, piece.filter(pl.col("split") != split), "is of split {split}")
                for rows, message in _pictures(piece, images):
                    listing.add(name, rows, message)
        except UNREADABLE as error:
            yield unreadable(name, error)
            return
    yield from listing.faults()
    form = parquet_form(root, FOLDER, [name for name, _ in shards], schema.METADATA_EXTENDED.names())
    yield from agreement(data.form, form)


def _pictures(piece: pl.DataFrame, images: Mapping[str, Path]) -> Iterator[tuple[pl.DataFrame, str]]:
    found = piece.select(
        "processid",
        name=pl.col("image").struct.field("path"),
        jpeg=pl.col("image").struct.field("bytes"),
        expected=pl.concat_str("processid", pl.lit(".jpg")),
    )
    has = found["processid"].is_in(list(images))
    yield found.filter(has & found["jpeg"].is_null()).select("processid"), "the image is missing"
    yield found.filter(~has & found["jpeg"].is_not_null()).select("processid"), "no specimen of data has an image here"
    named = found.filter(pl.col("jpeg").is_not_null())
    wrong = named.filter(pl.col("name").ne_missing(pl.col("expected")))
    yield wrong.select("processid", "name"), "its image is named {name}"
    same = [
        processid not in images or not images[processid].is_file() or images[processid].read_bytes() == jpeg
        for processid, jpeg in named.select("processid", "jpeg").iter_rows()
    ]
    yield named.filter(~pl.Series(same, dtype=pl.Boolean)).select("processid"), "differs from the image file"


_DESCRIBED = (
    schema.METADATA["processid"],
    schema.METADATA["split"],
    schema.METADATA["dna_barcode"],
    *(schema.METADATA[rank] for rank in vocabulary.RANKS),
    schema.Column("image", pl.Binary(), "the image of package cropped_256, JPEG"),
)


def _card(_: ReleaseSettings) -> Card:
    what = "the rows of `data/` with the bytes of cropped_256 in the column `image`"
    return Card((("`data_images/<split>-NNNNN-of-NNNNN.parquet`", what),))


FORM = Form(
    name=FOLDER,
    about="The rows of `data/` with the bytes of cropped_256 as a Hugging Face image column: `data_images/`.\n\n"
    "Source: release_metadata and image_packages. A killed run goes on by shard.",
    place=30,
    stage="image_tables",
    owns=lambda _: (FOLDER,),
    build=build,
    check=check,
    card=_card,
    images=True,
    image_package=PACKAGE,
    settings=("dataset", "images_per_group", "images_per_shard"),
    verified={
        "release.images_per_group": "rows of the row groups in data_images/",
        "release.images_per_shard": "rows of the files in data_images/",
    },
    resumable=True,
    kinds=("parquet",),
    shards=Shards(FOLDER, _DESCRIBED, "with their images", "images"),
)
