"""The settings of a corpus: a file in its folder, which both command line and UI read.

Belongs here: reading, installing and comparing `OUTPUT/settings.toml`. Does not belong here: what a setting is
(`bioscan_etl.settings`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bioscan_etl.errors import SettingsError
from bioscan_etl.io.locations import is_remote, local_path
from bioscan_etl.io.write import write_text
from bioscan_etl.lake.store import Lake
from bioscan_etl.settings import Settings, load_settings

SETTINGS = "settings.toml"
# Values of images.detector that are not paths.
_BUILT_IN = ("trained", "segmentation")


def settings_file(lake: Lake) -> Path:
    """Path of the settings of the corpus."""
    return lake.root / SETTINGS


def read_settings(lake: Lake) -> Settings:
    """The settings of the corpus, or the defaults if it has no file. Relative paths are relative to its folder.

    Raises:
        SettingsError: the file is not TOML, or a setting is unknown or out of range.
    """
    path = settings_file(lake)
    return located(load_settings(path if path.exists() else None), lake.root)


def located(settings: Settings, folder: Path) -> Settings:
    """A copy of the settings with absolute paths."""

    def absolute(value: str) -> str:
        return value if not value or is_remote(value) else str(folder / local_path(value))

    detector = settings.images.detector
    images = settings.images.model_copy(update={"detector": detector if detector in _BUILT_IN else absolute(detector)})
    return settings.model_copy(update={"images": images})


def _require_paths(settings: Settings, folder: Path) -> None:
    """Raise if a path does not exist: relative paths are relative to the corpus folder, not to the file's own."""
    value = settings.images.detector
    if value and value not in _BUILT_IN and not Path(value).exists():
        raise SettingsError(
            f"setting images.detector: {value} does not exist; relative paths are relative to {folder}: put the file "
            "there, or use its absolute path"
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
        source: TOML; all of it is checked before anything changes.

    Returns:
        What changes, one line per setting.

    Raises:
        SettingsError: the file cannot be used; the settings are unchanged.
    """
    wanted = load_settings(source)
    _require_paths(located(wanted, lake.root), lake.root)
    target = settings_file(lake)
    try:
        before = load_settings(target if target.exists() else None)
    except SettingsError:  # the new file replaces a broken one
        before = Settings()
    text = source.read_text(encoding="utf-8")
    if not target.exists() or target.read_text(encoding="utf-8", errors="replace") != text:
        write_text(target, text)
    return differences(before, wanted)
