"""The code location of the detector's training: apart from the curation, so that "Materialize all" means the curation.

It may run in another Python, one that has the extra `train`: the code location decides, never a run.
"""

from __future__ import annotations

import os

import dagster as dg

from bioscan_etl.assets import detector, promotion
from bioscan_etl.definitions import LogProgress
from bioscan_etl.definitions.apart import apart
from bioscan_etl.progress import Progress
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.training_jobs import fine_tune_detector, propose_reviews


def build_defs(corpus: CorpusResource, progress: Progress) -> dg.Definitions:
    """The training's graph over a corpus."""
    return apart(
        corpus,
        progress,
        assets=[
            detector.boxes_to_review,
            detector.reviewed_boxes,
            detector.tuned_detector,
            promotion.promoted_detector,
        ],
        asset_checks=[promotion.not_worse],
        jobs=[propose_reviews, fine_tune_detector],
    )


defs = build_defs(CorpusResource(os.environ.get("BIOSCAN_OUTPUT", "output")), LogProgress())
