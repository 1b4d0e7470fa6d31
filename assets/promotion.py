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

from assets.detector import ANNOTATIONS, tuned_detector
from assets.stage import one_line_errors, report, run, stage
from assets.training import annotated, measuring, read_image, scripts_digest
from bioscan_etl import storage
from bioscan_etl.errors import LakeError, SettingsError
from bioscan_etl.images.decode import UnreadableImage
from bioscan_etl.images.detect import detector_fingerprint, load_detector
from bioscan_etl.lake import Draft, Output, digest
from bioscan_etl.resources import LakeResource

EVALUATION = "detector_evaluation"
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
def not_worse(config: ValidationConfig, lake: LakeResource) -> dg.AssetCheckResult:
    """Measure the detector of the settings and the tuned one on images that neither may have learnt from.

    Fails where AP(0.75) or AR fall by more than the tolerance, or where more dishes are confused: empty ones not
    reported empty, or occupied ones that are.
    """
    home, settings = lake.lake(), lake.settings()
    tuned, corpus = home.get("tuned_detector"), home.get("reviewed_boxes")
    if tuned.inputs["reviewed_boxes"] != corpus.content:
        raise LakeError("reviewed_boxes have changed since tuned_detector was made; materialise tuned_detector again")
    images, truth, learnt = _validation(config, corpus)
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
        storage.write_text(draft.folder / "evaluation.json", json.dumps(results, indent=1, sort_keys=True) + "\n")
        draft.counts |= {
            "figures": {name: figures(result) for name, result in results.items()},
            "images": {"occupied": occupied, "empty": len(truth) - occupied, "left_out": learnt},
            "tuned": tuned.content,
            "current": results["current"]["detector"],
        }
        draft.counts["worse"] = worse(draft.counts["figures"]["current"], draft.counts["figures"]["tuned"], config)

    content = [[image.file_name, storage.sha256(str(images / image.file_name)), image.box] for image in truth]
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
        sections=("images",),
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


@stage(group="detector", kinds={"onnx"}, deps=[tuned_detector], pool="detector")
def promoted_detector(lake: LakeResource) -> dg.MaterializeResult:
    """One detector that may take the place of the current one: the tuned one, after the check not_worse let it through.

    Key: its name, by content. Source: tuned_detector. It is kept for good, beside those promoted before, and works
    once the settings name its folder, as the metadata say.
    """
    home, settings = lake.lake(), lake.settings()
    tuned, evaluation = home.get("tuned_detector"), home.find(EVALUATION)
    current = detector_fingerprint(settings.images)
    # Also where somebody materialises this asset alone.
    if evaluation is None or (evaluation.counts["tuned"], evaluation.counts["current"]) != (tuned.content, current):
        raise LakeError("the tuned detector was not measured against that of the settings; run fine_tune_detector")
    if evaluation.counts["worse"]:
        raise LakeError(f"the tuned detector is worse: {'; '.join(evaluation.counts['worse'])}; nothing is promoted")
    name = str(tuned.counts["name"])
    contents = {model: tuned.files[f"detector/{model}"] for model in MODELS}
    # Not by code and settings, as other outputs are: settings name this folder, so it must stay where it is.
    fingerprint = digest([name, contents])
    with home.lock("promoted_detector", name):
        built = home.reuse("promoted_detector", name, fingerprint) is None
        if built:
            with home.writing("promoted_detector", name, fingerprint, inputs=contents) as draft:
                for model in MODELS:
                    shutil.copyfile(tuned.folder / "detector" / model, draft.folder / model)
                shutil.copyfile(evaluation.path("evaluation.json"), draft.folder / "evaluation.json")
                draft.counts["name"] = name
    output = home.get("promoted_detector", name)
    line = f"detector = {json.dumps(str(output.folder))}"
    return report(
        (output, built),
        detector=name,
        settings=dg.MetadataValue.md(f"In the settings, under `[images]`:\n\n    {line}\n"),
    )
