"""The settings of a corpus: installed, compared, read with their paths made absolute."""

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import differences, install_settings, read_settings, settings_file
from bioscan_etl.settings import Settings


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    return made


def test_without_a_file_the_defaults_count(lake):
    assert read_settings(lake) == Settings()


def test_installing_says_what_changes_and_puts_the_very_bytes_there(lake, tmp_path):
    source = tmp_path / "mine.toml"
    source.write_text("# of plate 7\n[images]\ncrop_margin = 1.0\n[splits]\nprotocol = 'stable'\n")
    assert install_settings(lake, source) == [
        "images.crop_margin: 0.4 -> 1.0",
        "splits.protocol: 'bioscan-5m' -> 'stable'",
        "splits.keep_overlaps_together: False -> True",  # its default depends on the protocol
    ]
    assert settings_file(lake).read_bytes() == source.read_bytes()
    assert read_settings(lake).images.crop_margin == 1.0
    assert install_settings(lake, source) == []


def test_a_file_that_cannot_be_used_changes_nothing(lake, tmp_path):
    good = settings_file(lake)
    good.write_text("[barcodes]\nmin_length = 400\n")
    source = tmp_path / "mine.toml"
    for text, words in (
        ("[barcodes]\nmin_lenght = 300\n", "min_lenght"),
        ("[", "no|not TOML"),
        ('[images]\ndetector = "nowhere"\n', "relative paths are relative to"),
        ('[taxonomy]\noverrides = "mine.csv"\n', "no longer exists: curators' decisions are now read from"),
    ):
        source.write_text(text)
        with pytest.raises(SettingsError, match=words):
            install_settings(lake, source)
        assert good.read_text() == "[barcodes]\nmin_length = 400\n"
    with pytest.raises(SettingsError, match="does not exist"):
        install_settings(lake, tmp_path / "absent.toml")


def test_a_broken_file_gives_way_to_a_good_one(lake, tmp_path):
    settings_file(lake).write_text("[")
    with pytest.raises(SettingsError, match="not TOML"):
        read_settings(lake)
    source = tmp_path / "mine.toml"
    source.write_text("[barcodes]\nmin_length = 400\n")
    assert install_settings(lake, source) == ["barcodes.min_length: 500 -> 400"]


def test_relative_paths_are_those_of_the_corpus_wherever_it_lies(lake, tmp_path):
    settings_file(lake).write_text('[images]\ndetector = "mine"\n')
    found = read_settings(lake)
    assert found.images.detector == str(lake.root / "mine")
    moved = Lake(lake.root.rename(tmp_path / "moved"))
    assert read_settings(moved).images.detector == str(moved.root / "mine")
    # Neither place is part of what a release states, nor of any fingerprint.
    assert read_settings(moved).digest() == found.digest()
    settings_file(moved).write_text('[images]\ndetector = "segmentation"\n')
    assert read_settings(moved).images.detector == "segmentation"


def test_differences_name_both_values():
    after = Settings.model_validate({"gates": {"image_statuses": ["detected", "multiple"]}})
    assert differences(Settings(), after) == ["gates.image_statuses: ['detected'] -> ['detected', 'multiple']"]
