"""The settings of a corpus: they lie in its folder, and terminal and UI read the same.

Belongs here: reading, installing and comparing `OUTPUT/settings.toml`. Does not belong here: what a setting is
(`bioscan_etl.settings`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bioscan_etl.errors import SettingsError
from bioscan_etl.io.locations import is_remote
from bioscan_etl.io.write import write_text
from bioscan_etl.lake.store import Lake
from bioscan_etl.settings import Settings, load_settings

SETTINGS = "settings.toml"
# Values of images.detector that are no path.
_BUILT_IN = ("trained", "segmentation")


def settings_file(lake: Lake) -> Path:
    """Where the settings of the corpus lie."""
    return lake.root / SETTINGS


def read_settings(lake: Lake) -> Settings:
    """The settings of the corpus; the defaults where it has none. Relative paths in them are relative to its folder.

    Raises:
        SettingsError: the file is no TOML, or a setting is unknown or out of range.
    """
    path = settings_file(lake)
    return located(load_settings(path if path.exists() else None), lake.root)


def located(settings: Settings, folder: Path) -> Settings:
    """The same settings with the paths in them made absolute."""

    def absolute(value: str) -> str:
        return value if not value or is_remote(value) else str(folder / Path(value).expanduser())

    detector = settings.images.detector
    images = settings.images.model_copy(update={"detector": detector if detector in _BUILT_IN else absolute(detector)})
    taxonomy = settings.taxonomy.model_copy(update={"overrides": absolute(settings.taxonomy.overrides)})
    return settings.model_copy(update={"images": images, "taxonomy": taxonomy})


def _require_paths(settings: Settings, folder: Path) -> None:
    """Refuse paths that lead nowhere: in the file's own folder they may, but the file is read in the corpus' folder."""
    for name, value in (
        ("taxonomy.overrides", settings.taxonomy.overrides),
        ("images.detector", settings.images.detector),
    ):
        if value and value not in _BUILT_IN and not Path(value).exists():
            raise SettingsError(
                f"setting {name}: there is no {value}; relative paths are relative to {folder}: put the file there, or "
                "give its absolute path"
            )


def differences(before: Settings, after: Settings) -> list[str]:
    """One line per setting that differs: `section.name: before -> after`."""
    found = []
    then, now = before.model_dump(mode="json"), after.model_dump(mode="json")
    for section, values in now.items():
        found += [
            f"{section}.{name}: {_shown(then[section][name])} -> {_shown(value)}"
            for name, value in values.items()
            if then[section][name] != value
        ]
    return found


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def install_settings(lake: Lake, source: Path) -> list[str]:
    """Make a file the settings of the corpus.

    Args:
        lake: the corpus.
        source: TOML; it is checked whole before anything changes.

    Returns:
        What changes, one line per setting.

    Raises:
        SettingsError: the file cannot be used; the settings stay as they are.
    """
    wanted = load_settings(source)
    _require_paths(located(wanted, lake.root), lake.root)
    target = settings_file(lake)
    try:
        before = load_settings(target if target.exists() else None)
    except SettingsError:  # the new file takes the place of a broken one
        before = Settings()
    text = source.read_text(encoding="utf-8")
    if not target.exists() or target.read_text(encoding="utf-8", errors="replace") != text:
        write_text(target, text)
    return differences(before, wanted)
