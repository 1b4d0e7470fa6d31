"""The readers of the fuzz run: for each kind of file, sound examples of it, and the code that reads it.

Belongs here: the examples, and what a reader is called with. Does not belong here: the damage (`fuzz_mutators`) and the
judgement (`fuzz_run`).
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
from fuzz_mutators import BYTES, GZIP, JSON, JSON_LINES, PARQUET, TAR, TEXT, ZIP, Mutator, hostile, mutated
from images_drawn import insect, well
from PIL import Image

import bioscan_etl
from bioscan_etl import landing
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.evaluation.encoder import ImageEncoder
from bioscan_etl.images.coco import Outlined, write_coco
from bioscan_etl.images.decode import UnreadableImage, decode
from bioscan_etl.images.detect import load_detector
from bioscan_etl.images.detection import SHIPPED
from bioscan_etl.images.index import index_images
from bioscan_etl.images.reviews import SHEET, read_reviews
from bioscan_etl.lake import Lake, failures, pins, withdrawals
from bioscan_etl.lake.corpus import install_settings
from bioscan_etl.lake.record import Record, StageRecord, find_record
from bioscan_etl.records.compare import compare_files
from bioscan_etl.records.extract import extract
from bioscan_etl.records.inspect import inspect
from bioscan_etl.records.sources import RecordsFile
from bioscan_etl.release.check import check
from bioscan_etl.release.classes import RANKED
from bioscan_etl.release.samples import Chosen, open_samples
from bioscan_etl.settings import ImageSettings, RecordSettings, ReleaseSettings, Settings, SplitSettings, load_settings
from bioscan_etl.splits.files import split_table
from bioscan_etl.training.dataset import read_annotations
from bioscan_etl.training.labels import read_triage
from bioscan_etl.training.ordinary_tables import read_judged, read_published
from bioscan_etl.vocabulary import RANKS, SPLITS

_IMAGES = ImageSettings(max_pixels=4_000_000, workers=1)


@dataclass(frozen=True)
class Read:
    """What a reader has to say of a file that it has not refused.

    Attributes:
        rows: that the file certainly has; 0 if it cannot be known.
        accounted: rows that were accepted, set aside or rejected.
        messages: texts for the user.
    """

    rows: int = 0
    accounted: int = 0
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seed:
    """A sound file: its name, its bytes, and what can happen to it."""

    name: str
    data: bytes
    mutators: tuple[Mutator, ...]


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    Attributes:
        name: of the kind.
        share: of the files of a run.
        seeds: sound files.
        read: reads `inputs/<name>`, writes below `output` alone.
        raises: what it may raise beside `BioscanError` and `OSError`: states of the data.
    """

    name: str
    share: float
    seeds: tuple[Seed, ...]
    read: Callable[[Path, Path, random.Random], Read]
    raises: tuple[type[Exception], ...] = field(default=())


def readers(home: Path, cases: Path | None = None) -> list[Reader]:
    """All readers, with their sound files.

    Args:
        home: an empty folder for what the sound files are made of.
        cases: the folder of the shared cases, whose records are taken too.
    """
    bioscan_etl.write_demo(home / "demo", specimens=12)
    tables = _tables(home / "demo" / "landing", cases)
    tables_seed = Seed("records.tsv", tables[0][1], TEXT)
    return [
        Reader("records", 0.42, tuple(_records(tables)), _read_records),
        Reader("images", 0.2, tuple(_images()), _read_image, (UnreadableImage,)),
        Reader("manifests", 0.06, _manifests(), _manifest_reader(home)),
        Reader("settings", 0.1, _settings(), _read_settings),
        Reader("decisions", 0.06, tuple(_decisions(home)), _read_decision),
        Reader("models", 0.02, _models(), _read_model),
        Reader("encoders", 0.01, _encoders(home), _read_encoder),
        Reader("archives", 0.06, _archives(), _read_archive),
        Reader("deliveries", 0.02, (tables_seed,), _read_delivery),
        Reader("releases", 0.01, (Seed("", b"", ()),), _release_reader(home)),
        Reader("markers", 0.04, tuple(_small_files(home)), _read_small_file),
        Reader("tables", 0.03, tuple(_split_tables()), _read_table),
    ]


