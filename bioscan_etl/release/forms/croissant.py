"""croissant.json: the release described for machine-learning tools, as mlcroissant validates and loads it.

Belongs here: files, record sets and fields in Croissant's terms (format 1.0). Every file has its sha256, and a path
relative to the release. Written as plain JSON: building it with mlcroissant gives the same document, at three seconds
more a release and a dozen libraries more in every installation; the tests hold it against that library.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl import schema
from bioscan_etl.io.write import write_text
from bioscan_etl.release import descriptors
from bioscan_etl.release.manifest import Counts, Sums
from bioscan_etl.release.parts import csv_name
from bioscan_etl.settings import ReleaseSettings

SPECIMENS = "specimens"
"""Record set over the CSV."""

# All terms of the format, used here or not: mlcroissant warns of a context that lacks one.
_TERMS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}
_DATA_TYPES: dict[pl.DataType, str] = {
    pl.Float64(): "sc:Float",
    pl.Int64(): "sc:Integer",
    pl.UInt8(): "sc:Integer",
    pl.Boolean(): "sc:Boolean",
    pl.Date(): "sc:Date",
    pl.Binary(): "sc:ImageObject",
}
_WITH_IMAGE = (
    schema.METADATA["processid"],
    schema.METADATA["split"],
    schema.METADATA["dna_barcode"],
    *(schema.METADATA[rank] for rank in schema.RANKS),
    schema.Column("image", pl.Binary(), "the image of package cropped_256, JPEG"),
)


def write_croissant(
    root: Path, *, version: str, found: Iterable[Sums], counts: Counts, settings: ReleaseSettings
) -> None:
    """Write croissant.json.

    Record sets: `specimens` over the CSV, `data/<split>` over the Parquet files of each split, `data_images/<split>`
    over the images in Parquet, where there are any.

    Args:
        root: the release's folder.
        version: such as `v3`.
        found: sums of its files.
        counts: rows and images.
        settings: names, licence, forms.
    """
    files = list(descriptors.described(found, settings))
    distribution = [_file_object(one, settings) for one in files]
    csv = {"fileObject": {"@id": csv_name(settings)}}
    records = [_record_set(SPECIMENS, "the 23 columns of the CSV", schema.METADATA.columns, csv)]
    for folder, columns in (("data", schema.METADATA_EXTENDED.columns), ("data_images", _WITH_IMAGE)):
        for split in schema.SPLITS:
            shards = [one.path for one in files if one.path.startswith(f"{folder}/{split}-")]
            name = f"{folder}/{split}"
            if not shards:
                continue
            source = {"fileObject": {"@id": shards[0]}}
            if len(shards) > 1:
                # mlcroissant reads several files as one only as a set of local files, whose sums it does not look at;
                # so a single file, which it does check, is named as a file.
                distribution.append(_file_set(f"{name}-files", f"{name}-*.parquet"))
                source = {"fileSet": {"@id": f"{name}-files"}}
            meaning = f"rows of {split}" + (" with their images" if folder == "data_images" else "")
            records.append(_record_set(name, meaning, columns, source))
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": settings.title,
        "description": descriptors.summary(settings, version, sum(counts.splits.values()), counts.boxes),
        "url": settings.home_page,
        "license": descriptors.license_address(settings),
        "citeAs": settings.citation,
        "creator": {"@type": "sc:Organization", "name": settings.copyright_holder},
        "keywords": list(descriptors.KEYWORDS),
        "version": descriptors.semantic_version(version),
        "distribution": distribution,
        "recordSet": records,
    }
    write_text(root / descriptors.CROISSANT, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _file_object(one: Sums, settings: ReleaseSettings) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": one.path,
        "name": one.path,
        "contentUrl": one.path,
        "contentSize": f"{one.size} B",
        "encodingFormat": descriptors.media_type(one.path, settings),
        "sha256": one.sha256,
    }


def _file_set(name: str, includes: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "encodingFormat": "application/x-parquet",
        "includes": includes,
    }


def _record_set(name: str, meaning: str, columns: Sequence[schema.Column], source: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": meaning,
        "key": {"@id": f"{name}/processid"},
        "field": [_field(name, column, source) for column in columns],
    }


def _field(record_set: str, column: schema.Column, source: dict[str, Any]) -> dict[str, Any]:
    name = f"{record_set}/{column.name}"
    # An image column is a struct; its bytes are the image.
    unpacked = {"transform": {"jsonPath": "bytes"}} if column.dtype == pl.Binary() else {}
    return {
        "@type": "cr:Field",
        "@id": name,
        "name": name,
        "description": descriptors.meaning(column),
        "dataType": _DATA_TYPES.get(column.dtype, "sc:Text"),
        **({"repeated": True} if column.dtype == pl.List(pl.String) else {}),
        "source": {**source, "extract": {"column": column.name}, **unpacked},
    }
