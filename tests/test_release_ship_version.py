"""Parts, staging and publishing: whole or not at all, once per digest, the same bytes."""

import fcntl
import importlib
import json
import subprocess
from dataclasses import replace
from typing import ClassVar

import pytest
import time_machine
import yaml
from release_corpus import DIGEST, GROWN, INPUT, corpus

from bioscan_etl.errors import InvariantError, LakeError
from bioscan_etl.release import parts
from bioscan_etl.release.check import check
from bioscan_etl.release.forms.registry import build_form, forms
from bioscan_etl.release.manifest import walk
from bioscan_etl.release.ship import version as publishing
from bioscan_etl.release.ship.version import publish
from bioscan_etl.release.staging import Staging
from bioscan_etl.release.versions import latest, published, versions
from bioscan_etl.settings import ImageSettings, ReleaseSettings, Settings
from bioscan_etl.vocabulary import SPLITS


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def release(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases")
    report = folder / "report-source"
    report.mkdir()
    (report / "index.html").write_text("<p>report</p>")
    return made.build(folder / "releases", Settings(splits=GROWN), extra={"report": report})


def contents(folder):
    return {name: (folder / name).read_bytes() for name in walk(folder)}


def test_a_release_is_whole_and_passes_its_check(release):
    assert check(release, images="all") == []
    assert release.name == "v1"
    assert str((release.parent / "latest").readlink()) == "v1"
    assert sorted(path.name for path in release.parent.iterdir()) == [".lock", "latest", "v1"]
    assert (release / "report/index.html").read_text() == "<p>report</p>"


def test_a_second_build_has_the_same_bytes(made, release, tmp_path):
    settings = Settings(images=ImageSettings(workers=1), splits=GROWN)
    report = release / "report"
    with time_machine.travel("2031-05-06 07:08:09Z"):
        second = made.build(tmp_path / "elsewhere", settings, extra={"report": report})
    assert contents(second) == contents(release)


def test_nothing_local_and_no_date_is_in_the_manifest(made, tmp_path):
    settings = Settings(images=ImageSettings(detector=str(tmp_path / "model.onnx")))
    text = (made.build(tmp_path / "r", settings) / "manifest.json").read_text()
    assert str(tmp_path) not in text
    manifest = json.loads(text)
    assert manifest["settings"]["images"]["detector"] == "model.onnx"
    assert "workers" not in manifest["settings"]["images"]
    assert manifest["inputs"] == [INPUT]
    assert manifest["ledger"] == {
        "rows_read": 36, "specimens": 32, "quarantined": 1, "set_aside": 1, "rejected": 2,
    }  # fmt: skip
    assert manifest["counts"]["quarantined"] == {"NO_BARCODE+NO_IMAGE": 1}


def test_md5sums_are_those_that_md5sum_reads(release):
    done = subprocess.run(
        ["md5sum", "--check", "--quiet", "md5sums.txt"], cwd=release, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert len((release / "md5sums.txt").read_text().splitlines()) == len(set(walk(release))) - 2


def test_the_card_names_splits_counts_and_the_loaders_lines(release):
    text = (release / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    files = front["configs"][0]["data_files"]
    assert [entry["split"] for entry in files] == list(SPLITS)
    for entry in files:
        found = [path.name for path in release.glob(entry["path"])]
        assert found == [f"{entry['split']}-00000-of-00001.parquet"]
    assert front["license"] == "cc-by-3.0"
    assert "36 rows read = 32 specimens" in text.replace("\n", " ")


def test_the_cards_loader_code_pins_the_files_that_are_there(release):
    """Runs the code of the card against a stand-in for the loader that keeps its integrity checks."""
    import hashlib
    import re
    import sys
    import types

    def md5(path):
        return hashlib.md5(path.read_bytes()).hexdigest()

    class Loader:
        meta: ClassVar = {"csv_md5": "official", "urls": []}

        def __init__(self, root, split, modality, target_type):
            base = release / self.base_folder
            assert md5(base / self.meta["filename"]) == self.meta["csv_md5"]
            self.pinned = 0
            for name in SPLITS:
                for file, sums in self.image_files[name]:
                    for package, pinned in sums.items():
                        assert md5(base / "images" / package / file) == pinned
                        self.pinned += 1

    code = next(
        b for b in re.findall(r"```python\n(.*?)```", (release / "README.md").read_text(), re.S) if "BIOSCAN5M" in b
    )
    module = types.ModuleType("bioscan_dataset")
    module.BIOSCAN5M = Loader
    sys.modules["bioscan_dataset"] = module
    try:
        scope = {}
        exec(code, scope)
    finally:
        del sys.modules["bioscan_dataset"]
    assert scope["dataset"].pinned == 8 * 2 * 3
    assert scope["Release"].meta["urls"] == []


def test_the_same_inputs_make_no_second_version(made, tmp_path):
    first = made.build(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    assert made.build(tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before
    assert [path.name for path in versions(tmp_path)] == ["v1"]
    assert not list(tmp_path.glob(".staging-*"))


@pytest.mark.slow
def test_other_inputs_make_the_next_version_and_leave_the_first(made, tmp_path):
    first = made.build(tmp_path)
    before = contents(first)
    (tmp_path / ".staging-stale" / "release").mkdir(parents=True)
    second = made.build(tmp_path, Settings(splits=GROWN), digest="f" * 64)
    assert second.name == "v2"
    assert latest(tmp_path) == second
    assert contents(first) == before
    assert not list(tmp_path.glob(".staging-*"))
    assert check(tmp_path / "latest") == []
    # Going back to earlier inputs is a new version: versions tell a history.
    assert made.build(tmp_path).name == "v3"


@pytest.mark.parametrize(
    "dies_in",
    [
        "forms.partitioned.write_partitioned",
        "forms.splits.write_splits",
        "parts.write_images",
        "forms.hdf5.write_hdf5",
        "forms.jsonld.write_jsonld",
        "forms.data_images.write_data_images",
    ],
)
def test_a_run_killed_in_a_part_goes_on_to_the_same_bytes(made, release, tmp_path, monkeypatch, dies_in):
    module, function = f"bioscan_etl.release.{dies_in}".rsplit(".", 1)
    real = getattr(importlib.import_module(module), function)

    def dies(*arguments, **named):
        real(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.{function}", dies)
        with pytest.raises(KeyboardInterrupt):
            made.build(tmp_path, Settings(splits=GROWN))
    assert latest(tmp_path) is None
    assert versions(tmp_path) == []
    made.build(tmp_path, Settings(splits=GROWN), extra={"report": release / "report"})
    assert contents(tmp_path / "v1") == contents(release)


@pytest.mark.parametrize("dies_in", ["readme", "manifest.write_manifests", "versions.point_latest"])
def test_a_run_killed_while_publishing_goes_on_to_the_same_bytes(made, release, tmp_path, monkeypatch, dies_in):
    def dies(*_, **__):
        raise KeyboardInterrupt

    extra = {"report": release / "report"}
    with monkeypatch.context() as patch:
        patch.setattr(f"bioscan_etl.release.ship.version.{dies_in}", dies)
        with pytest.raises(KeyboardInterrupt):
            made.build(tmp_path, Settings(splits=GROWN), extra=extra)
    assert latest(tmp_path) is None
    final = made.build(tmp_path, Settings(splits=GROWN), extra=extra)
    assert final.name == "v1"
    assert latest(tmp_path) == final
    assert contents(final) == contents(release)


def test_lost_rows_stop_the_release(made, tmp_path):
    staging = Staging(tmp_path, DIGEST)
    made.parts(staging, ReleaseSettings())
    with pytest.raises(InvariantError, match="rows are lost: 40 read, but 32 specimens"):
        publish(staging, Settings(), rows_read=40, inputs=[])
    assert versions(tmp_path) == []


@pytest.mark.slow
def test_a_missing_and_a_damaged_part_are_named(made, tmp_path):
    staging = Staging(tmp_path, DIGEST)
    with pytest.raises(InvariantError, match="materialise release_metadata"):
        build_form(forms()["splits"], staging, ReleaseSettings())
    made.parts(staging, ReleaseSettings())
    next(staging.tree.rglob("*.jpg")).unlink()
    with pytest.raises(LakeError, match="part images of the release changed"):
        publish(staging, Settings(), rows_read=made.rows_read, inputs=[])
    with pytest.raises(LakeError, match="part images of the release is not built"):
        publish(staging, Settings(), rows_read=made.rows_read, inputs=[])
    made.parts(staging, ReleaseSettings())
    release = publish(staging, Settings(splits=GROWN), rows_read=made.rows_read, inputs=[], extra=made.memory())
    assert check(release) == []


@pytest.mark.slow
def test_settings_decide_the_parts_and_names(made, tmp_path):
    settings = Settings(
        release=ReleaseSettings(dataset="demo", title="DEMO", image_packages=("cropped_256",), hdf5_packages=()),
        splits=GROWN,
    )
    release = made.build(tmp_path, settings)
    assert check(release, images="all") == []
    assert not (release / "hdf5").exists()
    assert [path.name for path in (release / "demo/images").iterdir()] == ["cropped_256"]
    assert (release / "demo/metadata/csv/DEMO_Dataset_metadata.csv").is_file()
    assert (release / "DEMO_bbox.tsv").is_file()
    settings = Settings(release=ReleaseSettings(image_packages=(), hdf5_packages=()), splits=GROWN)
    none = made.build(tmp_path, settings, digest="e" * 64)
    assert check(none) == []


@pytest.mark.slow
def test_a_corpus_without_images_and_labels_is_a_release_too(tmp_path):
    import polars as pl

    made = corpus(tmp_path / "lake")
    gone = ("image_batch", "x0", "y0", "x1", "y1", "area_fraction", "scale_factor", "image_status")
    first = pl.col("processid") == "DEMO000-24"
    dropped = made.curated.with_columns(pl.when(~first).then(pl.col(name)).alias(name) for name in gone)
    held = made.logs.quarantine.with_columns(gates=pl.lit(["NO_BARCODE"]))
    release = type(made)(dropped, made.partitions, replace(made.logs, quarantine=held), made.crops, made.rows_read)
    release = release.build(tmp_path / "r", Settings(gates={"require_image": False}, splits=GROWN))
    assert check(release, images="all") == []
    assert json.loads((release / "manifest.json").read_text())["counts"]["boxes"] == 31


def test_extra_files_cannot_take_a_name_or_lead_out(made, tmp_path):
    staging = Staging(tmp_path / "r", DIGEST)
    made.parts(staging, ReleaseSettings())
    for name in ("data", "../x", "/tmp/x"):
        with pytest.raises(LakeError, match="cannot be added"):
            publish(staging, Settings(), rows_read=made.rows_read, inputs=[], extra={name: tmp_path})


def test_two_publishers_do_not_meet(made, tmp_path):
    staging = Staging(tmp_path, DIGEST)
    made.parts(staging, ReleaseSettings())
    with (tmp_path / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(LakeError, match="another run publishes"):
            publish(staging, Settings(), rows_read=made.rows_read, inputs=[])


def test_a_damaged_last_version_is_named(made, tmp_path):
    release = made.build(tmp_path)
    (release / "manifest.json").write_text("{")
    with pytest.raises(LakeError, match="damaged manifest"):
        published(tmp_path, DIGEST)


def test_progress_is_told(made, tmp_path):
    staging = Staging(tmp_path, DIGEST)
    made.parts(staging, ReleaseSettings())
    seen = []
    publish(staging, Settings(), rows_read=made.rows_read, inputs=[], progress=lambda *report: seen.append(report))
    assert seen[-1][0] == "checksums"
    assert publishing.__doc__


def test_the_cards_snippets_for_tables_run(release, monkeypatch):
    import re

    monkeypatch.chdir(release)
    blocks = re.findall(r"```python\n(.*?)```", (release / "README.md").read_text(), re.S)
    local = [block for block in blocks if "import polars" in block or "import pandas" in block]
    assert len(local) == 2
    for block in local:
        exec(block, {})


def test_an_image_without_a_box_is_refused(made, tmp_path):
    import polars as pl

    staging = Staging(tmp_path, DIGEST)
    one = pl.col("processid") == "DEMO003-24"
    odd = made.curated.with_columns(area_fraction=pl.when(~one).then("area_fraction"))
    parts.build_metadata(staging, odd, made.partitions, made.logs, ReleaseSettings())
    with pytest.raises(InvariantError, match=r"1 specimens \(DEMO003-24\) have an image without a box"):
        parts.build_images(staging, odd, made.crops, ReleaseSettings())
