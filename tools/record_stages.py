"""Record what code the stages consist of, and hold the record against the code.

    python tools/record_stages.py                 after a change of a stage's code, before the commit
    python tools/record_stages.py --check         writes nothing; exit code 1 where something is not as recorded
    python tools/record_stages.py --new STAGE     raises a version although no golden output shows a difference

`bioscan_etl/provenance/recorded.json` holds, per stage, the version of its logic, the digest of that logic
(`bioscan_etl.provenance.closure`), and digests of what the stage makes of the golden corpora below and from what. JSON
has no comments, so they are here:

    machine    on which the golden outputs were made: CPU and libraries, for bytes of images depend on them
    version    what an output's fingerprint holds while the logic is the recorded one
    closure    digest of the logic
    golden     digest of the stage's output by corpus: files, counts and outcomes of checks
    inputs     digest of what that output was made from: delivery, settings, data files, outputs of other stages

If the logic of a stage has changed, the tool makes the golden corpora with the code as it is now. If a stage makes
the same of the same inputs, byte for byte, its version stays, and with it all outputs of millions of specimens
("proven"). If it makes something else, or of something else, its version is raised. The golden outputs carry no code
labels, so that they depend on content alone.

A proof is as good as the corpora: `images` has every form of a release and drawn images, `segmentation` the same images
with the other detector, `records` every planted kind of defective record and two releases with protocol `stable`, and
`real` some real records and images from ../shared/data, if that folder is there. A change that none of them can show
(a rare defect, S3, a corpus of millions) needs `--new`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bioscan_etl import landing
from bioscan_etl.demo.corpus import write_demo
from bioscan_etl.io.read import file_sha256
from bioscan_etl.io.write import write_text
from bioscan_etl.lake import decisions as lists
from bioscan_etl.lake import pins
from bioscan_etl.lake.pins import Pin
from bioscan_etl.lake.record import committed, find_record
from bioscan_etl.lake.store import Lake, Output, digest
from bioscan_etl.provenance.closure import closure
from bioscan_etl.provenance.code import RECORDED, code_of, recorded, recorded_machine
from bioscan_etl.release.forms.registry import forms, owned
from bioscan_etl.release.manifest import read_head, walk
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import BATCH_STAGES, CORPUS_STAGES, STAGES, Scope, Stage
from bioscan_etl.stages.run import run_stage
from bioscan_etl.stages.situation import Situation

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
ADVICE = "run python tools/record_stages.py and commit bioscan_etl/provenance/recorded.json with the change"

PARTS_OF: Mapping[str, str] = {
    "release_metadata": "metadata",
    "image_packages": "images",
    **{form.stage: form.name for form in forms().values() if form.build is not None},
}
"""Part of the release (`bioscan_etl.release.forms.registry.owned`) by the stage that writes it."""

NO_GOLDEN = frozenset({"release_mirror"})
"""Stages that make nothing of a golden corpus: the mirror only sends, and there is no S3."""

_OF_LISTS = ("decisions", "proposals")
"""Stages that read what people wrote."""

_SHORT = 16
_CPU_FLAGS = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni")
_CPU_FLAGS += ("avx512_bf16", "amx_tile", "amx_int8", "asimd", "asimddp", "i8mm", "sve")
_REAL_RECORDS, _REAL_IMAGES = 12, 5  # of each of the three files


# ---- the golden corpora


@dataclass(frozen=True, slots=True)
class Corpus:
    """A golden corpus.

    Attributes:
        name: of it.
        land: writes deliveries below a folder and lands them; returns the names of the batches.
        settings: it is made with.
        rounds: batches that come in before each release; empty: no release, the batches only.
        of_cpu: whether its bytes can depend on the CPU.
        folder: where it is; corpora of one folder share deliveries.
        lists: text of the files that people wrote for it, by path below its folder.
    """

    name: str
    land: Callable[[Lake], list[str]]
    settings: Settings
    rounds: tuple[tuple[str, ...], ...]
    of_cpu: bool
    folder: str
    lists: Mapping[str, str] = field(default_factory=dict)


def _land_demo(specimens: int, *, images: bool) -> Callable[[Lake], list[str]]:
    def land(lake: Lake) -> list[str]:
        summary = write_demo(lake.root, specimens, 0, images=images)
        for batch in summary.batches:
            landing.register(
                lake,
                batch.name,
                [str(path) for path in batch.records],
                [] if batch.images is None else [str(batch.images)],
                None if batch.image_manifest is None else str(batch.image_manifest),
            )
        return [batch.name for batch in summary.batches]

    return land


def _land_real(lake: Lake) -> list[str]:
    """A batch of each file of real records: its first rows, and those of which there is an image."""
    with (SHARED / "image_manifest.csv").open(encoding="utf-8", newline="") as stream:
        image_of = {row["processid"]: row["image_file"] for row in csv.DictReader(stream)}
    names = []
    for number, path in enumerate(sorted((SHARED / "bold").glob("*.tsv"))):
        lines = path.read_bytes().splitlines(keepends=True)
        ids = [line.split(b"\t", 1)[0].decode() for line in lines]
        pictured = list(dict.fromkeys(name for name in ids[1:] if name in image_of))[:_REAL_IMAGES]
        kept = {*ids[1 : 1 + _REAL_RECORDS], *pictured}
        folder = lake.root / "deliveries" / str(number)
        (folder / "images").mkdir(parents=True)
        chosen = [line for name, line in zip(ids, lines, strict=True) if name in kept]
        (folder / path.name).write_bytes(b"".join([lines[0], *chosen]))
        for name in pictured:
            shutil.copyfile(SHARED / "images" / image_of[name], folder / "images" / image_of[name])
        table = "".join(f"{name},{image_of[name]}\n" for name in pictured)
        (folder / "image_manifest.csv").write_text(f"processid,image_file\n{table}", encoding="utf-8")
        batch = f"real-{number}"
        manifest = str(folder / "image_manifest.csv")
        landing.register(lake, batch, [str(folder / path.name)], [str(folder / "images")], manifest)
        names.append(batch)
    return names


_BATCHES = ("autumn-2025", "malaise-2023", "survey-2024")
_EVERY_FORM = {
    "forms": tuple(form.name for form in forms().values() if not form.packages),
    "image_packages": ("original_full", "original_256", "cropped", "cropped_256"),
    "packed_packages": ("cropped_256",),
    "zip_packages": ("cropped_256",),
    "webdataset_packages": ("cropped_256",),
    # Small, so that there are several of each.
    "rows_per_group": 4,
    "rows_per_shard": 6,
    "images_per_group": 2,
    "images_per_shard": 5,
    "images_per_zip": 6,
    "samples_per_tar": 3,
}
_DECIDED = """processid,rank,name,group,action,field,value,reason,note,curator,date,evidence
QDAAA012-19,,,,box,,300 200 700 560,wrongly_cropped,,Ada,2026-01-01,
QDAAA016-17,,,,box,,300 200 7000 5600,wrongly_cropped,beyond the image,Ada,2026-01-01,
QDAAA013-17,,,,reject,,,no_insect,,Ada,2026-01-01,
QDAAA022-17,,,,accept,,,checked,,Ada,2026-01-01,
QDAAA005-17,,,,set,country,Sweden,wrong_metadata,,Ada,2026-01-01,
QDAAA005-17,,,,set,coord,"59.9, 17.6",wrong_metadata,,Ada,2026-01-01,
QDAAA020-17,,,,relabel,species,Haplarchidella decisa,deeper_label,,Ada,2026-01-01,
,,,barcode:QDAAA003-18,relabel,species,Urgoxenopsis decisa,deeper_label,,Ada,2026-01-01,
,species,Plagarchidius hulviroides,,merge,,Plagarchidius hulviroidis,spelling,,Ada,2026-01-02,
,species,Juldegronius storvorum,,keep,,,checked,,Ada,2026-01-02,
QDAAA017-19,,,,explode,,,checked,no such action,Ada,2026-01-02,
NOBODY-26,,,,reject,,,checked,,Ada,2026-01-02,
"""
_REPORTED = """processid,reason,field,value,note,reporter,date
QDAAA019-17,contested_label,order,Diptera,wings,Eve,2026-01-03
NOBODY-26,no_insect,,,,Eve,2026-01-03
"""
_CORPORA = (
    Corpus(
        "images",
        _land_demo(24, images=True),
        Settings.model_validate({"release": _EVERY_FORM}),
        (_BATCHES,),
        of_cpu=True,
        folder="images",
        lists={"decisions/ada.csv": _DECIDED, "reports/eve.csv": _REPORTED},
    ),
    Corpus(
        "segmentation",
        lambda _: list(_BATCHES),
        Settings.model_validate({"images": {"detector": "segmentation"}}),
        (),
        of_cpu=True,
        folder="images",
    ),
    Corpus(
        "records",
        _land_demo(300, images=False),
        Settings.model_validate(
            {
                "gates": {"require_image": False},
                "splits": {"protocol": "stable"},
                "taxonomy": {"resolve_in_bin": True, "infer_from_bin": True},
                "geography": {"apply_coordinate_fixes": True},
            }
        ),
        # A delivery comes in after the first release: the second one keeps its partitions, and has a changelog.
        (("malaise-2023", "survey-2024"), ("autumn-2025",)),
        of_cpu=False,
        folder="records",
    ),
)
_REAL = Corpus("real", _land_real, Settings(), (("real-0", "real-1", "real-2"),), of_cpu=True, folder="real")


def corpora() -> tuple[Corpus, ...]:
    """The corpora that can be made here."""
    return (*_CORPORA, _REAL) if SHARED.is_dir() else _CORPORA


class _Unlabelled(Situation):
    """A situation whose outputs state no code: what is made depends on content alone."""

    def code(self, stage: str) -> dict[str, Any]:
        return {"version": "golden", "libraries": {}, "data": {}}


@dataclass(frozen=True, slots=True)
class Golden:
    """What a stage made of a golden corpus, and from what: hex digests."""

    content: str
    inputs: str


def make(
    folder: Path, watch: Callable[[Settings], Settings] = lambda settings: settings
) -> dict[str, dict[str, Golden]]:
    """Make the golden corpora with the code as it is.

    Args:
        folder: an empty one.
        watch: hands the stages other settings of the same values; for tests.

    Returns:
        What was made, by stage and corpus; stages of `NO_GOLDEN` have none.
    """
    found: dict[str, dict[str, Golden]] = {name: {} for name in STAGES}
    for corpus in corpora():
        lake = Lake(folder / corpus.folder)
        lake.root.mkdir(parents=True, exist_ok=True)
        for name, text in corpus.lists.items():
            write_text(lake.root / name, text)
        contents = _contents(lake, corpus, watch(corpus.settings))
        deliveries = {name: landing.load(lake, name).fingerprint for name in landing.landed(lake)}
        short = {name: digest(content)[:_SHORT] for name, content in contents.items()}
        for name, content in short.items():
            stage = STAGES[name]
            inputs = [
                deliveries,
                corpus.settings.values(stage.settings),
                code_of(name).data,
                {each: short[each] for each in _upstream(stage)},
                *([corpus.lists] if name in _OF_LISTS else []),
            ]
            found[name][corpus.name] = Golden(content, digest(inputs)[:_SHORT])
    return found


def _upstream(stage: Stage) -> Iterable[str]:
    """Stages whose outputs one reads; the manifest states and counts all."""
    if stage.name == "release_manifest":
        return [name for name in STAGES if name not in {stage.name, *NO_GOLDEN}]
    return sorted({*stage.reads, *stage.after})


def _contents(lake: Lake, corpus: Corpus, settings: Settings) -> dict[str, list[Any]]:
    """What each stage makes of a corpus: of batch after batch, of release after release."""
    batches = corpus.land(lake)
    found: dict[str, list[Any]] = {}
    for arriving in corpus.rounds or (tuple(batches),):
        for batch in arriving:
            of_batch = _Unlabelled(lake, settings, batch=landing.load(lake, batch))
            for name in BATCH_STAGES:
                found.setdefault(name, []).append(_of_output(run_stage(name, of_batch).output))
        if not corpus.rounds:
            continue
        records = {name: record for name in committed(lake) if (record := find_record(lake, name)) is not None}
        if missing := {*arriving} - records.keys():
            raise SystemExit(f"corpus {corpus.name}: {', '.join(sorted(missing))} did not become current")
        pin = Pin(
            settings.digest(),
            records,
            decisions=lists.save_copy(lake, lists.find(lake)),
            proposals=lists.save_copy(lake, lists.find(lake, lists.REPORTS)),
        )
        pins.save_pin(lake, pin)
        of_corpus = _Unlabelled(lake, settings, pin=pin)
        made = {name: run_stage(name, of_corpus) for name in CORPUS_STAGES}
        release = lake.releases / str(made["release_manifest"].counts["version"])
        for name, done in made.items():
            if STAGES[name].scope is not Scope.RELEASE:
                found.setdefault(name, []).append(_of_output(done.output))
            elif name not in NO_GOLDEN:
                found.setdefault(name, []).append(_of_part(name, release, settings))
    return found


def _of_output(output: Output | None) -> Any:
    """Files, counts, and outcomes of checks without their wording."""
    assert output is not None
    outcomes = [[one.check, one.passed, one.count, list(one.samples), one.detail] for one in output.findings]
    return [dict(output.files), dict(output.counts), outcomes]


def _of_part(stage: str, release: Path, settings: Settings) -> Any:
    """The files that a stage writes into the release; of the manifest, its head and the files that no part owns."""
    parts = owned(settings.release)
    names = [name for name in sorted(walk(release)) if name not in {"manifest.json", "md5sums.txt"}]
    if stage == "release_manifest":
        others = [path for paths in parts.values() for path in paths] + ["report"]
        kept = [name for name in names if not _below(name, others)]
        return [read_head(release), {name: file_sha256(str(release / name)) for name in kept}]
    mine = parts.get(PARTS_OF[stage], ())
    return {name: file_sha256(str(release / name)) for name in names if _below(name, mine)}


def _below(name: str, places: Collection[str]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)


# ---- where it was made


def machine() -> dict[str, Any]:
    """What bytes can depend on beside the code: the CPU's instruction sets, and releases of libraries."""
    libraries = {name: version for stage in STAGES for name, version in code_of(stage).libraries.items()}
    return {"cpu": _cpu(), "libraries": dict(sorted(libraries.items()))}


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    values = {key.strip(): value.split() for key, _, value in (line.partition(":") for line in text.splitlines())}
    flags = {*values.get("flags", ()), *values.get("Features", ())}
    vendor = values.get("vendor_id", values.get("CPU implementer", ()))
    return " ".join([platform.machine(), *vendor, *(flag for flag in _CPU_FLAGS if flag in flags)])


