"""Pictures of figures in Dagster's metadata: inline, few, and small."""

import base64
import io
import re
from types import SimpleNamespace

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from bioscan_etl.assets.factory import _result
from bioscan_etl.assets.thumbnails import LIMIT, SHOWN, thumbnails
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import STAGES
from bioscan_etl.stages.run import Done
from bioscan_etl.stages.situation import Situation
from bioscan_etl.statistics.titles import FIGURES


def save(folder, name, pixels):
    (folder / "figures").mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / "figures" / f"{name}.png")


def test_each_shown_figure_is_a_png_inside_the_text(tmp_path):
    for name in SHOWN[:2]:
        save(tmp_path, name, np.full((600, 1200, 3), 200, np.uint8))
    save(tmp_path, "missing_labels", np.full((60, 120, 3), 200, np.uint8))
    text = thumbnails(tmp_path)
    found = re.findall(r"!\[([^\]]+)\]\(data:image/png;base64,([^)]+)\)", text)
    assert [words for words, _ in found] == [FIGURES[name] for name in SHOWN[:2]]
    for _, data in found:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert (image.format, image.size) == ("PNG", (420, 210))
    assert thumbnails(tmp_path) == text


def test_pictures_become_smaller_until_they_fit(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (700, 1200, 3), np.uint8)
    for name in SHOWN:
        save(tmp_path, name, noise)
    text = thumbnails(tmp_path)
    assert LIMIT / 4 < len(text) <= LIMIT
    assert text.count("![") == len(SHOWN)


def test_other_outputs_have_none(tmp_path):
    assert thumbnails(tmp_path) is None


def test_the_shown_figures_exist():
    assert set(SHOWN) <= set(FIGURES)


@pytest.mark.parametrize("of_lake", [True, False])
def test_a_materialisation_shows_the_figures_of_its_output_and_not_those_of_a_release(tmp_path, of_lake):
    save(tmp_path, SHOWN[0], np.full((60, 120, 3), 200, np.uint8))
    done = Done("figures", tmp_path, "c", built=True, counts={}, output=SimpleNamespace() if of_lake else None)
    shown = _result(STAGES["figures"], done, Situation(Lake(tmp_path), Settings())).metadata.get("figures")
    assert isinstance(shown, dg.MarkdownMetadataValue) == of_lake
    assert not of_lake or shown.value == thumbnails(tmp_path)
