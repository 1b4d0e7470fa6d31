"""The assets of the curation: one per stage of the registry."""

from bioscan_etl.assets.factory import asset_of
from bioscan_etl.stages.registry import STAGES

ASSETS = [asset_of(stage) for stage in STAGES.values()]