# ---------------------------------------------------------------- records


def _tables(landed: Path, cases: Path | None) -> list[tuple[str, bytes]]:
    found = [(path.stem, path.read_bytes()) for path in sorted(landed.rglob("*.tsv"))]
    if cases is not None:
        found += [(path.parent.name, path.read_bytes()) for path in sorted(cases.glob("*/records.tsv"))]
    return [(name, b"\n".join(data.split(b"\n")[:14]) + b"\n") for name, data in found]


def _records(tables: list[tuple[str, bytes]]) -> Iterator[Seed]:
    for name, data in tables:
        frame = pl.read_csv(
            data, separator="\t", quote_char=None, infer_schema=False, encoding="utf8-lossy", truncate_ragged_lines=True
        )
        lines = frame.write_ndjson().encode()
        parquet = io.BytesIO()
        frame.write_parquet(parquet)
        yield Seed(f"{name}.tsv", data, TEXT)
        yield Seed(f"{name}.tsv.gz", gzip.compress(data, 1, mtime=0), GZIP)
        yield Seed(f"{name}.zip", _zip({f"{name}.tsv": data, "datapackage.json": b"{}"}), ZIP)
        yield Seed(f"{name}.tar.gz", _tar({f"BOLD/{name}.tsv": data, "BOLD/datapackage.json": b"{}"}), TAR)
        yield Seed(f"{name}.jsonl", lines, JSON_LINES)
        yield Seed(f"{name}.parquet", parquet.getvalue(), PARQUET)


