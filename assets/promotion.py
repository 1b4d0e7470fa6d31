"""Whether a tuned detector may take the place of the current one: measured, checked, promoted.

Belongs here: the check that a worse one does not pass, and where one that passes is kept. Does not belong here:
how it is measured (`detector/evaluate.py`). A promoted detector works when somebody names it in the settings.
"""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from bioscan_etl.assets.detector import ANNOTATIONS, tuned_detector
from bioscan_etl.assets.factory import one_line_errors
from bioscan_etl.assets.training import annotated, measuring, read_image, scripts_digest
from bioscan_etl.assets.training_run import asset, report, run
from bioscan_etl.errors import LakeError, SettingsError
from bioscan_etl.images.decode import UnreadableImage
from bioscan_etl.images.detect import detector_fingerprint, load_detector
from bioscan_etl.io.read import file_sha256
from bioscan_etl.io.write import write_text
from bioscan_etl.lake import Draft, Lake, Output, digest, small_files
from bioscan_etl.lake.current import current, get
from bioscan_etl.lake.store import MANIFEST
from bioscan_etl.resources import CorpusResource

EVALUATION = "detector_evaluation"
PROMOTED = "promoted_detector"
MODELS = ("coarse.onnx", "refiner.onnx", "calibration.json")


class ValidationConfig(dg.Config):
    """What the detectors are measured on, and what is allowed."""

    annotations: str = Field("", description="COCO file to measure on; empty: the held-out part of the reviewed boxes")
    images: str = Field("", description="folder of its images")
    part: str = Field("validation", description="part of that file: validation, or all")
    tolerance: float = Field(0.01, ge=0, lt=1, description="by which AP(0.75) and AR may fall")
    least: int = Field(20, ge=1, description="occupied images that a verdict needs")


@dg.asset_check(asset=tuned_detector, blocking=True, description="No worse than the detector of the settings.")
@one_line_errors
def not_worse(config: ValidationConfig, corpus: dg.ResourceParam[CorpusResource]) -> dg.AssetCheckResult:
    """Measure the detector of the settings and the tuned one on images that neither may have learnt from.

    Fails where AP(0.75) or AR fall by more than the tolerance, or where more dishes are confused: empty ones not
    reported empty, or occupied ones that are.
    """
    home, settings = corpus.lake(), corpus.settings()
    tuned, reviewed = get(home, "tuned_detector"), get(home, "reviewed_boxes")
    if tuned.made_from["inputs"]["reviewed_boxes"] != reviewed.content:
        raise LakeError("reviewed_boxes have changed since tuned_detector was made; materialise tuned_detector again")
    images, truth, learnt = _validation(config, reviewed)
    occupied = sum(image.box is not None for image in truth)
    if occupied < config.least:
        raise SettingsError(
            f"there are {occupied} occupied images to measure on, {config.least} are needed; review more, or name "
            "annotated images in ops.tuned_detector_not_worse.config.annotations and images"
        )
    evaluate = measuring("evaluate")

    def build(draft: Draft) -> None:
        results = {}
        for name, choice in (("current", settings.images.detector), ("tuned", str(tuned.folder / "detector"))):
            detector = load_detector(settings.images.model_copy(update={"detector": choice}))
            try:
                results[name] = asdict(evaluate.measure(images, truth, detector, config.part))
            except (UnreadableImage, ValueError) as error:
                raise SettingsError(f"the detectors cannot be measured on {images}: {error}") from None
            del results[name]["cpu_ms"]  # no two runs take the same time
        write_text(draft.folder / "evaluation.json", json.dumps(results, indent=1, sort_keys=True) + "\n")
        draft.counts |= {
            "figures": {name: figures(result) for name, result in results.items()},
            "images": {"occupied": occupied, "empty": len(truth) - occupied, "left_out": learnt},
            "tuned": tuned.content,
            "current": results["current"]["detector"],
        }
        draft.counts["worse"] = worse(draft.counts["figures"]["current"], draft.counts["figures"]["tuned"], config)

    content = [[image.file_name, file_sha256(str(images / image.file_name)), image.box] for image in truth]
    output, _ = run(
        home,
        settings,
        EVALUATION,
        inputs={
            "tuned": tuned.content,
            "current": detector_fingerprint(settings.images),
            "validation": digest([config.part, content]),
            "tolerance": config.tolerance,
            "scripts": scripts_digest(),
        },
        reads=("images.*",),
        build=build,
    )
    reasons = output.counts["worse"]
    verdict = "the tuned detector is worse: " + "; ".join(reasons) if reasons else "the tuned detector may work"
    dg.get_dagster_logger().info(verdict)  # who runs the job in a terminal sees no metadata
    return dg.AssetCheckResult(
        passed=not reasons,
        severity=dg.AssetCheckSeverity.ERROR,
        description=verdict,
        metadata={
            "figures": dg.MetadataValue.md(table(output.counts["figures"])),
            "images": dg.MetadataValue.json(output.counts["images"]),
            "folder": dg.MetadataValue.path(str(output.folder)),
        },
    )


