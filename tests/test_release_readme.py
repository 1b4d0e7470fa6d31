"""The data card: what a curator writes into the settings is shown as text."""

import pytest
from release_corpus import GROWN, corpus

from bioscan_etl.settings import ReleaseSettings, Settings

TEXTS = ("image_license", "copyright_holder", "image_year", "citation")
HOSTILE = "<script>alert(1)</script> [a](javascript:b) `c` | d *e* \\"


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_the_settings_is_no_markup(tmp_path, name):
    chosen = ReleaseSettings(forms=(), hdf5_packages=(), **{name: HOSTILE})
    release = corpus(tmp_path).build(tmp_path / "releases", Settings(release=chosen, splits=GROWN))
    _, front, body = (release / "README.md").read_text().split("---\n", 2)
    assert r"\<script\>alert(1)\</script\> \[a\](javascript:b) \`c\` \| d \*e\* \\" in body
    assert HOSTILE not in body
    assert "<script>" not in front


def test_the_texts_of_the_default_are_as_they_were(tmp_path):
    chosen = ReleaseSettings(forms=(), hdf5_packages=())
    release = corpus(tmp_path).build(tmp_path / "releases", Settings(release=chosen, splits=GROWN))
    text = (release / "README.md").read_text()
    for name in TEXTS:
        assert getattr(chosen, name) in text
