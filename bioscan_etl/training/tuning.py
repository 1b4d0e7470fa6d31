"""The tuning of a detector: where its networks start, how long they learn, and the scripts that do it.

Belongs here: which weights may be read, and the arguments and order of the scripts. Does not belong here: the training
loops (`train`, `refine`), and whether the result may be used (`verdict`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bioscan_etl.errors import SettingsError
from bioscan_etl.extras import extras_named
from bioscan_etl.images.calibration import Calibration
from bioscan_etl.images.detect import detector_folder, load_detector
from bioscan_etl.images.detection import SHIPPED
from bioscan_etl.images.networks import read_model
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.read import file_sha256
from bioscan_etl.lake import Draft, Lake, Output
from bioscan_etl.lake.current import get
from bioscan_etl.settings import ImageSettings, Settings
from bioscan_etl.training.outputs import make, scripts_digest
from bioscan_etl.training.processes import require_training, run_script
from bioscan_etl.training.reviewed import ANNOTATIONS, REVIEWED

TUNED = "tuned_detector"
NETWORKS = ("coarse", "refiner")
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast the networks learn.

    Attributes:
        epochs: of the region proposal network.
        windows: that the refiner sees.
        rate: learning rate at the start.
    """

    epochs: int
    windows: int
    rate: float

    def changed(self, *, epochs: int, windows: int, rate: float) -> Plan:
        """This plan with other values; 0 leaves a value as it is."""
        return Plan(epochs or self.epochs, windows or self.windows, rate or self.rate)


FROM_NOTHING = Plan(130, 480_000, 0.002)
FROM_WEIGHTS = Plan(6, 20_000, 0.0005)


def tune(
    home: Lake,
    settings: Settings,
    weights: str,
    log: Callable[[str], None],
    *,
    epochs: int = 0,
    windows: int = 0,
    rate: float = 0.0,
) -> tuple[Output, bool]:
    """Train a detector on the reviewed boxes: two networks, their calibration, the weights.

    The scripts run in a Python that has the extra `train` (`processes.training_python`). A call that was killed resumes
    where it stopped.

    Args:
        home: the lake, with the output `reviewed_boxes`.
        settings: of the corpus.
        weights: folder of the networks to start from; empty: the detector of the settings; `nothing`: random weights.
        log: takes the scripts' lines.
        epochs: of the region proposal network; 0: as `FROM_WEIGHTS`, or `FROM_NOTHING`.
        windows: that the refiner sees; 0: likewise.
        rate: learning rate; 0: likewise.

    Returns:
        The output, and whether it was made now.

    Raises:
        SettingsError: too few images to learn from, no weights to start from, or no Python that can train.
        BioscanError: a script failed.
    """
    reviewed = get(home, REVIEWED)
    for part in ("training", "calibration"):
        counts = reviewed.counts["parts"][part]
        if 0 in counts.values():
            raise SettingsError(
                f"reviewed_boxes has {counts['occupied']} occupied and {counts['empty']} empty images for {part}, both "
                "are needed; review more, or name what the detector learnt from so far in "
                "ops.reviewed_boxes.config.annotations and images"
            )
    starts = starting_weights(weights, settings.images, home)
    before, expert = earlier_calibration(starts), expert_beside(starts)
    plan = (FROM_WEIGHTS if starts else FROM_NOTHING).changed(epochs=epochs, windows=windows, rate=rate)

    def build(draft: Draft) -> None:
        python = require_training()
        require_measuring()  # the check after the training needs it
        _train(draft, python, reviewed, starts, before, expert, plan, settings.images, log)

    return make(
        home,
        settings,
        TUNED,
        code="tuning",
        inputs={
            "reviewed_boxes": reviewed.content,
            "scripts": scripts_digest(),
            "weights": {name: file_sha256(str(path)) for name, path in starts.items()},
            "before": file_sha256(str(before)),
            "expert": None if expert is None else file_sha256(str(expert)),
            "plan": [plan.epochs, plan.windows, plan.rate],
        },
        build=build,
        resumable=True,
    )