def _validation(config: ValidationConfig, corpus: Output) -> tuple[Path, list[Any], int]:
    """Folder and images to measure on, and the number of those left out because the tuned detector learnt them."""
    if config.part not in ("validation", "all"):
        raise SettingsError(f"ops.tuned_detector_not_worse.config.part {config.part!r} is neither validation nor all")
    if bool(config.annotations) != bool(config.images):
        raise SettingsError("ops.tuned_detector_not_worse.config needs annotations and images, or neither")
    if not config.annotations:
        return corpus.folder / "images", annotated(str(corpus.path(ANNOTATIONS)), "validation"), 0
    part_of = measuring("dataset").part_of
    learnt = {
        sha256
        for name, sha256 in corpus.files.items()
        if name.startswith("images/") and part_of(name.removeprefix("images/")) != "validation"
    }
    folder = Path(config.images)
    given = annotated(config.annotations, None if config.part == "all" else "validation")
    kept = [image for image in given if hashlib.sha256(read_image(folder, image.file_name)).hexdigest() not in learnt]
    return folder, kept, len(given) - len(kept)


def figures(result: dict[str, Any]) -> dict[str, float]:
    """What counts of a measurement (`detector/evaluate.py`), as a plain table; a detector without any box has AP 0."""
    coco = result["coco"].get("all", {})
    bare, full = result["statuses"]["empty"], result["statuses"]["occupied"]
    return {
        **{name: round(coco.get(name, 0.0), 4) for name in ("AP50", "AP75", "AP", "AR")},
        "empty dishes not reported empty": result["empty"] - bare.get("empty", 0),
        "occupied dishes reported empty": full.get("empty", 0),
    }


def worse(current: dict[str, float], tuned: dict[str, float], config: ValidationConfig) -> list[str]:
    """In what the tuned detector is worse; nothing where it may take the current one's place."""
    reasons = [
        f"{name} {tuned[name]:.3f} after {current[name]:.3f}, allowed is a fall of {config.tolerance:g}"
        for name in ("AP75", "AR")
        if tuned[name] < current[name] - config.tolerance
    ]
    confused = ("empty dishes not reported empty", "occupied dishes reported empty")
    return reasons + [f"{tuned[name]} {name} after {current[name]}" for name in confused if tuned[name] > current[name]]


def table(both: dict[str, dict[str, float]]) -> str:
    """The figures of both detectors as a Markdown table."""
    lines = ["| | current | tuned |", "|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| {name} | {value} | {both['tuned'][name]} |" for name, value in both["current"].items())]
    )


@asset(kinds={"onnx"}, deps=[tuned_detector])
def promoted_detector(corpus: dg.ResourceParam[CorpusResource]) -> dg.MaterializeResult:
    """One detector that may take the place of the current one: the tuned one, after the check not_worse let it through.

    Key: its name, by content. Source: tuned_detector. It is kept for good, beside those promoted before, and works
    once the settings name its folder, as the metadata say.
    """
    home, settings = corpus.lake(), corpus.settings()
    tuned, evaluation = get(home, "tuned_detector"), current(home, EVALUATION)
    now = detector_fingerprint(settings.images)
    # Also where somebody materialises this asset alone.
    if evaluation is None or (evaluation.counts["tuned"], evaluation.counts["current"]) != (tuned.content, now):
        raise LakeError("the tuned detector was not measured against that of the settings; run fine_tune_detector")
    if evaluation.counts["worse"]:
        raise LakeError(f"the tuned detector is worse: {'; '.join(evaluation.counts['worse'])}; nothing is promoted")
    name = str(tuned.counts["name"])
    contents = {model: tuned.files[f"detector/{model}"] for model in MODELS}
    # Not by code and settings, as other outputs are: settings name this folder, so it must stay where it is.
    fingerprint = digest([name, contents])
    with home.lock(PROMOTED, name):
        output = home.find(PROMOTED, fingerprint, name)
        built = output is None or not output.is_whole
        if built:
            with home.writing(PROMOTED, fingerprint, name, made_from={"inputs": contents}) as draft:
                for model in MODELS:
                    shutil.copyfile(tuned.path(f"detector/{model}"), draft.folder / model)
                shutil.copyfile(evaluation.path("evaluation.json"), draft.folder / "evaluation.json")
                draft.counts["name"] = name
            output = home.find(PROMOTED, fingerprint, name)
    assert output is not None
    return report(
        (output, built),
        detector=name,
        settings=dg.MetadataValue.md(f"In settings.toml, under `[images]`:\n\n    {settings_line(home, output)}\n"),
        promoted=dg.MetadataValue.json([settings_line(home, each) for each in promoted(home)]),
    )


def settings_line(home: Lake, output: Output) -> str:
    """The line of `OUTPUT/settings.toml` that takes a promoted detector; relative to OUTPUT, which may be moved."""
    return f"detector = {json.dumps(output.folder.relative_to(home.root).as_posix())}"


def promoted(home: Lake) -> list[Output]:
    """The detectors that were promoted so far, sorted by name; which of them works is for the settings to say.

    No record or pointer names them, for none is current; one with a damaged manifest counts as none.
    """
    found = []
    for path in sorted((home.home / "outputs" / PROMOTED).glob(f"*/*/{MANIFEST}")):
        try:
            fingerprint = str((small_files.read(path) or {}).get("fingerprint"))
        except LakeError:
            continue
        output = home.find(PROMOTED, fingerprint, path.parents[1].name)
        if output is not None:
            found.append(output)
    return found
