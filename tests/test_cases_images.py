"""The cases of `../shared/cases` about images: what detection finds, and what is held."""

import subprocess
import sys
from pathlib import Path

import polars as pl

from bioscan_etl.images.decode import decode
from bioscan_etl.images.find_specimens import find_specimens
from bioscan_etl.settings import ImageSettings

WARNINGS, BITS = "10-jpeg-warnings-of-whole-pictures", "12-12-bit-samples-in-16"
BOX = ("x0", "y0", "x1", "y1")


def detected(folder: Path, output: Path, **settings: object) -> pl.DataFrame:
    find_specimens(str(folder), output, ImageSettings(**settings))
    return pl.read_csv(output).sort("image_file")


def test_whole_jpegs_are_detected_whatever_a_decoder_warns_of(shared_cases, tmp_path) -> None:
    rows = detected(shared_cases / WARNINGS / "images", tmp_path / "boxes.csv")
    assert rows["status"].to_list() == ["detected"] * 3
    assert rows.select(BOX).n_unique() == 1


def test_samples_of_12_bits_are_held_with_a_reason_or_scaled_on_request(shared_cases, tmp_path) -> None:
    folder = shared_cases / BITS / "images"
    rows = detected(folder, tmp_path / "boxes.csv")
    assert rows["status"].to_list() == ["unreadable", "detected", "unreadable", "detected"]
    reasons = rows.filter(status="unreadable")["detail"].to_list()
    assert all("significant bits" in reason and "images.significant_bits" in reason for reason in reasons)

    rows = detected(folder, tmp_path / "scaled.csv", significant_bits=12)
    assert rows["status"].to_list() == ["detected"] * 4
    files = sorted(folder.iterdir())
    means = [float(decode(path.read_bytes(), 1 << 28, 12).mean()) for path in files]
    assert max(means) - min(means) < 5


def test_no_note_of_a_camera_reaches_the_terminal(shared_cases, tmp_path) -> None:
    command = [sys.executable, "-m", "bioscan_etl.cli", "detect", str(shared_cases / BITS / "images"), "--output"]
    root = Path(__file__).parents[1]
    done = subprocess.run([*command, str(tmp_path / "o.csv")], cwd=root, capture_output=True, text=True, check=True)
    assert "Warning" not in done.stderr
    assert "4 images" in done.stdout + done.stderr
