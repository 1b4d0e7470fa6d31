"""The resource that Dagster passes to the assets: the corpus."""

from __future__ import annotations

from dataclasses import dataclass

from bioscan_etl.io.locations import local_path
from bioscan_etl.io.paths import real_path
from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.settings import Settings


@dataclass(frozen=True)
class CorpusResource:
    """A corpus: its lake and its settings.

    A plain object without configuration, so that no run can use another folder.

    Attributes:
        output: folder that holds `settings.toml`, `landing/`, `lake/` and `releases/`.
    """

    output: str

    def lake(self) -> Lake:
        """The lake below the output folder."""
        return Lake(real_path(local_path(self.output)))

    def settings(self) -> Settings:
        """The settings of the corpus, read again for each run.

        Raises:
            SettingsError: `settings.toml` cannot be used.
        """
        return read_settings(self.lake())
