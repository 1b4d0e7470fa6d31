"""The image stage against the JPEG codec alone, and against a DETR-ResNet-50, on the real images.

    .venv/bin/python benchmarks/image_stage.py [IMAGES] [--detector trained] [--limit 1032] [--detr PYTHON]

IMAGES is `../shared/data/images` by default. The floor is what no pipeline can avoid: OpenCV decodes each image and
encodes the same three outputs, already made. Ratios are of CPU seconds on one thread, floor and stage taken by turns
over the same images, so that other work on the machine meets both. Images per second and how busy the cores are come
from the stage as the asset runs it, on a thread per core and one more.

The DETR runs in the Python given by --detr (`benchmarks/detr.py` says what it needs), with as many threads as there
are cores; without it that part is left out with a message.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bioscan_etl.images import one_image
from bioscan_etl.images.detect import load_detector
from bioscan_etl.images.index import index_images
from bioscan_etl.images.one_image import ImageWork
from bioscan_etl.images.stage import process_images
from bioscan_etl.settings import ImageSettings
from bioscan_etl.threads import cores, workers

PACKAGES = ("original_256", "cropped", "cropped_256")
RELEASE = 5_150_000
MOST_FLOORS, LEAST_DETRS, BUSY = 3.0, 250.0, 0.9  # what the project asks for
TURN = 43  # images per turn of floor and stage
STEPS = {
    "decode": ("read_header",),  # and the decoding that it prepares
    "detect": (),
    "measure": ("whole_pixels", "measurement_at_1024"),
    "quality": ("grey_of", "blur", "exposure", "dhash"),
    "crop and resize": ("halved", "surroundings", "crop", "resize_short"),
    "encode": ("encode_jpeg",),
}


class Stopwatch:
    """CPU seconds of each step; the steps' functions are wrapped where the stage takes them from."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed as a part of a step."""

        def timed(*values: Any, **named: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*values, **named)
            finally:
                self.seconds[step] += time.thread_time() - start

        return timed

    def attach(self) -> None:
        """Wrap the functions of all steps but the detector's."""
        for step, names in STEPS.items():
            for name in names:
                places = [place for place in (one_image, one_image.quality) if hasattr(place, name)]
                if not places:
                    raise SystemExit(f"the image stage has no {name} any more; mend STEPS of this benchmark")
                for place in places:
                    setattr(place, name, self.wrap(step, getattr(place, name)))
        read_header = one_image.read_header

        def header(*values: Any, **named: Any) -> Any:
            found = read_header(*values, **named)
            return replace(found, decode=self.wrap("decode", found.decode))

        one_image.read_header = header


class TimedDetector:
    """A detector that counts its time as the step `detect`."""

    def __init__(self, detector: Any, watch: Stopwatch) -> None:
        self.name = detector.name
        self.detect = watch.wrap("detect", detector.detect)


def instruction_set() -> str:
    """The widest vectors of this processor: the networks gain from them, the codec hardly does."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return f"unknown ({platform.machine()})"
    flags = set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
    known = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "asimd": "NEON"}
    return next((name for flag, name in known.items() if flag in flags), platform.machine())


def floor_of(data: bytes, outputs: list[np.ndarray], quality: int) -> float:
    """CPU seconds of OpenCV's decoder and encoder."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    start = time.thread_time()
    cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    for pixels in outputs:
        cv2.imencode(".jpg", pixels, options)
    return time.thread_time() - start