def _zip(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(target.getvalue(), 1, mtime=0)


def _read_records(path: Path, output: Path, rng: random.Random) -> Read:
    file = RecordsFile(str(path))
    if rng.random() < 0.2:
        inspect(file)
    counts = extract([file], "fuzz", RecordSettings(), output)
    accounted = 0
    for name in ("records", "set_aside", "rejects"):
        accounted += pl.scan_parquet(output / f"{name}.parquet", glob=False).select(pl.len()).collect().item()
    assert accounted == counts.rows_read, f"{counts.rows_read} rows were counted, {accounted} are in the tables"
    details = pl.read_parquet(output / "rejects.parquet", columns=["detail"], glob=False)["detail"].drop_nulls()
    return Read(_certain_rows(path), accounted, tuple(details.unique()))


def _certain_rows(path: Path) -> int:
    """Rows that a file certainly has, counted without our readers; 0 if only a reader can tell."""
    data = path.read_bytes()
    if data.startswith(b"PAR1"):
        try:
            return int(pl.scan_parquet(data).select(pl.len()).collect().item())
        except Exception:
            return 0
    if path.suffix not in (".tsv", ".jsonl") or any(
        one in data for one in (b'"\t', b'\t"', b"\r", b"\0", b"PK", b"\x1f\x8b")
    ):
        return 0
    filled = sum(1 for line in data.split(b"\n") if line.strip(b"\t"))  # a line of separators alone is blank
    return filled if path.suffix == ".jsonl" else max(0, filled - 1)


# ---------------------------------------------------------------- images


def _images() -> Iterator[Seed]:
    drawn = well(160, 120)
    insect(drawn, (80, 60), 60)
    picture = Image.fromarray(drawn)
    brightest = Image.fromarray(drawn[:, :, 0].astype(np.uint16) * 257)
    for name, shown, options in (
        ("a.jpg", picture, {"quality": 60}),
        ("b.jpg", picture, {"quality": 60, "progressive": True, "exif": _exif(6)}),
        ("c.png", picture, {}),
        ("d.png", picture.convert("P"), {}),
        ("e.tif", picture, {"compression": "tiff_lzw"}),
        ("f.tif", picture, {}),
        ("g.tif", brightest, {}),
        ("h.jpg", picture.convert("CMYK"), {}),
        ("i.png", picture.convert("LA"), {}),
    ):
        target = io.BytesIO()
        shown.save(target, {"jpg": "JPEG", "png": "PNG", "tif": "TIFF"}[name[-3:]], **options)
        yield Seed(name, target.getvalue(), BYTES)
    deep = cv2.imencode(".png", drawn.astype(np.uint16) * 200)[1].tobytes()
    yield Seed("j.png", deep, BYTES)


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _read_image(path: Path, output: Path, rng: random.Random) -> Read:
    pixels = decode(path.read_bytes(), _IMAGES.max_pixels)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    return Read()


_MANIFEST = b"processid,image_file\nAAAAA-01,a.jpg\nAAAAA-02,b/c.jpg\nAAAAA-03,d.png\nAAAAA-04,gone.jpg\n"


def _manifests() -> tuple[Seed, ...]:
    return (Seed("image_manifest.csv", _MANIFEST, TEXT),)


def _manifest_reader(home: Path) -> Callable[[Path, Path, random.Random], Read]:
    folder = home / "pictures"
    (folder / "b").mkdir(parents=True)
    for name in ("a.jpg", "b/c.jpg", "d.png"):
        (folder / name).write_bytes(b"x")
    processids = pl.Series([f"AAAAA-0{number}" for number in range(5)])

    def read(path: Path, output: Path, rng: random.Random) -> Read:
        index = index_images([str(folder)], path, processids, "fuzz", _IMAGES)
        # Each image of the folder has a row of its own, whatever the manifest says.
        seen = index.filter(pl.col("image_file").is_in(["a.jpg", "b/c.jpg", "d.png"]))["image_file"].n_unique()
        shown = [*index["detail"].drop_nulls(), *index["image_file"]]
        return Read(3, seen, tuple(shown))

    return read


def _archives() -> tuple[Seed, ...]:
    pictures = {f"AAAAA-0{number}.jpg": b"\xff\xd8 no picture" for number in range(3)}
    return (Seed("images.zip", _zip(pictures), ZIP),)


def _read_archive(path: Path, output: Path, rng: random.Random) -> Read:
    index = index_images([str(path)], None, None, "fuzz", _IMAGES)
    return Read(messages=(*index["detail"].drop_nulls(), *index["image_file"]))


# ---------------------------------------------------------------- settings and decisions


def _settings() -> tuple[Seed, ...]:
    chosen = Settings().model_dump(mode="json")
    lines = []
    for section, values in chosen.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {_toml(value)}" for name, value in values.items() if value is not None]
    return (Seed("settings.toml", "\n".join(lines).encode() + b"\n", (_setting_changed, _setting_changed, *TEXT)),)


def _toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value)


def _setting_changed(data: bytes, rng: random.Random) -> bytes:
    """A value of a setting replaced."""
    lines = data.split(b"\n")
    at = rng.choice([number for number, line in enumerate(lines) if b" = " in line])
    name = lines[at].split(b" = ")[0]
    value = rng.choice(
        (
            *("inf", "-inf", "nan", "-1", "0", "1e308", "9" * 30, "9" * 5000, "true", "[]", "[0, 0]", "[[1]]", "{}"),
            *("2020-01-01", "07:32:00", "[" * 3000 + "]" * 3000, "'''a\nb'''", "''", "0x7f", "1_0", "[1, 'a']"),
            json.dumps(hostile(rng)),
            json.dumps([hostile(rng)]),
        )
    )
    lines[at] = name + b" = " + value.encode("utf-8", "surrogatepass")
    return b"\n".join(lines)


def _read_settings(path: Path, output: Path, rng: random.Random) -> Read:
    found = load_settings(path)
    found.digest()
    said = install_settings(Lake(output), path)
    assert load_settings(output / "settings.toml") == found
    return Read(messages=tuple(said))


_RANK_NAMES = dict(
    zip(RANKS, ("Arthropoda", "Insecta", "Diptera", "Culicidae", "Culicinae", "Aedes", "Aedes vexans"), strict=False)
)


