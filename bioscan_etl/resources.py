"""What the assets get from Dagster: the lake with its settings. With `definitions`, the only Dagster import here."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings, load_settings


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The output folder and the settings file.

    Attributes:
        output: folder that holds `landing/`, `lake/` and `releases/`.
        settings_file: TOML with settings; empty for the defaults.
    """

    output: str
    settings_file: str = ""

    def lake(self) -> Lake:
        """The lake below the output folder."""
        return Lake(Path(self.output).expanduser().resolve())

    def settings(self) -> Settings:
        """The settings, read anew for each run."""
        return load_settings(Path(self.settings_file) if self.settings_file else None)
