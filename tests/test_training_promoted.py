"""Detectors that were promoted: found by their manifests, and named relative to the corpus."""

import json
import tomllib

import pytest

from bioscan_etl.errors import LakeError
from bioscan_etl.images.detect import detector_fingerprint
from bioscan_etl.lake import Lake, Output, digest
from bioscan_etl.lake.current import point
from bioscan_etl.settings import Settings
from bioscan_etl.training.promoted import MODELS, PROMOTED, promote, promoted, settings_line
from bioscan_etl.training.tuning import TUNED
from bioscan_etl.training.verdict import EVALUATION

SETTINGS = Settings()


def write(home: Lake, asset: str, files: dict[str, str], **counts) -> Output:
    """An output of the training, made current."""
    fingerprint = digest([asset, files, counts])
    with home.writing(asset, fingerprint, made_from={}) as draft:
        for path, text in files.items():
            (draft.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (draft.folder / path).write_text(text)
        draft.counts |= counts
    point(home, asset, fingerprint)
    output = home.find(asset, fingerprint)
    assert output is not None
    return output


def tuned(home: Lake, name: str) -> Output:
    return write(home, TUNED, {f"detector/{model}": f"{name} {model}" for model in MODELS}, name=name)


def evaluated(home: Lake, detector: Output, worse: list[str] | None = None, current: str | None = None) -> Output:
    measured = detector_fingerprint(SETTINGS.images) if current is None else current
    return write(
        home, EVALUATION, {"evaluation.json": "{}"}, tuned=detector.content, current=measured, worse=worse or []
    )


def test_a_detector_that_passed_is_kept_once_beside_those_before(tmp_path):
    home = Lake(tmp_path)
    evaluated(home, tuned(home, "trained-b"))
    first, built = promote(home, SETTINGS)
    assert (built, first.batch) == (True, "trained-b")
    assert {name: first.path(name).read_text() for name in MODELS} == {name: f"trained-b {name}" for name in MODELS}
    again, built = promote(home, SETTINGS)
    assert (built, again.folder) == (False, first.folder)
    evaluated(home, tuned(home, "trained-a"))
    promote(home, SETTINGS)
    assert [output.batch for output in promoted(home)] == ["trained-a", "trained-b"]


def test_one_that_was_not_measured_or_is_worse_is_not_promoted(tmp_path):
    home = Lake(tmp_path)
    detector = tuned(home, "trained-a")
    with pytest.raises(LakeError, match="was not measured against that of the settings"):
        promote(home, SETTINGS)
    evaluated(home, detector, current="another")
    with pytest.raises(LakeError, match="was not measured against that of the settings"):
        promote(home, SETTINGS)
    evaluated(home, detector, ["AR fell", "AP75 fell"])
    with pytest.raises(LakeError, match="is worse: AR fell; AP75 fell; nothing is promoted"):
        promote(home, SETTINGS)
    assert promoted(home) == []


def test_the_line_of_the_settings_is_relative_and_a_damaged_one_is_left_out(tmp_path):
    home = Lake(tmp_path)
    evaluated(home, tuned(home, "trained-a"))
    output, _ = promote(home, SETTINGS)
    named = tomllib.loads(settings_line(home, output))["detector"]
    assert home.root / named == output.folder
    (home.home / "outputs" / PROMOTED / "trained-0" / "broken").mkdir(parents=True)
    (home.home / "outputs" / PROMOTED / "trained-0" / "broken" / "manifest.json").write_text("{")
    unknown = home.home / "outputs" / PROMOTED / "trained-1" / "unknown"
    unknown.mkdir(parents=True)
    (unknown / "manifest.json").write_text(json.dumps({}))
    assert promoted(home) == [output]