def _boxes() -> pl.DataFrame:
    ids = ["AAAAA-01", "AAAAA-02"]
    edges = {name: [float(number)] * 2 for name, number in (("x0", 10), ("y0", 10), ("x1", 90), ("y1", 60))}
    return pl.DataFrame(
        {
            "batch": "b",
            "processid": ids,
            "image_file": [f"{one}.jpg" for one in ids],
            "width_original": 160,
            "height_original": 120,
            "sha256": ["0" * 64, "1" * 64],
            "status": "detected",
            **edges,
        }
    )


def _decisions(home: Path) -> Iterator[Seed]:
    yield Seed(
        "decisions.csv",
        b"processid,rank,name,group,action,field,value,reason,note,curator,date,evidence\n"
        b"AAAAA-01,,,,relabel,genus,Culex,checked,seen,me,2025-01-31,\n"
        b"AAAAA-02,,,,box,,1 2 50 60,wrongly_cropped,,me,2025-01-31,0123456789abcdef\n"
        b',species,Aedes vexens,,merge,,Aedes vexans,spelling,"a, b",me,2025-01-31,\n',
        TEXT,
    )
    row = dict.fromkeys(SHEET, "") | {
        "processid": "AAAAA-01",
        "image_file": "AAAAA-01.jpg",
        "verdict": "box",
        "x0": "1",
        "y0": "2",
        "x1": "50",
        "y1": "60",
        "curator": "me",
        "date": "2025-01-31",
    }
    lines = [
        ",".join(SHEET),
        ",".join(row.values()),
        ",".join((row | {"processid": "AAAAA-02", "image_file": "", "verdict": "skip"}).values()),
    ]
    yield Seed("reviews.csv", "\n".join(lines).encode() + b"\n", TEXT)
    path = home / "coco.json"
    write_coco(path, [Outlined("a.jpg", (160, 120), (1, 2, 50, 60), ()), Outlined("b.jpg", (160, 120), None, ())])
    yield Seed("coco.json", path.read_bytes(), JSON)
    yield Seed("triage.csv", b"image_file,annotation,second_triage\na.jpg,specimen,blurred\nb.jpg,empty,empty\n", TEXT)


_LISTED = {"a.jpg": True, "b.jpg": False}
_LABELS: dict[str, Callable[[Path], dict]] = {
    "triage.csv": lambda path: read_triage(path, _LISTED),
    "published_boxes.csv": lambda path: read_published(path, list(_LISTED)),
    "judged.csv": lambda path: read_judged(path, list(_LISTED), "d"),
}


def _read_decision(path: Path, output: Path, rng: random.Random) -> Read:
    if path.name == "coco.json":
        read_annotations(path)
        return Read()
    if path.name in _LABELS:
        return Read(accounted=len(_LABELS[path.name](path)))
    if path.name == "reviews.csv":
        read_reviews(path, _boxes())
        return Read()
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:  # `lake.decisions` names such a file
        return Read()
    found = read_decisions({path.name: text})
    return Read(messages=(*found.lines["problem"].drop_nulls(), *found.refused["problem"]))


# ---------------------------------------------------------------- models


def _models() -> tuple[Seed, ...]:
    seeds = [
        Seed(name, (SHIPPED / name).read_bytes(), JSON if name.endswith("json") else BYTES)
        for name in ("calibration.json", "coarse.onnx", "refiner.onnx")
    ]
    return (*seeds, seeds[0], Seed("model.onnx", seeds[1].data, BYTES), Seed("model.pt", b"PK\x03\x04 no model", BYTES))


def _read_model(path: Path, output: Path, rng: random.Random) -> Read:
    place = path
    if path.stem != "model":
        place = output / "model"
        place.mkdir()
        for name in ("calibration.json", "coarse.onnx", "refiner.onnx"):
            os.link(path if name == path.name else _copied(name, output), place / name)
    load_detector(ImageSettings(detector=str(place)))
    return Read()


def _copied(name: str, output: Path) -> Path:
    path = output / name
    shutil.copyfile(SHIPPED / name, path)
    return path


