"""Settings: one model, errors that name the setting."""

import json
import math
import os
from contextlib import suppress

import annotated_types
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SettingsError
from bioscan_etl.schema import BOX_STATUSES
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
    assert Settings.model_validate({"alerts": {"webhook": "https://chat.example/x"}}).digest() == base.digest()
    stricter = Settings.model_validate({"images": {"jpeg_quality": 90}})
    assert stricter.digest() != base.digest()
    assert stricter.digest("images") != base.digest("images")
    assert stricter.digest("barcodes") == base.digest("barcodes")


def test_every_setting_is_described():
    for name, section in Settings.model_fields.items():
        for setting, field in section.annotation.model_fields.items():
            assert field.description, f"{name}.{setting} has no description"


def every_setting():
    for section, model in Settings.model_fields.items():
        for name, field in model.annotation.model_fields.items():
            yield section, name, field


NUMBERS = [
    (section, name)
    for section, name, field in every_setting()
    if isinstance(field.default, int | float) and not isinstance(field.default, bool)
]
TEXTS = [(section, name) for section, name, field in every_setting() if isinstance(field.default, str)]
LISTS = [(section, name) for section, name, field in every_setting() if isinstance(field.default, tuple)]
TABLES = [(section, name) for section, name, field in every_setting() if isinstance(field.default, dict)]
FLAGS = [(section, name) for section, name, field in every_setting() if field.annotation is bool]


def load(folder, text):
    path = folder / "settings.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(path)


def refused(folder, text, match="setting"):
    with pytest.raises(SettingsError, match=match) as caught:
        load(folder, text)
    message = str(caught.value)
    assert message.isprintable()
    assert "settings.toml" in message
    assert len(message) < 600
    return message


def test_the_table_tests_cover_the_settings():
    assert len(NUMBERS) > 40
    assert len(TEXTS) > 15
    assert len(NUMBERS) + len(TEXTS) + len(LISTS) + len(TABLES) + len(FLAGS) == len(list(every_setting()))


@pytest.mark.parametrize(("section", "name"), NUMBERS)
@pytest.mark.parametrize(
    "value", ["inf", "-inf", "nan", "1e308", "-1", "1" + "0" * 30, "-1" + "0" * 400, "true", '"5"', "[1]", "2020-01-01"]
)
def test_every_number_refuses_what_cannot_be_one(tmp_path, section, name, value):
    refused(
        tmp_path, f"[{section}]\n{name} = {value}\n", rf"setting {section}\.{name} in .*: it must be .*, but it is "
    )


@pytest.mark.parametrize(("section", "name"), NUMBERS)
def test_every_number_has_two_bounds(section, name):
    if name == "genetic_code":  # one of a few
        return
    field = Settings.model_fields[section].annotation.model_fields[name]
    kinds = {type(bound) for bound in field.metadata}
    assert kinds & {annotated_types.Ge, annotated_types.Gt}
    assert kinds & {annotated_types.Le, annotated_types.Lt}


@pytest.mark.parametrize(("section", "name"), TEXTS)
@pytest.mark.parametrize(
    "value", ["a\nb", "a\rb", "\x1b[2J", "a\x00b", "a\u202eb", "a\u200bb", "a\u2028b", "x" * 5_000, 5, True, ["a"]]
)
def test_every_text_refuses_what_cannot_be_seen_and_what_is_no_text(tmp_path, section, name, value):
    refused(tmp_path, f"[{section}]\n{name} = {json.dumps(value)}\n", rf"setting {section}\.{name} in ")


@pytest.mark.parametrize(("section", "name"), LISTS)
@pytest.mark.parametrize("value", ['"detected"', "5", "true", "[[1]]", "[{a = 1}]", '["a\\u0000b"]', "[inf]"])
def test_every_list_refuses_what_is_none(tmp_path, section, name, value):
    refused(tmp_path, f"[{section}]\n{name} = {value}\n", rf"setting {section}\.{name}(\.0)? in ")


@pytest.mark.parametrize(("section", "name"), TABLES)
@pytest.mark.parametrize(
    "value", ["5", '"a"', "[]", "{a = 1}", "{phylum = 5}", "{phylum = [5]}", '{phylum = ["a\\u0000b"]}']
)
def test_every_table_refuses_what_is_none(tmp_path, section, name, value):
    refused(tmp_path, f"[{section}]\n{name} = {value}\n", rf"setting {section}\.{name}")