def require_measuring() -> None:
    """Check that this Python can measure a detector.

    Raises:
        MissingExtraError: pycocotools is not installed.
    """
    with extras_named():
        import pycocotools  # noqa: F401 - only whether it is there


def _train(
    draft: Draft,
    python: str,
    reviewed: Output,
    starts: dict[str, Path],
    before: Path,
    expert: Path | None,
    plan: Plan,
    settings: ImageSettings,
    log: Callable[[str], None],
) -> None:
    work, folder, weights = (draft.folder / name for name in ("training", "detector", "weights"))
    data = [str(reviewed.folder / "images"), str(reviewed.path(ANNOTATIONS))]
    rate = ["--rate", str(plan.rate)]
    starting = {name: ["--from", str(starts[name])] if starts else [] for name in NETWORKS}
    if starts and starts["coarse"].suffix == ".pt":  # of this lake, or of the settings (`starting_weights`)
        starting["coarse"].append("--trust-pickle")
    steps = {
        "train": [*data, str(work), "--epochs", str(plan.epochs), *starting["coarse"], *rate],
        "refine": [*data, str(work), "--windows", str(plan.windows), *starting["refiner"], *rate],
        "export": [str(work), str(folder)],
        "calibrate": [*data, str(folder), "--before", str(before)],
    }
    lines: list[str] = []
    for script, arguments in steps.items():
        if script == "calibrate" and expert is not None:
            shutil.copy(expert, folder / expert.name)
        lines = run_script(python, f"bioscan_etl.training.{script}", arguments, work, log)
    draft.counts["calibration"] = lines
    weights.mkdir(exist_ok=True)
    shutil.move(work / "coarse" / "weights" / "last.pt", weights / "coarse.pt")
    shutil.move(work / "refiner.pt", weights / "refiner.pt")
    shutil.rmtree(work)
    draft.counts["name"] = load_detector(settings.model_copy(update={"detector": str(folder)})).name


def expert_beside(starts: Mapping[str, Path]) -> Path | None:
    """The expert of the detector that a tuning starts from: it is kept as it is; None if there is none."""
    return _beside(starts, "expert.onnx")


def _beside(starts: Mapping[str, Path], name: str) -> Path | None:
    """A file of the detector whose networks a tuning starts from; None if there is none."""
    if not starts:
        return None
    folder = starts["refiner"].parent
    # Weights of an output of this lake lie beside the folder of their detector.
    places = folder / name, folder.parent / "detector" / name
    return next((place for place in places if place.is_file()), None)


def starting_weights(asked: str, settings: ImageSettings, home: Lake) -> dict[str, Path]:
    """Where each network starts from; empty if both start from random weights.

    A `.pt` is a pickle and can run code, so only one of this lake is read; elsewhere only `.onnx` counts.

    Raises:
        SettingsError: a network is not there.
    """
    if asked == NOTHING:
        return {}
    folder = Path(asked) if asked else detector_folder(settings.detector)
    if folder is None:
        raise SettingsError(
            f"the detector of the settings, {settings.detector}, has no two networks to start from: name a folder in "
            f"ops.tuned_detector.config.weights, or {NOTHING!r}"
        )
    own = real_path(folder).is_relative_to(real_path(home.home))
    starts = {}
    for name in NETWORKS:
        kinds = ("pt", "onnx") if own or not asked else ("onnx",)
        found = [path for kind in kinds if (path := folder / f"{name}.{kind}").is_file()]
        if not found:
            raise SettingsError(
                f"weights {folder / name}.onnx do not exist (in {home.home} .pt counts, too); name a folder of both "
                f"networks, or {NOTHING!r}"
            )
        starts[name] = real_path(found[0])
    return starts


def earlier_calibration(starts: Mapping[str, Path]) -> Path:
    """The calibration whose thresholds are kept if there are too few images to choose others by.

    It is that of the detector that the networks start from, else that of the one that comes with the package.

    Args:
        starts: where each network starts from (`starting_weights`).

    Raises:
        SettingsError: the calibration beside the networks cannot be read.
    """
    path = _beside(starts, "calibration.json") or SHIPPED / "calibration.json"
    Calibration.parse(read_model(path).decode("utf-8", "replace"), str(path))
    return path