def _encoders(home: Path) -> tuple[Seed, ...]:
    from evaluation_rows import mean_encoder

    path = mean_encoder(home / "means.onnx")
    sidecar = path.with_suffix(".json")
    return (Seed(sidecar.name, sidecar.read_bytes(), JSON), Seed(path.name, path.read_bytes(), BYTES))


def _read_encoder(path: Path, output: Path, rng: random.Random) -> Read:
    from evaluation_rows import mean_encoder

    place = mean_encoder(output / "means.onnx")
    shutil.copyfile(path, output / path.name)
    ImageEncoder(place).features(np.zeros((8, 8, 3), np.uint8))
    return Read()


# ---------------------------------------------------------------- releases and the lake


def _release_reader(home: Path) -> Callable[[Path, Path, random.Random], Read]:
    from release_corpus import GROWN, corpus

    folder = home / "made"
    folder.mkdir()
    packed = ReleaseSettings(packed_packages=("cropped_256",))
    release = corpus(folder).build(folder / "releases", Settings(splits=GROWN, release=packed))
    files = sorted(path.relative_to(release) for path in release.rglob("*") if path.is_file())
    weighty = [name for name in files if name.suffix in (".json", ".parquet", ".csv", ".txt", ".h5", ".hdf5")]

    def read(path: Path, output: Path, rng: random.Random) -> Read:
        copy = output / "v1"
        shutil.copytree(release, copy, copy_function=os.link)
        name = rng.choice(weighty if rng.random() < 0.9 else files)
        data = (copy / name).read_bytes()
        mutators = {".json": JSON, ".parquet": PARQUET, ".csv": TEXT, ".txt": TEXT}.get(name.suffix, BYTES)
        data = mutated(data, mutators, rng)
        (copy / name).unlink()
        (copy / name).write_bytes(data)
        found = check(copy)
        messages = tuple(f"{one.file} {one.processid or ''}: {one.fault}" for one in found)
        opened = bioscan_etl.open_release(copy)
        opened.rows()
        for _ in opened.images():
            break
        samples = open_samples(copy, Chosen(SPLITS, ("dna_barcode", "text"), RANKED, "cropped_256"))
        for place in range(min(samples.count, 3)):
            samples.pixels(place)
        return Read(messages=messages)

    return read


def _small_files(home: Path) -> Iterator[Seed]:
    lake = Lake(home / "demo")
    for name in landing.landed(lake)[:2]:
        marker = json.loads((lake.landing / name / "batch.json").read_bytes())
        yield Seed("batch.json", json.dumps(marker | {"name": "b1"}).encode(), JSON)
    stage = StageRecord("f" * 64, "c" * 64, {"version": 1}, {}, ())
    record = Record("b1", "d" * 64, {"a.b": 1}, {"raw_records": stage})
    yield Seed("record.json", json.dumps(record.as_dict()).encode(), JSON)
    pin = {"format": 2, "settings": "s", "records": {"b1": record.as_dict()}, "withdrawn": {}, "notes": {}}
    yield Seed("pin.json", json.dumps(pin).encode(), JSON)
    yield Seed(
        "failure.json", json.dumps({"key": "k", "stage": "s", "sentence": "x", "transient": False}).encode(), JSON
    )
    yield Seed("withdrawal.json", json.dumps({"events": [{"action": "withdraw", "reason": "x"}]}).encode(), JSON)
    yield Seed(
        "inbox.json", json.dumps({"version": 1, "folders": {"a": {"listing": "s", "since": 1.0}}}).encode(), JSON
    )