def comparable(now: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, str]:
    """Why the golden contents of a corpus cannot be compared, by corpus; empty if they can.

    Args:
        now: `machine()`.
        then: the recorded one; empty if nothing is recorded.
    """
    old, new = then.get("libraries", {}), now["libraries"]
    differ = [
        f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    why = f"recorded with other libraries ({', '.join(differ[:3])}{' …' if len(differ) > 3 else ''})" if differ else ""
    other_cpu = "recorded on another CPU" if then.get("cpu") != now["cpu"] else ""
    return {one.name: why or (other_cpu if one.of_cpu else "") for one in (*_CORPORA, _REAL)}


# ---- what is to be recorded


@dataclass(frozen=True, slots=True)
class Entry:
    """What is recorded of a stage, and why."""

    version: int
    closure: str
    golden: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    what: str = ""
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """What the file holds of it."""
        return {"version": self.version, "closure": self.closure, "golden": self.golden, "inputs": self.inputs}


def closures() -> dict[str, str]:
    """Digest of the logic of every stage, as it is now."""
    return {name: closure(stage.module, prose=stage.prose).digest for name, stage in STAGES.items()}


def decide(  # noqa: PLR0911 - a table of cases
    known: Mapping[str, Any] | None,
    logic: str,
    made: Mapping[str, Golden],
    obstacles: Mapping[str, str],
    *,
    forced: bool = False,
) -> Entry:
    """What to record of one stage.

    Args:
        known: what is recorded; None for nothing.
        logic: digest of its logic now.
        made: what it makes of the golden corpora now.
        obstacles: why contents of a corpus cannot be compared (`comparable`).
        forced: raise the version independent of the golden corpora.
    """
    golden = {name: one.content for name, one in sorted(made.items())}
    inputs = {name: one.inputs for name, one in sorted(made.items())}
    if known is None:
        return Entry(1, logic, golden, inputs, "new version", "nothing was recorded")
    version, was = int(known["version"]), known.get("golden", {})
    # What cannot be made here is as it was, as long as the version is.
    kept = {name: was[name] for name in was if name not in made}
    kept_inputs = {name: known["inputs"][name] for name in kept}
    both = [name for name in golden if name in was]
    other = [name for name in both if inputs[name] != known["inputs"][name]]
    apart = [name for name in both if obstacles.get(name)]
    differ = [name for name in both if golden[name] != was[name]]
    changed = known["closure"] != logic

    def stays(what: str, why: str = "") -> Entry:
        return Entry(version, logic, dict(sorted({**kept, **golden}.items())), {**kept_inputs, **inputs}, what, why)

    def rises(why: str) -> Entry:
        return Entry(version + 1, logic, golden, inputs, "new version", why)

    if forced:
        return rises("asked for")
    if not changed:
        unexplained = [name for name in differ if name not in other and name not in apart]
        if unexplained:
            return rises(
                f"the same code makes something else of the same ({', '.join(unexplained)}): plumbing decides a value, "
                "or the stage depends on something that its entry in stages.registry does not name; mend that"
            )
        return stays("golden made anew", "other inputs" if other else "other machine") if differ else stays("same")
    if not both:
        return rises("no golden output was recorded")
    if apart:
        return rises(f"no proof: {obstacles[apart[0]]}; to prove it, --refresh with the recorded code first")
    if other:
        return rises(f"no proof: inputs differ too ({', '.join(other)}); to prove it, record what it reads first")
    if differ:
        return rises(f"other content ({', '.join(differ)})")
    return stays("proven", f"the same content ({', '.join(both)})")


def plan(
    made: Mapping[str, Mapping[str, Golden]], chosen: Collection[str], forced: Collection[str]
) -> dict[str, Entry | None]:
    """What to record of every stage; None: what is recorded stays, because the stage is not among the chosen."""
    known, now = recorded(), closures()
    obstacles = comparable(machine(), recorded_machine())
    found: dict[str, Entry | None] = {}
    for name in STAGES:
        entry = decide(known.get(name), now[name], made[name], obstacles, forced=name in forced)
        if name in {*chosen, *forced} or entry.what in {"same", "golden made anew"}:
            found[name] = entry
        else:
            found[name] = None
    return found


def write(entries: Mapping[str, Entry | None], path: Path = RECORDED) -> None:
    """Write the record: sorted, a line per stage."""
    known, moved = recorded(), any(comparable(machine(), recorded_machine()).values())
    lines = {}
    for name, entry in entries.items():
        if entry is not None:
            lines[name] = entry.as_dict()
        elif name in known:
            # Golden outputs of another machine than the one that is stated prove nothing.
            lines[name] = known[name] | ({"golden": {}, "inputs": {}} if moved else {})
    stages = ",\n".join(f"{json.dumps(name)}: {json.dumps(lines[name], sort_keys=True)}" for name in sorted(lines))
    text = f'{{"machine": {json.dumps(machine(), sort_keys=True)},\n"stages": {{\n{stages}\n}}}}\n'
    write_text(path, text)


def differences(made: Mapping[str, Mapping[str, Golden]] | None) -> tuple[list[str], list[str]]:
    """What is not as recorded, one line each; and what cannot be compared here.

    Args:
        made: what the stages make of the golden corpora; None compares the logic alone.
    """
    known, now = recorded(), closures()
    wrong = [f"{name}: recorded, but no stage" for name in known if name not in STAGES]
    for name in STAGES:
        if name not in known:
            wrong.append(f"{name}: nothing is recorded")
        elif known[name]["closure"] != now[name]:
            wrong.append(f"{name}: its code is not the recorded one")
    if made is None:
        return wrong, []
    obstacles = {name: why for name, why in comparable(machine(), recorded_machine()).items() if why}
    skipped = [f"corpus {name}: {why}" for name, why in obstacles.items()]
    if not SHARED.is_dir():
        skipped.append(f"corpus real: no folder {SHARED}")
    for name, mine in made.items():
        was = known.get(name, {}).get("golden", {})
        for corpus, one in mine.items():
            if corpus not in obstacles and corpus in was and was[corpus] != one.content:
                wrong.append(f"{name}: makes something else of the corpus {corpus}")
    return wrong, skipped


# ---- the command


def _code_files() -> str:
    """Digest over the files that stages consist of: somebody may save one while the corpora are being made."""
    found, package = hashlib.sha256(), ROOT / "bioscan_etl"
    names = {name for stage in STAGES.values() for name in closure(stage.module, prose=stage.prose).modules}
    places = [ROOT.joinpath(*name.split(".")) for name in sorted(names)]
    paths = [path for place in places for path in (place.with_name(f"{place.name}.py"), place / "__init__.py")]
    paths += [path for stage in STAGES.values() for pattern in stage.data for path in sorted(package.glob(pattern))]
    for path in [
        *paths,
        package / "schema.py",
        package / "vocabulary.py",
        package / "settings.py",
        package / "stages" / "registry.py",
    ]:
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def _arguments(given: list[str] | None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__.partition("`bioscan_etl/")[0].strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="record these only (default: all that differ)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where something is not as recorded")
    parser.add_argument(
        "--new",
        action="append",
        default=[],
        metavar="STAGE",
        help="raise the version of a stage even if it makes the same of the golden corpora: for a change of results "
        "that they cannot show, such as a rare defect, a threshold that few records reach, or a corpus of millions",
    )
    parser.add_argument(
        "--refresh",
        action="store_true",
        help="make the golden outputs anew although no code differs: after an upgrade of a library, or on another CPU",
    )
    options = parser.parse_args(given)
    if unknown := sorted({*options.stages, *options.new} - STAGES.keys()):
        parser.error(f"no stage {', '.join(unknown)}; there are {', '.join(STAGES)}")
    if options.check and (options.new or options.refresh):
        parser.error("--check writes nothing; leave out --new and --refresh")
    return options


def main(given: list[str] | None = None) -> int:
    """Record, or check, and say what was done."""
    options = _arguments(given)
    before = _code_files()
    stale, _ = differences(None)
    if not stale and not (options.check or options.new or options.refresh):
        print("the code of all stages is as recorded; if the demo or the golden corpora changed, use --refresh")
        if why := next((why for why in comparable(machine(), recorded_machine()).values() if why), ""):
            print(f"its golden outputs were {why}; --refresh makes them anew")
        return 0
    for stage in STAGES.values():  # before the first one runs, so that all are of one moment
        importlib.import_module(stage.module)
    if not SHARED.is_dir():
        print(f"without real records and images: no folder {SHARED}")
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        made = make(Path(folder))
    if _code_files() != before:
        print("files of stages changed meanwhile; nothing is recorded, run it again", file=sys.stderr)
        return 1
    if options.check:
        wrong, skipped = differences(made)
        for line in [*(f"not compared: {line}" for line in skipped), *wrong]:
            print(line)
        print(ADVICE if wrong else "all stages are as recorded")
        return 1 if wrong else 0
    entries = plan(made, options.stages or STAGES, options.new)
    write(entries)
    _show(entries)
    return 0


def _show(entries: Mapping[str, Entry | None]) -> None:
    width = max(map(len, entries))
    for name, entry in entries.items():
        if entry is None:
            print(f"{name:<{width}}       left as it was: not recorded")
        else:
            print(f"{name:<{width}} {entry.version:>4}  {entry.what}{f': {entry.why}' if entry.why else ''}")


if __name__ == "__main__":
    sys.exit(main())
