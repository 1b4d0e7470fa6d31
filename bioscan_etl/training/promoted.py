"""Detectors that passed the check: kept in the lake, each under its name, for as long as the lake lives.

Belongs here: where they are kept, and the line of the settings that uses one. Does not belong here: whether a detector
may be promoted (`verdict`). A promoted detector is used when somebody names its folder in the settings.
"""

from __future__ import annotations

import json
import shutil

from bioscan_etl.errors import LakeError
from bioscan_etl.images.detect import detector_fingerprint
from bioscan_etl.lake import Lake, Output, digest, small_files
from bioscan_etl.lake.current import current, get
from bioscan_etl.lake.store import MANIFEST
from bioscan_etl.settings import Settings
from bioscan_etl.training.tuning import TUNED
from bioscan_etl.training.verdict import EVALUATION

PROMOTED = "promoted_detector"
MODELS = ("coarse.onnx", "refiner.onnx", "calibration.json")


def promote(home: Lake, settings: Settings) -> tuple[Output, bool]:
    """Keep the tuned detector for good, beside those promoted before.

    Returns:
        The output, whose batch is the detector's name, and whether it was made now.

    Raises:
        LakeError: the tuned detector was not measured against that of the settings, or is worse.
    """
    tuned, evaluation = get(home, TUNED), current(home, EVALUATION)
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
    return output, built


def settings_line(home: Lake, output: Output) -> str:
    """The line of `OUTPUT/settings.toml` that uses a promoted detector; relative to OUTPUT, which may be moved."""
    return f"detector = {json.dumps(output.folder.relative_to(home.root).as_posix())}"


def promoted(home: Lake) -> list[Output]:
    """The detectors that were promoted so far, sorted by name; the settings decide which one is used.

    No record or pointer names them, for none is current. One with a damaged manifest is left out.
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
