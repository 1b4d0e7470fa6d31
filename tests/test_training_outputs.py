"""What counts of the code of the training, and when an output is made again."""

import shutil
from pathlib import Path

import bioscan_etl
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.training import outputs

PACKAGE = Path(bioscan_etl.__file__).parent


def copy(folder: Path, **changes: tuple[str, str]) -> Path:
    """A copy of the package's code, with one text of some modules of the training replaced."""
    shutil.copytree(
        PACKAGE, folder / "bioscan_etl", ignore=shutil.ignore_patterns("__pycache__", "*.onnx", "*.csv", "*.parquet")
    )
    for name, change in changes.items():
        path = folder / "bioscan_etl" / "training" / name.replace("__", ".")
        text = path.read_text()
        assert change[0] in text
        path.write_text(text.replace(*change))
    return folder


def test_the_code_of_scripts_and_modules_counts_and_their_prose_does_not(tmp_path):
    plain = copy(tmp_path / "plain")
    cases = {
        "reworded": ({"train__py": ("SMALLEST = 2.0  # px", "SMALLEST = 2.0  # pixels")}, False, False),
        "learning": ({"refine__py": ("BATCH = 32", "BATCH = 64")}, True, False),
        "what scripts share": ({"compose__py": ("_EDGE = 0.88", "_EDGE = 0.89")}, True, False),
        "layers": ({"coarse__yaml": ("[8, 3, 2]", "[16, 3, 2]")}, True, False),
        "hours": ({"tuning__py": ("Plan(130, 480_000", "Plan(130, 470_000")}, False, True),
        "the check": ({"comparison__py": ("FEW = 50", "FEW = 40")}, False, False),
        "how scripts run": ({"processes__py": ("_TAIL = 20", "_TAIL = 30")}, False, False),
    }
    scripts, tuning = outputs.scripts_digest(plain), outputs.code_digest("tuning", plain)
    assert (outputs.scripts_digest(), outputs.code_digest("tuning")) == (scripts, tuning)
    for name, (changes, trains, plans) in cases.items():
        root = copy(tmp_path / name, **changes)
        assert (outputs.scripts_digest(root) != scripts) is trains, name
        assert (outputs.code_digest("tuning", root) != tuning) is plans, name


def test_an_output_is_made_once_for_the_same_inputs(tmp_path):
    home, settings = Lake(tmp_path), Settings()
    made = []

    def build(draft) -> None:
        made.append(draft)
        (draft.folder / "file.txt").write_text("text")

    def make(inputs):
        return outputs.make(home, settings, "toy", code="tuning", build=build, inputs=inputs, reads=("images.*",))

    first, built = make({"a": 1})
    assert built
    assert (first.path("file.txt").read_text(), first.is_whole) == ("text", True)
    again, built = make({"a": 1})
    assert (again.folder, built, len(made)) == (first.folder, False, 1)
    other, built = make({"a": 2})
    assert built
    assert other.folder != first.folder
    # Only the current one is kept; the other one is swept away, and made again when it is asked for.
    assert not first.folder.exists()
    assert make({"a": 1})[1]
    # A damaged one is made again.
    other, _ = make({"a": 2})
    other.path("file.txt").unlink()
    other, built = make({"a": 2})
    assert (built, other.path("file.txt").read_text()) == (True, "text")