@pytest.mark.parametrize(("section", "name"), FLAGS)
@pytest.mark.parametrize("value", ["0", "1", '"yes"', '"true"', "1.0", "[]"])
def test_every_flag_refuses_what_is_neither_true_nor_false(tmp_path, section, name, value):
    refused(tmp_path, f"[{section}]\n{name} = {value}\n", rf"setting {section}\.{name} in ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[barcodes]\nmin_length = 700", r"setting barcodes in .*min_length \(700\) is above max_length \(660\)"),
        ("[barcodes]\nmax_length = 400", r"min_length \(500\) is above max_length \(400\)"),
        ("[barcodes]\nneighbours = 3\nneighbour_votes = 4", "neighbour_votes"),
        ("[images]\nexposure_range = [200, 100]", "exposure_range"),
        ("[images]\ncrop_aspect = [0, 0]", r"images\.crop_aspect\.0 in"),
        ("[images]\ncrop_aspect = [-4, 3]", r"images\.crop_aspect\.0 in"),
        ("[images]\ncrop_aspect = [1, 11]", "crop_aspect 1:11 is wider or higher than 10:1"),
        ("[images]\ncrop_aspect = [4]", r"images\.crop_aspect"),
        ("[images]\ncrop_aspect = [4.5, 3]", r"images\.crop_aspect\.0"),
        ("[images]\ncrop_fill = [1, 2, 256]", r"images\.crop_fill\.2"),
        ("[images]\nempty_confidence = nan", r"setting images\.empty_confidence in"),
        ("[images]\ndetector = ''", r"images\.detector in .*it is empty"),
        ("[gates]\nimage_statuses = []", "at least one value"),
        ("[gates]\nimage_statuses = ['detectd']", r"image_statuses\.0 in .*it must be 'detected'"),
        ("[release]\ncitation = '  '", "it is empty"),
        ("[release]\nhome_page = 'javascript:alert(1)'", r"release\.home_page"),
        ("[release]\ndataset = '../x'", r"release\.dataset"),
        (f"[release]\ntitle = '{'x' * 300}'", r"release\.title"),
        ("[automation]\nnightly_release = '99 * * * *'", "cron schedule"),
        ("[automation]\nnightly_release = '0 2 * *'", "cron schedule"),
        ("[automation]\nweekly_check = '0 5-2 * * *'", "cron schedule"),
        ("[automation]\nweekly_check = '*/0 * * * *'", "cron schedule"),
        ("[automation]\nweekly_check = '0 0 * * \u0663'", "cron schedule"),
        ("[alerts]\nmail_to = ['a@b.example']", "mail_to needs mail_from and smtp_host"),
        ("[alerts]\nmail_to = ['A <a@b.example>']", r"alerts\.mail_to\.0"),
        ("[alerts]\nwebhook = 'https://me:secret@chat.example/x'", r"alerts\.webhook"),
        ("[alerts]\nwebhook = 'https://chat.example/x?token=1'", r"alerts\.webhook"),
        ("x = " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
        ("[bold]\nattempts = 1" + "0" * 5_000, "too many digits"),
        ("[gates]\nrequire_bin = true\nrequire_bin = false", "is not TOML"),
        (b"[release]\ncitation = 'M\xfcller'", "is not UTF-8"),
        (b"\xff\xfe[\x00", "is not UTF-8"),
        (b"#" * (2 << 20), "more than 1,048,576 bytes"),
        (b"\x00", "is not TOML"),
        ("'a\u202eb\\u001b' = 1", "unknown setting"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_way_out(tmp_path, text, message):
    refused(tmp_path, text, message)


@pytest.mark.parametrize(
    "text",
    [
        "[automation]\nnightly_release = '*/15 0,12 1-7 jan-mar mon-fri'",
        "[automation]\nnightly_release = ''",
        "[barcodes]\nmin_length = 660",
        "[images]\ncrop_aspect = [1, 10]\nempty_confidence = 0.5",
        "[geography]\nborder_tolerance_km = 30",
        "[gates]\nimage_statuses = ['detected', 'multiple']",
        "\ufeff[gates]\nrequire_bin = true",
        "[images]\ndetector = 'my files/Öç # 1 [x]'",
        "[release]\nimage_packages = []\nhdf5_packages = []",
    ],
)
def test_settings_that_can_work_are_taken(tmp_path, text):
    assert load(tmp_path, text) != Settings() or "''" in text


def test_what_is_no_file_is_said(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SettingsError, match="is no file"):
            load_settings(path)
    for name in ("a\0b", "x" * 5_000, "\udcff"):
        with pytest.raises(SettingsError, match=r"cannot be read|does not exist") as caught:
            load_settings(tmp_path / name)
        assert str(caught.value).isprintable()


def test_the_statuses_of_the_gate_are_those_of_the_boxes():
    assert (
        Settings.model_validate({"gates": {"image_statuses": list(BOX_STATUSES)}}).gates.image_statuses == BOX_STATUSES
    )


def test_what_a_release_states_is_read_again():
    stated = json.loads(json.dumps(Settings().model_dump(mode="json")))
    assert Settings.model_validate(stated) == Settings()
    assert Settings.model_validate_json(json.dumps(stated)) == Settings()


VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec="utf-8"), max_size=20), st.dates()
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1, max_size=3), inner),
    max_leaves=4,
)


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    return json.dumps(value) if isinstance(value, str | bool | int) else value.isoformat()


@settings(max_examples=examples(400))
@given(st.sampled_from([(section, name) for section, name, _ in every_setting()]), VALUES)
def test_any_value_of_any_setting_is_taken_or_refused_in_one_line(tmp_path_factory, setting, value):
    section, name = setting
    folder = tmp_path_factory.mktemp("any", numbered=True)
    path = folder / "settings.toml"
    path.write_text(f"[{section}]\n{name} = {toml(value)}\n", encoding="utf-8")
    with suppress(SettingsError):
        assert Settings.model_validate(load_settings(path).model_dump(mode="json")) == load_settings(path)
        return
    refused(folder, path.read_bytes())
