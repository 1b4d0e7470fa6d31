"""Quality of one image."""

import cv2
import numpy as np
import polars as pl

from bioscan_etl.decisions.rules import RULES as OF_CURATORS
from bioscan_etl.images.detection import CURATOR
from bioscan_etl.images.quality import blur, dhash, exposure, grey_of, image_flags
from bioscan_etl.images.rules import RULES
from bioscan_etl.images.samples import UNCERTAIN
from bioscan_etl.settings import ImageSettings

SETTINGS = ImageSettings()
GOOD = {
    "status": "detected",
    "specimens": 1,
    "x0": 10,
    "y0": 10,
    "x1": 90,
    "y1": 90,
    "width_original": 100,
    "height_original": 100,
    "area_fraction": 0.64,
    "blur": 100.0,
    "exposure": 150.0,
    "detail": None,
    "detector": "hybrid",
}
TYPES = dict.fromkeys(("x0", "y0", "x1", "y1"), pl.Int32) | {"detail": pl.String}


def flags(**changed: object) -> list[str]:
    frame = pl.DataFrame([GOOD | changed], schema_overrides=TYPES)
    return frame.select(flags=image_flags(SETTINGS))["flags"].to_list()[0]


def test_flags_hit_on_their_side_of_the_threshold() -> None:
    assert flags() == []
    assert flags(status="empty", specimens=0, x0=None, y0=None, x1=None, y1=None, blur=None) == ["EMPTY_IMAGE"]
    assert flags(status="unreadable", specimens=None, area_fraction=None, exposure=None) == ["UNREADABLE_IMAGE"]
    assert flags(specimens=2) == ["SEVERAL_SPECIMENS"]
    for edge in ({"x0": 0}, {"y0": 0}, {"x1": 100}, {"y1": 100}):
        assert flags(**edge) == ["TOUCHES_BORDER"]
    assert flags(area_fraction=SETTINGS.fragment_fraction) == []
    assert flags(area_fraction=SETTINGS.fragment_fraction - 0.0001) == ["FRAGMENT"]
    assert flags(blur=SETTINGS.min_blur) == []
    assert flags(blur=SETTINGS.min_blur - 0.01) == ["BLURRED"]
    assert flags(exposure=59.9) == flags(exposure=250.1) == ["BADLY_EXPOSED"]
    assert flags(detector=CURATOR) == ["CURATOR_BOX"]
    assert flags(x0=0, blur=1.0) == ["TOUCHES_BORDER", "BLURRED"]


def test_every_flag_is_a_declared_rule() -> None:
    reason = f"{UNCERTAIN}: the brightest is 4032"
    hit = set(flags(status="unreadable", specimens=2, x0=0, area_fraction=0.0, blur=0.0, exposure=0.0, detail=reason))
    assert flags(detector=CURATOR)[0] in {rule.id for rule in OF_CURATORS}
    of_the_corpus = {"EXACT_DUPLICATE_IMAGE", "NEAR_DUPLICATE_IMAGE", "BRIGHTNESS_OUTLIER", "NO_ORGANISM_PIXELS"}
    assert hit | of_the_corpus | {"EMPTY_IMAGE"} == {rule.id for rule in RULES}


def test_blur_falls_when_an_image_is_smoothed() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    laplacian = cv2.Laplacian(grey, cv2.CV_64F)
    assert abs(blur(grey) - laplacian.var()) < 0.01
    assert blur(cv2.GaussianBlur(grey, (0, 0), 3)) < blur(grey) / 100
    assert blur(np.zeros((0, 5), np.uint8)) == 0
    assert exposure(np.full((5, 5), 42, np.uint8)) == 42


def test_dhash_bits_say_where_it_gets_darker() -> None:
    ramp = np.repeat(np.linspace(255, 0, 90)[None], 80, axis=0).astype(np.uint8)
    image = np.repeat(ramp[:, :, None], 3, axis=2)
    assert dhash(image) == 2**64 - 1
    assert dhash(image[:, ::-1]) == 0
    assert grey_of(image).shape == (80, 90)
