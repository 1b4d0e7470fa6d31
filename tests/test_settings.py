"""Settings: one model, errors that name the setting."""

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.settings import Settings, load_settings


def test_no_file_gives_the_defaults():
    assert load_settings(None) == Settings()


def test_a_file_overrides_some(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[gates]\nrequire_image = false\n[taxonomy]\nmajority_share = 0.75\n")
    settings = load_settings(path)
    assert settings.gates.require_image is False
    assert settings.taxonomy.majority_share == 0.75
    assert settings.barcodes == Settings().barcodes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gates]\nrequire_imag = false", r"setting gates\.require_imag in .*did you mean gates\.require_image\?"),
        ("[gate]\nrequire_image = false", r"setting gate in .*unknown setting, did you mean gates\?"),
        ("[barcodes]\nneighbour_word = 24", r"barcodes\.neighbour_word in .* is now called barcodes\.neighbour_kmer"),
        ("barcodes = 1", r"setting barcodes in "),
        ("[taxonomy]\nmajority_share = 0.2", r"setting taxonomy\.majority_share"),
        ("[release]\nimage_packages = ['cropped']\nhdf5_packages = ['cropped_256']", "hdf5_packages"),
        ("not toml", "is not TOML"),
    ],
)
def test_errors_name_the_setting_in_one_line(tmp_path, text, message):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path / "none.toml")


def test_the_digest_covers_what_changes_results_and_nothing_else():
    base = Settings()
    changed = Settings.model_validate(
        {"images": {"workers": 1, "shard_images": 7}, "records": {"chunk_bytes": 1 << 20}}
    )
    assert changed.digest() == base.digest()
    assert changed.digest("images") == base.digest("images")
    stricter = Settings.model_validate({"images": {"jpeg_quality": 90}})
    assert stricter.digest() != base.digest()
    assert stricter.digest("images") != base.digest("images")
    assert stricter.digest("barcodes") == base.digest("barcodes")


def test_every_setting_is_described():
    for name, section in Settings.model_fields.items():
        for setting, field in section.annotation.model_fields.items():
            assert field.description, f"{name}.{setting} has no description"
