"""Whether a tuned detector may replace the current one: the check, and the asset of those that passed it.

Belongs here: the check, the asset and their configuration. Does not belong here: how detectors are measured and
compared (`bioscan_etl.training.verdict`), and where they are kept (`bioscan_etl.training.promoted`).
"""

import dagster as dg
from pydantic import Field

from bioscan_etl.assets.detector import tuned_detector
from bioscan_etl.assets.factory import one_line_errors
from bioscan_etl.assets.training import asset, report
from bioscan_etl.printable import printable
from bioscan_etl.resources import CorpusResource
from bioscan_etl.training import promoted, verdict

_DEFAULT = verdict.Demands()


class ValidationConfig(dg.Config):
    """What the detectors are measured on, and what is allowed."""

    annotations: str = Field("", description="COCO file to measure on; empty: the validation part of reviewed_boxes")
    images: str = Field("", description="folder of its images")
    part: str = Field(_DEFAULT.part, description="part of that file: validation, or all")
    tolerance: float = Field(_DEFAULT.tolerance, ge=0, lt=1, description="by which AP(0.75) and AR may fall")
    least: int = Field(_DEFAULT.least, ge=1, description="occupied images that a verdict needs")


@dg.asset_check(asset=tuned_detector, blocking=True, description="No worse than the detector of the settings.")
@one_line_errors
def not_worse(config: ValidationConfig, corpus: dg.ResourceParam[CorpusResource]) -> dg.AssetCheckResult:
    """Measure the detector of the settings and the tuned one on images that neither may have learnt from.

    Fails if AP(0.75) or AR fall by more than the tolerance, or if the detector confuses empty and occupied dishes more
    often.
    """
    demands = verdict.Demands(config.annotations, config.images, config.part, config.tolerance, config.least)
    output = verdict.evaluate(corpus.lake(), corpus.settings(), demands)
    reasons = output.counts["worse"]
    text = "the tuned detector is worse: " + "; ".join(reasons) if reasons else "the tuned detector is no worse"
    dg.get_dagster_logger().info(printable(text))  # a terminal shows the log, but no metadata
    return dg.AssetCheckResult(
        passed=not reasons,
        severity=dg.AssetCheckSeverity.ERROR,
        description=text,
        metadata={
            "figures": dg.MetadataValue.md(verdict.table(output.counts["figures"])),
            "images": dg.MetadataValue.json(output.counts["images"]),
            "folder": dg.MetadataValue.path(str(output.folder)),
        },
    )


@asset(kinds={"onnx"}, deps=[tuned_detector])
def promoted_detector(corpus: dg.ResourceParam[CorpusResource]) -> dg.MaterializeResult:
    """One detector that may replace the current one: the tuned one, if it passed the check not_worse.

    Key: its name, by content. Source: tuned_detector. It is kept for good, beside those promoted before. To use it,
    name its folder in the settings, as the metadata say.
    """
    home = corpus.lake()
    output, built = promoted.promote(home, corpus.settings())
    line = promoted.settings_line(home, output)
    return report(
        (output, built),
        detector=output.batch,
        settings=dg.MetadataValue.md(f"In settings.toml, under `[images]`:\n\n    {line}\n"),
        promoted=dg.MetadataValue.json([promoted.settings_line(home, each) for each in promoted.promoted(home)]),
    )
