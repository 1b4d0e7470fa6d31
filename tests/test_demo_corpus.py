"""The written corpus: same bytes for the same seed, every kind planted, and each where the truth says."""

import csv
import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from shapely.geometry import Point

from bioscan_etl.demo.corpus import DemoSummary, write_demo
from bioscan_etl.demo.geography import SITES, points_around
from bioscan_etl.demo.kinds import KINDS, Report
from bioscan_etl.demo.layouts import LAYOUT_2023, LAYOUT_2024, LAYOUT_2025
from bioscan_etl.errors import SourceError
from bioscan_etl.vocabulary import RANKS

pytestmark = pytest.mark.slow
_REAL = {
    "BOLD_Public.18-Dec-2023.head.tsv": LAYOUT_2023,
    "BOLD_Public.21-Jun-2024.NL.tsv": LAYOUT_2024,
    "chironominae_norway_2025.tsv": LAYOUT_2025,
}


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[DemoSummary, Path]:
    folder = tmp_path_factory.mktemp("demo")
    return write_demo(folder), folder


@pytest.fixture(scope="module")
def truth(demo) -> pl.DataFrame:
    return pl.read_parquet(demo[1] / "truth" / "truth.parquet")


def _lines(path: Path) -> list[bytes]:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = zlib.decompressobj(31).decompress(content)
    return content.split(b"\n")


@pytest.fixture(scope="module")
def rows(demo, truth) -> dict[tuple[str, int], dict[str, str]]:
    """Every row that is not broken, by file name and line."""
    broken = set(truth.filter(pl.col("report") == Report.REJECT).select("source_file", "source_line").iter_rows())
    found = {}
    for batch in demo[0].batches:
        for path in batch.records:
            header, *lines = _lines(path)
            names = header.decode().split("\t")
            for number, line in enumerate(lines, start=2):
                if line and (path.name, number) not in broken:
                    found[path.name, number] = dict(zip(names, line.decode().split("\t"), strict=True))
    return found


