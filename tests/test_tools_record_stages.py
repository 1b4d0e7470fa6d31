import json

import pytest

from bioscan_etl.provenance import code as code_module
from bioscan_etl.provenance.code import code_of, recorded, recorded_machine
from bioscan_etl.release.forms.registry import owned
from bioscan_etl.settings import NO_EFFECT, Settings, expand
from bioscan_etl.stages.registry import PARTS, STAGES, Scope
from tools import record_stages
from tools.record_stages import Golden, decide

NOTHING = dict.fromkeys(("images", "segmentation", "records", "real"), "")


def known(closure="old", version=3, **corpora):
    """A recorded entry; corpora as content-inputs."""
    return {
        "version": version,
        "closure": closure,
        "golden": {name: value.split("-")[0] for name, value in corpora.items()},
        "inputs": {name: value.split("-")[1] for name, value in corpora.items()},
    }


def made(**corpora):
    return {name: Golden(*value.split("-")) for name, value in corpora.items()}


# ---- what is decided of one stage


def test_a_stage_that_is_not_recorded_begins_with_version_one():
    entry = decide(None, "new", made(images="a-i"), NOTHING)
    assert entry.as_dict() == {"version": 1, "closure": "new", "golden": {"images": "a"}, "inputs": {"images": "i"}}


def test_the_same_code_and_content_stay():
    entry = decide(known(images="a-i"), "old", made(images="a-i"), NOTHING)
    assert (entry.what, entry.as_dict()) == ("same", known(images="a-i"))


def test_other_code_with_the_same_content_keeps_its_version():
    entry = decide(known(images="a-i", records="b-j"), "new", made(images="a-i", records="b-j"), NOTHING)
    assert (entry.version, entry.closure, entry.what) == (3, "new", "proven")


def test_other_content_is_a_new_version():
    entry = decide(known(images="a-i", records="b-j"), "new", made(images="a-i", records="c-j"), NOTHING)
    assert (entry.version, entry.closure, entry.what) == (4, "new", "new version")
    assert entry.golden == {"images": "a", "records": "c"}
    assert "other content (records)" in entry.why


def test_other_code_under_other_inputs_cannot_be_proven():
    for content in ("a-k", "b-k"):
        entry = decide(known(images="a-i"), "new", made(images=content), NOTHING)
        assert (entry.version, entry.what) == (4, "new version")
        assert "no proof: inputs differ too (images)" in entry.why


def test_other_inputs_alone_are_no_new_version():
    entry = decide(known(images="a-i"), "old", made(images="b-k"), NOTHING)
    assert (entry.version, entry.closure, entry.golden) == (3, "old", {"images": "b"})
    assert (entry.what, entry.why) == ("golden made anew", "other inputs")


def test_inputs_that_change_no_content_are_recorded():
    entry = decide(known(images="a-i"), "old", made(images="a-k"), NOTHING)
    assert (entry.version, entry.inputs) == (3, {"images": "k"})


def test_the_same_code_that_makes_something_else_of_the_same_is_told_and_gets_a_version():
    entry = decide(known(images="a-i"), "old", made(images="b-i"), NOTHING)
    assert (entry.version, entry.what) == (4, "new version")
    assert "plumbing decides a value" in entry.why


def test_without_golden_output_there_is_no_proof():
    assert decide(known(), "new", {}, NOTHING).version == 4
    assert decide(known(), "old", {}, NOTHING).version == 3


def test_a_version_can_be_asked_for():
    for closure in ("old", "new"):
        entry = decide(known(images="a-i"), closure, made(images="a-i"), NOTHING, forced=True)
        assert (entry.version, entry.closure, entry.why) == (4, closure, "asked for")


def test_on_another_machine_nothing_is_proven_and_nothing_is_disproven():
    apart = NOTHING | {"images": "recorded on another CPU"}
    changed = decide(known(images="a-i", records="b-j"), "new", made(images="c-i", records="b-j"), apart)
    assert (changed.version, changed.what) == (4, "new version")
    assert "recorded on another CPU" in changed.why
    assert "--refresh" in changed.why
    same = decide(known(images="a-i", records="b-j"), "old", made(images="c-i", records="b-j"), apart)
    assert (same.version, same.what, same.golden["images"]) == (3, "golden made anew", "c")
    off = decide(known(images="a-i", records="b-j"), "old", made(images="a-i", records="c-j"), apart)
    assert off.version == 4


def test_a_corpus_that_cannot_be_made_here_is_kept_while_the_version_is():
    before = known(images="a-i", real="r-s")
    proven = decide(before, "new", made(images="a-i"), NOTHING)
    assert (proven.version, proven.golden, proven.inputs["real"]) == (3, {"images": "a", "real": "r"}, "s")
    other = decide(before, "new", made(images="b-i"), NOTHING)
    assert (other.version, other.golden) == (4, {"images": "b"})