def _read_small_file(path: Path, output: Path, rng: random.Random) -> Read:
    lake = Lake(output)
    places = {
        "batch.json": lake.landing / "b1" / "batch.json",
        "record.json": lake.home / "batches" / "b1.json",
        "pin.json": lake.home / "pins" / f"{'a' * 64}.json",
        "failure.json": lake.home / "failures" / "batches" / "b1.json",
        "withdrawal.json": lake.root / "withdrawn" / "b1.json",
        "inbox.json": lake.landing / ".inbox.json",
    }
    target = places[path.name]
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    match path.name:
        case "batch.json":
            batch = landing.load(lake, "b1")
            _ = batch.fingerprint, [batch.locate(entry.location) for entry in batch.records]
        case "record.json":
            found = find_record(lake, "b1")
            _ = found is not None and (found.digest, found.content)
        case "pin.json":
            pins.load_pin(lake, "a" * 64)
        case "failure.json":
            failure = failures.find(lake, "b1")
            return Read(messages=() if failure is None else (failure.sentence,))
        case "withdrawal.json":
            return Read(messages=(*withdrawals.withdrawn(lake).values(), *withdrawals.damaged(lake).values()))
        case _:
            swept = landing.sweep(lake, now=1.0)
            return Read(messages=(*swept.refused.values(), *swept.waiting.values()))
    return Read()


def _read_delivery(path: Path, output: Path, rng: random.Random) -> Read:
    """Land a folder whose files have hostile names, and list its images."""
    folder = output / "delivery"
    folder.mkdir()
    shutil.copyfile(path, folder / "records.tsv")
    for number in range(rng.randrange(1, 6)):
        named = hostile(rng).encode("utf-8", "surrogatepass").replace(b"\0", b"").replace(b"/", b"_")[:200]
        name = rng.choice((named, b"\xff\xfe", b"AAAAA-01", b"")) + rng.choice(
            (b".jpg", b".tsv", b".zip", b".csv", b"")
        )
        place = os.fsencode(folder) + b"/" + (name.strip(b".") or b"x")
        kind = rng.randrange(6)
        if os.path.lexists(place):
            continue
        if kind == 0:
            Path(os.fsdecode(place)).mkdir()
        elif kind == 1:
            Path(os.fsdecode(place)).symlink_to(os.fsdecode(rng.choice((b"/etc/passwd", b"nowhere", b".", place))))
        elif kind == 2:
            os.mkfifo(place)
        else:
            Path(os.fsdecode(place)).write_bytes(path.read_bytes() if kind == 3 else b"x" * number)
    lake = Lake(output / "corpus")
    batch = landing.land(lake, [str(folder)], "b1")
    landing.load(lake, "b1")
    sources = [batch.locate(entry.location) for entry in batch.images]
    manifest = batch.image_manifest and batch.locate(batch.image_manifest.location)
    index = index_images(sources, manifest, None, "b1", _IMAGES)
    return Read(messages=(*index["detail"].drop_nulls(), *index["image_file"], *landing.recognise(str(folder)).unknown))


# ---------------------------------------------------------------- tables of `split` and `compare`


def _split_tables() -> Iterator[Seed]:
    frame = pl.DataFrame(
        {
            "processid": [f"A{number}" for number in range(12)],
            "genus": ["Aedes"] * 6 + ["Apis"] * 6,
            "species": ["Aedes vexans"] * 6 + ["Apis mellifera"] * 6,
            "dna_barcode": ["ACGT" * 20 + "ACGTTGCA"[number % 8] for number in range(12)],
            "dna_bin": ["BOLD:AAA0001"] * 6 + ["BOLD:AAA0002"] * 6,
            "split": ["train"] * 12,
        }
    )
    parquet = io.BytesIO()
    frame.write_parquet(parquet)
    yield Seed("table.csv", frame.write_csv().encode(), TEXT)
    yield Seed("table.parquet", parquet.getvalue(), PARQUET)


def _read_table(path: Path, output: Path, rng: random.Random) -> Read:
    match rng.randrange(3):
        case 0:
            split_table(path, output / "split.csv", SplitSettings(protocol="stable"), memory=output / "memory.parquet")
        case 1:
            sound = pl.DataFrame({name: ["x"] for name in ("processid", "genus", "species", "dna_barcode")})
            split_table(sound, output / "split.csv", SplitSettings(protocol="stable"), earlier=path)
        case _:
            compare_files([str(path)], [str(path)], RecordSettings())
    return Read()