def ratio_to_floor(files: list[Path], settings: ImageSettings) -> None:
    """Floor and stage by turns, on one thread; prints both and the share of each step."""
    plain = ImageWork(settings, load_detector(settings), PACKAGES)
    watch = Stopwatch()
    whole = floor = occupied = 0.0
    for start in range(0, len(files), TURN):
        turn = [path.read_bytes() for path in files[start : start + TURN]]
        outcomes = []
        for data in turn:
            begin = time.thread_time()
            outcomes.append(plain.process(lambda data=data: data))
            whole += time.thread_time() - begin
        for data, outcome in zip(turn, outcomes, strict=True):
            occupied += bool(outcome.files)
            outputs = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in outcome.files.values()]
            floor += floor_of(data, outputs, settings.jpeg_quality)
    watch.attach()
    timed = ImageWork(settings, TimedDetector(load_detector(settings), watch), PACKAGES)
    sample = files[:: max(1, len(files) // 300)]
    begin = time.thread_time()
    for path in sample:
        data = path.read_bytes()
        timed.process(lambda data=data: data)
    total = time.thread_time() - begin
    count = len(files)
    print(f"images              {count}, in {occupied:.0f} of which a specimen was found")
    print(f"codec floor         {1000 * floor / count:6.2f} ms per image and core")
    print(f"whole stage         {1000 * whole / count:6.2f} ms per image and core")
    verdict = "met" if whole / floor <= MOST_FLOORS else "MISSED"
    print(f"ratio               {whole / floor:6.2f} (at most {MOST_FLOORS:g} wanted: {verdict})")
    for step in STEPS:
        spent = watch.seconds[step]
        print(f"  {step:17} {1000 * spent / len(sample):6.2f} ms  {spent / total:5.1%}")
    rest = total - sum(watch.seconds.values())
    print(f"  {'rest':17} {1000 * rest / len(sample):6.2f} ms  {rest / total:5.1%}")


def as_the_asset_runs_it(folder: Path, limit: int, settings: ImageSettings) -> float:
    """Images per second of the stage on its threads, files written; prints them and how busy the cores were."""
    index = index_images([str(folder)], None, None, "benchmark", settings).head(limit)
    load_detector(settings)  # its imports are work of the process, not of the images
    with tempfile.TemporaryDirectory() as place:
        before, start = os.times(), time.perf_counter()
        counts = process_images(index, [str(folder)], settings, PACKAGES, Path(place), "benchmark")
        wall, after = time.perf_counter() - start, os.times()
    cpu = after.user - before.user + after.system - before.system
    speed = counts["images"] / wall
    busy = cpu / wall / cores()
    print(f"on {workers(settings.workers)} threads        {speed:6.1f} images/s, {cores()} cores")
    print(f"cores busy          {busy:6.1%} (at least {BUSY:.0%} wanted: {'met' if busy >= BUSY else 'MISSED'})")
    print(f"{RELEASE / 1e6:g} M images       {RELEASE / speed / 3600:6.1f} hours on this machine")
    return speed


def against_detr(python: str | None, speed: float) -> None:
    """The published tool's kind of network, timed by `benchmarks/detr.py` in another environment."""
    command = [python or sys.executable, str(Path(__file__).with_name("detr.py"))]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        last = (found.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"DETR-ResNet-50      left out: {last}")
        return
    detr = json.loads(found.stdout.strip().splitlines()[-1])
    ratio = speed / detr["images_per_second"]
    verdict = "met" if ratio >= LEAST_DETRS else "MISSED"
    print(f"DETR-ResNet-50      {detr['images_per_second']:6.3f} images/s, {detr['threads']} threads, {detr['input']}")
    print(f"times as fast       {ratio:6.0f} (at least {LEAST_DETRS:g} wanted: {verdict})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = Path(__file__).resolve().parents[2] / "shared" / "data" / "images"
    parser.add_argument("images", type=Path, nargs="?", default=shared)
    parser.add_argument("--detector", default=ImageSettings().detector)
    parser.add_argument("--limit", type=int, default=1032)
    parser.add_argument("--detr", metavar="PYTHON", help="interpreter that has torch and transformers")
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*.jpg"))[: arguments.limit] if arguments.images.is_dir() else []
    if not files:
        raise SystemExit(f"{arguments.images} holds no .jpg images; name a folder of specimen images")
    cv2.setNumThreads(1)
    settings = ImageSettings(detector=arguments.detector)
    print(f"detector            {load_detector(settings).name}")
    print(f"instruction set     {instruction_set()}")
    speed = as_the_asset_runs_it(arguments.images, arguments.limit, settings)
    ratio_to_floor(files, settings)
    against_detr(arguments.detr, speed)


if __name__ == "__main__":
    main()