def test_a_corpus_that_is_new_here_is_recorded():
    entry = decide(known(images="a-i"), "old", made(images="a-i", real="r-s"), NOTHING)
    assert (entry.version, entry.golden) == (3, {"images": "a", "real": "r"})


# ---- machines


def test_machines_are_compared_by_cpu_and_libraries():
    here = {"cpu": "x86_64 avx2", "libraries": {"polars": "2.1", "numpy": "2.4"}}
    assert not any(record_stages.comparable(here, here).values())
    cpu = record_stages.comparable(here, here | {"cpu": "x86_64"})
    assert {name for name, why in cpu.items() if why} == {"images", "segmentation", "real"}
    library = record_stages.comparable(here, here | {"libraries": {"polars": "2.0", "numpy": "2.4"}})
    assert all("polars 2.0 -> 2.1" in why for why in library.values())
    assert all(record_stages.comparable(here, {}).values())


def test_the_machine_names_every_library_that_decides_values():
    found = record_stages.machine()
    assert set(found["libraries"]) == {name for stage in STAGES.values() for name in stage.libraries}
    assert found["cpu"]


# ---- the command, with golden outputs that cost nothing


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A record of its own, and golden outputs by stage that a test can change."""
    path = tmp_path / "recorded.json"
    monkeypatch.setattr(code_module, "RECORDED", path)
    monkeypatch.setattr(record_stages, "RECORDED", path)
    monkeypatch.setattr(record_stages.write, "__defaults__", (path,))
    golden = {name: {"images": Golden(name, "inputs")} for name in STAGES}
    monkeypatch.setattr(record_stages, "make", lambda folder: golden)
    code_of.cache_clear()
    yield golden
    code_of.cache_clear()


def logic_of(monkeypatch, **others):
    now = record_stages.closures() | others
    monkeypatch.setattr(record_stages, "closures", lambda: now)


def test_recording_and_checking(record, capsys, monkeypatch):
    assert record_stages.main(["--check"]) == 1
    assert recorded() == {}
    assert "raw_records: nothing is recorded" in capsys.readouterr().out
    assert record_stages.main([]) == 0
    assert {entry["version"] for entry in recorded().values()} == {1}
    assert list(recorded()) == sorted(STAGES)
    assert recorded_machine() == record_stages.machine()
    code_of.cache_clear()
    assert code_of("raw_records").version == "1"
    assert record_stages.main(["--check"]) == 0
    assert record_stages.main([]) == 0
    assert "the code of all stages is as recorded" in capsys.readouterr().out

    logic_of(monkeypatch, raw_records="x", figures="y")
    record["figures"] = {"images": Golden("other", "inputs")}
    before = recorded()
    assert record_stages.main(["--check"]) == 1
    shown = capsys.readouterr().out
    assert "raw_records: its code is not the recorded one" in shown
    assert "figures: makes something else of the corpus images" in shown
    assert record_stages.ADVICE in shown
    assert recorded() == before
    assert record_stages.main([]) == 0
    shown = capsys.readouterr().out
    assert "proven: the same content (images)" in shown
    assert "new version: other content (images)" in shown
    assert (recorded()["raw_records"]["version"], recorded()["figures"]["version"]) == (1, 2)
    assert recorded()["raw_records"]["closure"] == "x"


def test_only_the_named_stages_are_recorded(record, capsys, monkeypatch):
    record_stages.main([])
    logic_of(monkeypatch, raw_records="x", figures="y")
    before = recorded()
    assert record_stages.main(["figures"]) == 0
    assert recorded()["figures"]["closure"] == "y"
    assert recorded()["raw_records"] == before["raw_records"]
    assert "left as it was" in capsys.readouterr().out


def test_a_new_version_for_what_no_corpus_shows(record):
    record_stages.main([])
    assert record_stages.main(["--new", "specimens"]) == 0
    assert {name for name, entry in recorded().items() if entry["version"] == 2} == {"specimens"}


def test_golden_outputs_can_be_made_anew(record, monkeypatch):
    record_stages.main([])
    monkeypatch.setattr(record_stages, "machine", lambda: {"cpu": "other", "libraries": {}})
    record["specimen_boxes"] = {"images": Golden("other", "inputs")}
    assert record_stages.main(["--refresh"]) == 0
    assert recorded_machine()["cpu"] == "other"
    assert recorded()["specimen_boxes"] | {"closure": ""} == {
        "version": 1,
        "closure": "",
        "golden": {"images": "other"},
        "inputs": {"images": "inputs"},
    }


def test_golden_outputs_of_another_machine_prove_nothing_later(record, monkeypatch):
    record_stages.main([])
    monkeypatch.setattr(record_stages, "machine", lambda: {"cpu": "other", "libraries": {}})
    logic_of(monkeypatch, raw_records="x", figures="y")
    record_stages.main(["figures"])
    assert recorded()["raw_records"]["golden"] == {}


def test_code_that_changes_meanwhile_is_not_recorded(record, capsys, monkeypatch):
    digests = iter("ab")
    monkeypatch.setattr(record_stages, "_code_files", lambda: next(digests))
    assert record_stages.main([]) == 1
    assert recorded() == {}
    assert "run it again" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["nothing"], ["--new", "nothing"], ["--check", "--new", "figures"]])
def test_what_cannot_be_meant_is_refused(given, capsys):
    with pytest.raises(SystemExit) as stopped:
        record_stages.main(given)
    assert stopped.value.code == 2
    assert "figures" in capsys.readouterr().err or "--check" in given


def test_help_tells_when_to_ask_for_a_version(capsys):
    with pytest.raises(SystemExit):
        record_stages.main(["--help"])
    assert "rare defect" in " ".join(capsys.readouterr().out.split())


def test_every_part_of_a_release_has_its_stage():
    assert set(record_stages.PARTS_OF) == set(PARTS)
    settings = next(one.settings for one in record_stages.corpora() if one.name == "images")
    assert set(record_stages.PARTS_OF.values()) == set(owned(settings.release)), "the corpus images has every form"


def test_real_records_are_left_out_where_they_are_absent(record, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(record_stages, "SHARED", tmp_path / "absent")
    assert "real" not in {one.name for one in record_stages.corpora()}
    record_stages.main([])
    assert "without real records and images" in capsys.readouterr().out
    assert record_stages.main(["--check"]) == 0
    assert "not compared: corpus real" in capsys.readouterr().out


# ---- the golden corpora themselves


class Watched(Settings):
    """Settings that note what each stage reads of them."""

    def limited(self, names, reader):
        found = super().limited(names, reader)
        stage = STAGES[reader]
        seen = READ.setdefault((reader, "examines" if names is stage.examines else "settings"), set())
        sections = {}
        for section in Settings.model_fields:
            guarded = getattr(found, section)
            sections[section] = _noting(type(guarded), section, seen).model_construct(
                guarded.model_fields_set, **guarded.__dict__
            )
        return Settings.model_construct(None, **sections)


READ: dict[tuple[str, str], set[str]] = {}


def _noting(guard, section, seen):
    fields = frozenset(guard.model_fields)

    def read(self, name):
        if name in fields:
            seen.add(f"{section}.{name}")
        return super(noting, self).__getattribute__(name)

    noting = type(guard.__name__, (guard,), {"__getattribute__": read, "__doc__": guard.__doc__})
    return noting


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """The golden corpora made with the code as it is, watched."""
    READ.clear()
    return record_stages.make(
        tmp_path_factory.mktemp("golden"), lambda settings: Watched.model_construct(None, **settings.__dict__)
    )


@pytest.mark.slow
def test_stages_make_what_is_recorded(golden, record_property):
    wrong, skipped = record_stages.differences(golden)
    record_property("not compared", json.dumps(skipped))
    assert not wrong, f"{'; '.join(wrong)}: {record_stages.ADVICE}"
    apart = [line for line in skipped if not line.startswith("corpus real: no folder")]
    if apart:
        pytest.skip(f"golden outputs are not compared: {'; '.join(apart)}")


@pytest.mark.slow
def test_every_stage_makes_something_of_a_golden_corpus(golden):
    assert {name for name, corpora in golden.items() if not corpora} == record_stages.NO_GOLDEN
    for name, corpora in golden.items():
        if len(corpora) > 1:
            assert len({one.content for one in corpora.values()}) > 1, f"{name} makes the same of every corpus"


# The parts of a release, and what is drawn from it, are covered by the digest of the release, which has all settings:
# their entries name whole sections.
WHOLE_SECTIONS = {stage.name for stage in STAGES.values() if stage.scope is Scope.RELEASE} | {"quality_report"}
# Settings that a stage reads only in a corpus that is not among the golden ones.
CONDITIONAL: dict[tuple[str, str], str] = {
    (
        "desk_pages",
        "images.near_duplicate_bits",
    ): "only beside images that are alike, of which no golden corpus has any",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [(stage.name, kind) for stage in STAGES.values() for kind in ("settings", "examines")],
)
def test_a_stage_reads_the_settings_that_its_entry_names(golden, name, kind):
    """Of others it cannot read: `Settings.limited` refuses. A setting that is named but not read makes outputs stale
    for nothing."""
    declared = expand(getattr(STAGES[name], kind)) - NO_EFFECT
    read = READ.get((name, kind), set()) - NO_EFFECT
    assert read <= declared
    unread = declared - read - {setting for of, setting in CONDITIONAL if of == name}
    if name in WHOLE_SECTIONS:
        assert not declared or read or name == "release_mirror"
        return
    assert not unread, f"{name} never reads these; take them out of its entry in stages.registry"


@pytest.mark.slow
def test_every_setting_of_the_release_is_read_by_one_of_its_stages(golden):
    read = {setting for (name, _), seen in READ.items() if STAGES[name].scope is Scope.RELEASE for setting in seen}
    assert expand(["release.*"]) <= read
