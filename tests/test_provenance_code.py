import json
import shutil
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

import pytest

from bioscan_etl.errors import LakeError
from bioscan_etl.provenance import code as module
from bioscan_etl.provenance.closure import closure
from bioscan_etl.provenance.code import RECORDED, Code, code_of, recorded, recorded_machine
from bioscan_etl.stages.registry import STAGES
from tools import record_stages

PACKAGE = Path(__file__).parents[1] / "bioscan_etl"


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A function that puts something in the place of recorded.json."""
    path = tmp_path / "recorded.json"
    monkeypatch.setattr(module, "RECORDED", path)

    def put(text):
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        code_of.cache_clear()

    code_of.cache_clear()
    yield put
    code_of.cache_clear()


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, root / "bioscan_etl", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def logic(name):
    return closure(STAGES[name].module, prose=STAGES[name].prose).digest


# ---- labels


def test_recorded_logic_counts_by_its_version_alone(record):
    record({"stages": {"raw_records": {"version": 7, "closure": logic("raw_records")}}})
    assert code_of("raw_records").version == "7"


def test_other_logic_counts_by_its_digest_too(record):
    record({"stages": {"raw_records": {"version": 7, "closure": "0" * 64}}})
    assert code_of("raw_records").version == f"7+{logic('raw_records')[:12]}"


def test_without_a_record_the_logic_counts(record):
    assert recorded() == recorded_machine() == {}
    assert code_of("raw_records").version == f"0+{logic('raw_records')[:12]}"
    record({"stages": {}})
    assert code_of("raw_records").version == f"0+{logic('raw_records')[:12]}"


def test_going_back_to_recorded_logic_is_going_back_to_its_outputs(record, copied):
    """A change that is taken back makes nothing anew."""
    record({"stages": {"raw_records": {"version": 7, "closure": logic("raw_records")}}})
    path = copied / "bioscan_etl" / "records" / "extract.py"
    before = code_of("raw_records", root=copied)
    text = path.read_text()
    path.write_text(f"{text}\nCHANGED = 1\n")
    changed = code_of("raw_records", root=copied.rename(copied.with_name("changed")))
    moved = copied.with_name("changed")
    (moved / "bioscan_etl" / "records" / "extract.py").write_text(text)
    again = code_of("raw_records", root=moved.rename(copied))
    assert (before.version, again) == ("7", before)
    assert changed.version.startswith("7+")


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"stages": []}', '{"stages": {}, "machine": 1}'])
def test_a_damaged_record_is_no_empty_one(record, text):
    record(text)
    with pytest.raises(LakeError, match=r"recorded\.json is damaged"):
        code_of("raw_records")


def test_the_label_tells_of_all_parts():
    plain = Code("1", {"polars": "1.0"}, {"a.csv": "0"})
    labels = {
        plain.label,
        Code("2", {"polars": "1.0"}, {"a.csv": "0"}).label,
        Code("1", {"polars": "1.1"}, {"a.csv": "0"}).label,
        Code("1", {"polars": "1.0"}, {"a.csv": "1"}).label,
    }
    assert len(labels) == 4
    assert plain.label.startswith("1-")
    assert Code("1", {"a": "1", "b": "2"}, {}).label == Code("1", {"b": "2", "a": "1"}, {}).label
    assert plain.as_dict() == {"version": "1", "libraries": {"polars": "1.0"}, "data": {"a.csv": "0"}}


# ---- libraries and data files


def test_libraries_are_part_of_the_code():
    found = code_of("specimen_boxes").libraries
    assert set(found) == set(STAGES["specimen_boxes"].libraries)
    assert found["numpy"] == version("numpy")


def test_a_library_that_is_not_there_is_told(monkeypatch):
    def refuse(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", refuse)
    module._version.cache_clear()
    code_of.cache_clear()
    try:
        assert set(code_of("raw_records").libraries.values()) == {"absent"}
    finally:
        module._version.cache_clear()
        code_of.cache_clear()


def test_data_files_are_part_of_the_code(copied):
    folder = copied / "bioscan_etl" / "images" / "models"
    before = code_of("specimen_boxes", root=copied)
    assert {"images/models/coarse.onnx", "images/models/calibration.json", "images/segmentation.json"} <= set(
        before.data
    )
    assert not [name for name in before.data if name.endswith(".md")]
    (folder / ".hidden.json").write_text("{}")
    (folder / "another.onnx").write_bytes(b"another")
    moved = copied.rename(copied.with_name("with_another"))
    after = code_of("specimen_boxes", root=moved)
    (moved / "bioscan_etl/images/models/another.onnx").unlink()
    (moved / "bioscan_etl/images/models/.hidden.json").unlink()
    moved.rename(copied)
    assert set(after.data) - set(before.data) == {"images/models/another.onnx"}
    assert after.version == before.version
    assert after.label != before.label


def test_missing_data_files_are_named(copied):
    moved = copied.rename(copied.with_name("without"))
    path = moved / "bioscan_etl" / "images" / "segmentation.json"
    content = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(LakeError, match=r"specimen_boxes needs images/segmentation\.json"):
            code_of("specimen_boxes", root=moved)
        assert code_of("raw_records", root=moved).data == {}
    finally:
        path.write_bytes(content)
        moved.rename(copied)


# ---- the record that is committed


def test_the_code_of_all_stages_is_recorded():
    wrong, _ = record_stages.differences(None)
    assert not wrong, f"{'; '.join(wrong)}: {record_stages.ADVICE}"


def test_the_record_is_sorted_a_line_per_stage():
    text = RECORDED.read_text(encoding="utf-8")
    found = json.loads(text)
    assert set(found) == {"machine", "stages"}
    assert list(found["stages"]) == sorted(STAGES)
    assert len(text.splitlines()) == len(STAGES) + 3
    for name, entry in recorded().items():
        assert set(entry) == {"version", "closure", "golden", "inputs"}, name
        assert entry["version"] >= 1
        assert set(entry["golden"]) == set(entry["inputs"])


# ---- what a stage's entry in the registry says of its libraries and data files

# Libraries that decide no value of any output, whoever imports them.
HARMLESS = {
    "pydantic": "holds manifests of releases against their model",
    "botocore": "exceptions of a transport",
    "urllib3": "exceptions of a transport",
    "sqlalchemy": "Great Expectations asks DuckDB through it",
    "duckdb": "md5 of process IDs in release.metadata; who asks DuckDB for more declares it",
}
# Libraries that one stage imports and that decide none of its values.
UNDECIDED = {
    ("specimen_boxes", "polars"): "reads tables, whose values go through as they are",
    ("drawn_boxes", "polars"): "the same",
    ("contact_sheet", "polars"): "the same",
    ("release_mirror", "polars"): "the same",
    ("specimen_boxes", "pyarrow"): "container of the crops' bytes",
    ("drawn_boxes", "pyarrow"): "the same",
    ("raw_records", "numpy"): "moves bytes and line numbers",
    ("checked_barcodes", "numpy"): "counts words: integers, and one division",
    # Of modules that they import for one function.
    ("release_manifest", "h5py"): "release.forms, whose entries say what the card and the descriptors say of them",
    ("release_manifest", "numpy"): "the same",
    # A detector of the user's own; the extra `train` installs them, and the model counts by content.
    ("specimen_boxes", "torch"): "only of a .pt detector",
    ("specimen_boxes", "ultralytics"): "only of a .pt detector",
    ("drawn_boxes", "torch"): "only of a .pt detector, which draws none of these boxes",
    ("drawn_boxes", "ultralytics"): "the same",
    ("desk_pages", "torch"): "only of a .pt detector, whose outlines are drawn on pages",
    ("desk_pages", "ultralytics"): "the same",
    ("figures", "torch"): "only of a .pt detector, whose outlines are drawn",
    ("figures", "ultralytics"): "the same",
    ("desk_pages", "tenacity"): "waits before it writes a curator's file again, which the stage never does",
}  # fmt: skip


def distributions(modules):
    known = packages_distributions()
    return {known.get(name, [name])[0].lower().replace("_", "-") for name in modules}


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_libraries_that_can_decide_values_are_declared(stage):
    imported = distributions(closure(stage.module, prose=stage.prose).libraries)
    declared = set(stage.libraries)
    excused = {name for of, name in UNDECIDED if of == stage.name} | set(HARMLESS)
    assert not imported - declared - excused, (
        "declare these libraries in stages.registry, or say in UNDECIDED why they decide no value"
    )
    assert not declared - imported, "no module of the stage imports these libraries; take them out of stages.registry"


def test_excuses_are_needed():
    """A list of exceptions that only grows excuses what nobody has looked at."""
    for (name, library), why in UNDECIDED.items():
        stage = STAGES[name]
        imported = distributions(closure(stage.module, prose=stage.prose).libraries)
        assert library in imported, f"{name} imports {library} no more: take out its line ({why})"
        assert library not in stage.libraries, f"{name} declares {library}: take out its line ({why})"


# Data files of the package by the module that reads them.
READ_BY = {
    "bioscan_etl.barcodes.profile": ("coi_profile.csv", "coi_profile.json"),
    "bioscan_etl.evaluation.page": ("page.html.jinja",),
    "bioscan_etl.evaluation.encoder": ("efficientnet_lite0.onnx", "efficientnet_lite0.json"),
    "bioscan_etl.geography.countries": (
        *("ambiguous_names.csv", "country_codes.csv", "country_names.csv", "country_spellings.csv"),
        "not_countries.csv",
    ),
    "bioscan_etl.geography.provinces": ("province_letters.csv",),
    "bioscan_etl.geography.atlas": ("borders.parquet",),
    "bioscan_etl.geography.shapes": ("claims.csv", "equivalences.csv", "islets.csv"),
    "bioscan_etl.images.segmentation": ("segmentation.json",),
    "bioscan_etl.images.detection": ("coarse.onnx", "refiner.onnx", "calibration.json"),
    "bioscan_etl.quality.report": ("report.html.jinja",),
    "bioscan_etl.release.readme": ("card.md.j2",),
    "bioscan_etl.statistics.gallery": ("gallery.html.jinja", "gallery.js"),
    "bioscan_etl.statistics.published": ("published.csv",),
    "bioscan_etl.statistics.world": ("land.parquet",),
    "bioscan_etl.training.changes_page": ("changes.html.jinja",),
    "bioscan_etl.taxonomy.authorship": ("author_names.txt", "not_authors.txt"),
}
# Stages that reach such a module and ask it for nothing that it reads.
DATA_UNREAD = {}
NO_DATA = {"coarse.yaml", "README.md", "py.typed", "recorded.json", "instance.yaml"}
NO_DATA |= {"ORIGIN.md", "LICENSE-Apache-2.0.txt"}  # of the image encoder
PAGES = PACKAGE / "desk" / "static"  # what the desk serves; no stage reads it


def test_every_data_file_has_a_reader():
    names = {
        path.name
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and path.parent != PAGES
    }
    assert names - NO_DATA == {name for names in READ_BY.values() for name in names}


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_data_files_that_a_stage_reads_are_declared(stage):
    declared = {Path(name).name for name in code_of(stage.name).data}
    for reader in READ_BY.keys() & closure(stage.module, prose=stage.prose).modules.keys():
        if (stage.name, reader) not in DATA_UNREAD:
            assert set(READ_BY[reader]) <= declared, f"declare what {reader} reads in stages.registry"


def test_excuses_for_data_files_are_needed():
    for (name, reader), why in DATA_UNREAD.items():
        stage = STAGES[name]
        assert reader in closure(stage.module, prose=stage.prose).modules, f"take out ({name}, {reader}): {why}"
        declared = {Path(each).name for each in code_of(name).data}
        assert not set(READ_BY[reader]) <= declared, f"{name} declares what {reader} reads: take out its line ({why})"
