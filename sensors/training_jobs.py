"""The jobs of the detector's training, a code location of its own."""

import dagster as dg

DETECTOR_ASSETS = ("reviewed_boxes", "tuned_detector", "promoted_detector")

propose_reviews = dg.define_asset_job(
    "propose_reviews",
    selection=dg.AssetSelection.assets("boxes_to_review"),
    description="Write the CSV of images that are worth a curator's look. The curation does not wait for it.",
)

fine_tune_detector = dg.define_asset_job(
    "fine_tune_detector",
    selection=dg.AssetSelection.assets(*DETECTOR_ASSETS),
    description="Let the detector learn from reviewed boxes, measure it, and promote it unless it became worse.",
)
