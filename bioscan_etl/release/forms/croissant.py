"""croissant.json: the release described for machine-learning tools, as mlcroissant validates and loads it.

Belongs here: files, record sets and fields in Croissant's terms (format 1.1); how the release was made is in `_prov`,
what its users should know in `_rai`. Every file has its sha256, and a path
relative to the release. Written as plain JSON: building it with mlcroissant gives the same document, at three seconds
more a release and a dozen libraries more in every installation; the tests check it with that library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.release import descriptors
from bioscan_etl.release.check.descriptors import Place, check_descriptor
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.view import View
from bioscan_etl.release.descriptors import Description
from bioscan_etl.release.forms._prov import NAMESPACE, provenance_of
from bioscan_etl.release.forms._rai import CONFORMS_TO, responsible_use
from bioscan_etl.release.forms.registry import LAST_STAGE, Card, Form, forms
from bioscan_etl.release.layout import DATA, csv_name
from bioscan_etl.release.manifest import Sums

FILE = "croissant.json"
SPECIMENS = "specimens"
"""Record set over the CSV."""

_CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", CONFORMS_TO]
# All terms of the format, used here or not: mlcroissant warns of a context that lacks one.
_TERMS = (
    *("annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract"),
    *("field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath"),
    *("key", "md5", "parentField", "path", "readLines", "recordSet", "references", "regex", "repeated", "replace"),
    *("samplingRate", "sdVersion", "separator", "source", "subField", "transform", "unArchive", "value"),
)
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "prov": NAMESPACE,
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
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


def describe(release: Description) -> dict[str, str]:
    """The text of croissant.json.

    Record sets: `specimens` over the CSV, `data/<split>` over the Parquet files of each split, and the like for each
    form that is Parquet by split. What was done is stated as PROV-O, from the manifest's own provenance.
    """
    settings, counts = release.settings, release.counts
    files = list(descriptors.described(release.found, settings))
    distribution = [_file_object(one) for one in files]
    csv = {"fileObject": {"@id": csv_name(settings)}}
    records = [_record_set(SPECIMENS, "the 23 columns of the CSV", schema.METADATA.columns, csv)]
    folders = [(DATA, schema.METADATA_EXTENDED.columns, "")]
    folders += [(one.folder, one.columns, f" {one.remark}") for form in forms().values() if (one := form.shards)]
    for folder, columns, remark in folders:
        for split in vocabulary.SPLITS:
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
            records.append(_record_set(name, f"rows of {split}{remark}", columns, source))
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS_TO,
        "name": settings.title,
        "description": descriptors.summary(settings, release.version, sum(counts.splits.values()), counts.boxes),
        "url": settings.home_page,
        "license": descriptors.license_address(settings),
        "citeAs": settings.citation,
        "creator": {"@type": "sc:Organization", "name": settings.copyright_holder},
        "keywords": list(descriptors.KEYWORDS),
        "version": descriptors.semantic_version(release.version),
        **responsible_use(counts, settings, release.provenance),
        **provenance_of(release.version, release.inputs, release.provenance),
        "distribution": distribution,
        "recordSet": records,
    }
    return {FILE: json.dumps(document, indent=1, ensure_ascii=False) + "\n"}


def _file_object(one: Sums) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": one.path,
        "name": one.path,
        "contentUrl": one.path,
        "contentSize": f"{one.size} B",
        "encodingFormat": descriptors.media_type(one.path),
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
        **({"isArray": True, "arrayShape": "-1"} if column.dtype == pl.List(pl.String) else {}),
        "source": {**source, "extract": {"column": column.name}, **unpacked},
    }


def check(view: View) -> Iterator[Fault]:
    """The file objects are the files of the release, with their sums; the names are those of the settings."""

    def files(document: Any) -> Iterator[tuple[str, str]]:
        for entry in document["distribution"]:
            if entry["@type"] == "cr:FileObject":
                yield entry["contentUrl"], entry["sha256"]

    texts: dict[str, Place] = {
        "release.home_page": ("url",),
        "release.citation": ("citeAs",),
        "release.copyright_holder": ("creator", "name"),
    }
    yield from check_descriptor(view, FILE, files, texts)


FORM = Form(
    name="croissant",
    about="`croissant.json`: what is in the release, for machine-learning tools (Croissant 1.1).\n\n"
    "States how the release was made (PROV-O) and what its users should know (Croissant RAI 1.0). "
    "Written once the sums of all other files are known.",
    place=120,
    stage=LAST_STAGE,
    owns=lambda _: (FILE,),
    describe=describe,
    check=check,
    card=lambda _: Card(((f"`{FILE}`", "what is here, for machine-learning tools (Croissant)"),)),
    settings=("citation", "copyright_holder", "dataset", "home_page", "image_license", "title"),
    verified={
        "release.copyright_holder": "the descriptors name it",
        "release.home_page": "the descriptors name it",
        "release.citation": "the descriptors name it",
    },
    kinds=("json",),
)