@pytest.mark.parametrize(("name", "layout"), _REAL.items())
def test_headers_are_those_of_real_packages(shared_data, name, layout):
    with (shared_data / "bold" / name).open(encoding="utf-8") as stream:
        assert tuple(stream.readline().rstrip("\n").split("\t")) == layout.header


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    for name, seed in (("one", 4), ("two", 4), ("three", 5)):
        write_demo(tmp_path / name, seed=seed, images=False)
    one, two, three = (_digests(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert one.keys() == three.keys()
    assert all(one[name] != three[name] for name in one)


@pytest.mark.slow
def test_images_have_the_same_bytes_too_and_an_earlier_corpus_is_replaced(demo, tmp_path):
    write_demo(tmp_path, 310, 9)
    write_demo(tmp_path)
    assert _digests(tmp_path) == _digests(demo[1])


def test_every_kind_is_planted(demo, truth):
    assert set(demo[0].planted) == set(KINDS) == set(truth["kind"])
    assert sum(demo[0].planted.values()) == truth.height


@pytest.mark.parametrize("specimens", [1, 3, 40])
def test_small_corpora_plant_what_fits(tmp_path, specimens):
    summary = write_demo(tmp_path, specimens, 2)
    truth = pl.read_parquet(tmp_path / "truth" / "truth.parquet")
    assert set(summary.planted) == set(truth["kind"])
    assert set(summary.planted) | set(summary.left_out) == set(KINDS)
    assert not set(summary.planted) & set(summary.left_out)
    for kind in KINDS.values():
        if kind.report == Report.REJECT:
            assert summary.planted[kind.id] >= 1
    for batch in summary.batches:
        assert all(path.is_file() for path in batch.records)
        if batch.images is not None:
            assert batch.images.exists()
    if specimens == 40:
        clean = pl.read_parquet(tmp_path / "truth" / "clean.parquet")
        assert clean.height >= 8
        of_rows_and_images = (Report.SET_ASIDE, Report.IMAGE_INDEX, Report.BOX)
        left_out = {kind for kind in summary.left_out if KINDS[kind].report in of_rows_and_images}
        assert not left_out


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("specimens", [300, 650])
def test_every_kind_finds_room_whatever_the_seed(tmp_path, specimens, seed):
    planted = set(write_demo(tmp_path, specimens, seed, images=False).planted)
    of_images = {kind for kind, fact in KINDS.items() if fact.report in {Report.IMAGE_INDEX, Report.BOX}}
    missing = set(KINDS) - planted - of_images
    assert missing <= {
        *("touches_border", "blurred", "badly_exposed", "fragment", "exact_duplicate_image", "near_duplicate_image"),
        *("image_turned", "image_png", "image_status", "no_image"),
    }


def test_clean_specimens_come_with_their_sound_values(demo, truth):
    clean = pl.read_parquet(demo[1] / "truth" / "clean.parquet")
    assert {"nuc", "bin_uri", "country/ocean", "coord-lat", *RANKS} < set(clean.columns)
    assert clean["nuc"].str.contains("^[ACGT]{500,658}$").all()
    assert 0.1 < (clean["nuc"].str.len_bytes() < 658).mean() < 0.4
    assert clean["order"].null_count() == 0


def test_batches_lie_where_the_summary_says(demo):
    batches = demo[0].batches
    assert len(batches) == 3
    for batch in batches:
        assert all(path.is_file() for path in batch.records)
        assert batch.images.exists()
    assert [batch.image_manifest is not None for batch in batches] == [False, False, True]
    assert [batch.images.suffix for batch in batches] == ["", ".zip", ""]
    assert {len(_lines(batch.records[0])[0].split(b"\t")) for batch in batches} == {56, 74, 76}


def test_planted_rows_carry_what_the_truth_says(truth, rows):
    old_names = {source: column for column, source in LAYOUT_2023.bcdm.items()}
    checked = 0
    for fact in truth.filter(pl.col("planted").is_not_null() & pl.col("source_line").is_not_null()).to_dicts():
        row = rows[fact["source_file"], fact["source_line"]]
        assert row["processid"] == fact["processid"]
        if fact["kind"] == "superseded_label":
            continue  # the value before stands in the older row
        column = fact["field"]
        if column not in row:
            column = old_names.get(column, column)
        if column in row and fact["kind"] != "barcode_several_species":
            assert row[column] == fact["planted"], fact
            checked += 1
    assert checked > 100


def test_broken_rows_are_broken_as_said(demo, truth):
    folder = {batch.name: batch.records[0].parent for batch in demo[0].batches}
    for fact in truth.filter(pl.col("report") == Report.REJECT).to_dicts():
        lines = _lines(folder[fact["batch"]] / fact["source_file"])
        raw = lines[fact["source_line"] - 1]
        fields = raw.count(b"\t") - lines[0].count(b"\t")
        if fact["kind"] == "row_too_short":
            assert fields < 0
        elif fact["kind"] == "row_too_long":
            assert fields > 0
        elif fact["kind"] == "no_processid":
            assert raw.split(b"\t")[0] in {b"", b"None"}
        elif fact["kind"] == "unsafe_processid":
            assert raw.startswith(b"../../escape\t")
        elif fact["kind"] == "undecodable":
            with pytest.raises(UnicodeDecodeError):
                raw.decode()
        else:
            assert fact["kind"] == "truncated_gzip"
            assert fact["source_line"] == len(lines), "the last thing in the file"
            assert fields < 0


def test_barcode_defects_by_a_look_at_the_letters(truth, rows):
    def nuc(kind: str) -> list[str]:
        facts = truth.filter(pl.col("kind") == kind).to_dicts()
        found = [rows[fact["source_file"], fact["source_line"]] for fact in facts]
        return [row.get("nuc", row.get("nucraw")) for row in found]

    def frames(sequence: str) -> list[bool]:
        return [
            all(sequence[at : at + 3] not in {"TAA", "TAG"} for at in range(o, len(sequence) - 2, 3)) for o in range(3)
        ]

    complement = str.maketrans("ACGT", "TGCA")
    assert all(
        not any(frames(s)) and not any(frames(s.translate(complement)[::-1])) for s in nuc("no_open_reading_frame")
    )
    assert all(not any(frames(s)) and any(frames(s.translate(complement)[::-1])) for s in nuc("reverse_complement"))
    assert all("T" * 20 in s for s in nuc("homopolymer"))
    assert all(len(s) > 660 for s in nuc("barcode_long"))
    assert all(200 < len(s) < 500 for s in nuc("barcode_short"))
    assert all(len(s) - sum(map(s.count, "ACGT")) > 6.58 for s in nuc("barcode_ambiguous"))
    assert all(max(map(len, s.split("N"))) < 200 for s in nuc("barcode_run_too_short"))
    assert all(s in {"None", ""} for s in nuc("no_barcode"))


def test_basecounts_are_right_where_nothing_was_planted(truth, rows):
    wrong = {
        row["processid"]
        for row in rows.values()
        if "nuc_basecount" in row and sum(row["nuc"].upper().count(b) for b in "ACGT") != int(row["nuc_basecount"])
    }
    planted = truth.filter(pl.col("kind").is_in(["basecount_mismatch", "bin_without_barcode"]))
    assert wrong <= set(planted["processid"])
    assert wrong


def test_process_ids_come_again_in_a_later_snapshot_with_another_label(truth, rows):
    older = truth.filter(pl.col("kind") == "superseded")
    again = [key for key, row in rows.items() if row["processid"] in set(older["processid"])]
    assert {name for name, _ in again} > {"BOLD_Public.10-Oct-2025.tsv"}
    for fact in truth.filter(pl.col("kind") == "superseded_label").to_dicts():
        labels = {row["species"] for row in rows.values() if row["processid"] == fact["processid"]}
        assert labels == {"None", fact["expected_value"]}


def test_clean_specimens_have_nothing_planted_that_could_be_flagged(demo, truth):
    clean = pl.read_parquet(demo[1] / "truth" / "clean.parquet")
    assert clean["processid"].is_unique().all()
    assert clean.height > 80
    kinds = set(truth.join(clean, on="processid", how="semi")["kind"])
    assert all(KINDS[kind].benign for kind in kinds)


def _image_bytes(demo) -> dict[tuple[str, str], bytes]:
    found = {}
    for batch in demo[0].batches:
        if batch.images.is_dir():
            found |= {(batch.name, path.name): path.read_bytes() for path in batch.images.iterdir()}
        else:
            with zipfile.ZipFile(batch.images) as archive:
                found |= {(batch.name, member): archive.read(member) for member in archive.namelist()}
    return found


def test_image_files_are_what_the_truth_says(demo, truth):
    files = _image_bytes(demo)
    assert len(files) == demo[0].images
    by_kind = {}
    for fact in truth.filter(pl.col("image_file").is_not_null()).to_dicts():
        by_kind.setdefault(fact["kind"], []).append(files.get((fact["batch"], fact["image_file"])))
    assert by_kind["image_zero_bytes"] == [b""]
    assert by_kind["image_missing"] == [None]
    assert by_kind["image_text"][0].startswith(b"404")
    assert by_kind["image_png"][0].startswith(b"\x89PNG")
    assert by_kind["image_truncated"][0].startswith(b"\xff\xd8")
    assert not by_kind["image_truncated"][0].endswith(b"\xff\xd9")
    assert len(set(by_kind["exact_duplicate_image"])) == 1
    assert len(set(by_kind["near_duplicate_image"])) == 2
    assert any(name.startswith("../") for _, name in files)


def test_boxes_lie_in_their_images(demo):
    files = _image_bytes(demo)
    with (demo[1] / "truth" / "boxes.csv").open(newline="") as stream:
        boxes = list(csv.DictReader(stream))
    assert len(boxes) == demo[0].images - 3, "all but the unreadable ones"
    for box in boxes[::12]:
        image = cv2.imdecode(np.frombuffer(files[box["batch"], box["image_file"]], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (768, 1024, 3)
    for box in boxes:
        if box["x0"]:
            assert 0 <= int(box["x0"]) < int(box["x1"]) <= 1024
            assert 0 <= int(box["y0"]) < int(box["y1"]) <= 768
            assert 0 < int(box["area"]) <= (int(box["x1"]) - int(box["x0"])) * (int(box["y1"]) - int(box["y0"]))
        else:
            assert (box["area"], box["specimens"]) == ("0", "0")


def test_the_manifest_names_the_files_of_its_batch(demo):
    batch = demo[0].batches[2]
    manifest = pl.read_csv(batch.image_manifest)
    assert manifest.columns == ["processid", "image_file"]
    delivered = {path.name for path in batch.images.iterdir()}
    assert delivered < set(manifest["image_file"])
    assert len(set(manifest["image_file"]) - delivered) == 1


def test_without_images_there_are_records_and_truth_alone(tmp_path):
    summary = write_demo(tmp_path, 2000, 1, images=False)
    assert summary.images == 0
    assert all(batch.images is None and batch.image_manifest is None for batch in summary.batches)
    assert set(KINDS) - set(summary.planted) >= {"blurred", "image_missing"}
    rows = sum(len(_lines(path)) - 2 for batch in summary.batches for path in batch.records)
    assert rows > 2000


def test_somebody_elses_batches_are_left_alone(tmp_path):
    own = tmp_path / "landing" / "malaise-2023" / "records.tsv"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(SourceError, match="give another --output"):
        write_demo(tmp_path, images=False)
    assert own.read_text() == "mine"


@pytest.mark.parametrize("arguments", [{"specimens": 0}, {"seed": -1}])
def test_impossible_corpora_are_refused_before_anything_is_written(tmp_path, arguments):
    with pytest.raises(SourceError):
        write_demo(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_points_stay_around_their_sites_and_are_never_round():
    sites = np.arange(len(SITES)).repeat(30)
    latitude, longitude = points_around(np.random.default_rng(2), sites)
    for site, lat, lon in zip(sites, latitude, longitude, strict=True):
        place = SITES[site]
        assert Point(place.longitude, place.latitude).distance(Point(lon, lat)) < 0.06
        assert len(f"{lat}".split(".")[1]) >= 3


def test_planted_text_survives_csv(demo, truth):
    text = (demo[1] / "truth" / "truth.csv").read_text(encoding="utf-8")
    assert len(list(csv.DictReader(io.StringIO(text)))) == truth.height
