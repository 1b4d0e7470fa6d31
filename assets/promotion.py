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
from bioscan_etl.training.changes_page import PAGE, SHORT

_DEFAULT = verdict.Demands()


class ValidationConfig(dg.Config):
    """What the detectors are measured on, and what is allowed."""

    annotations: str = Field("", description="COCO file to measure on; empty: the validation part of reviewed_boxes")
    images: str = Field("", description="folder of its images")
    part: str = Field(_DEFAULT.part, description="part of that file: validation, or all")
    tolerance: float = Field(
        _DEFAULT.tolerance,
        ge=0,
        lt=1,
        description="by which a figure may get worse; the share of lost specimens by half of it",
    )
    least: int = Field(_DEFAULT.least, ge=1, description="occupied images that a verdict needs")


@dg.asset_check(asset=tuned_detector, blocking=True, description="No worse than the detector of the settings.")
@one_line_errors
def not_worse(config: ValidationConfig, corpus: dg.ResourceParam[CorpusResource]) -> dg.AssetCheckResult:
    """Measure the detector of the settings and the tuned one on images that neither may have learnt from.

    Fails if AP(0.75), AR, the share of empty dishes found or that of occupied ones lost got worse by more than the
    tolerance, and would have without the one image that counts most. The metadata show the images that became worse.
    """
    demands = verdict.Demands(config.annotations, config.images, config.part, config.tolerance, config.least)
    output = verdict.evaluate(corpus.lake(), corpus.settings(), demands)
    reasons, remarks = output.counts["worse"], output.counts["remarks"]
    text = "the tuned detector is worse: " + "; ".join(reasons) if reasons else "the tuned detector is no worse"
    page = output.path(PAGE)
    changed = output.counts["changed"]
    told = f"{changed['worse']} images became worse, {changed['better']} better: see {page}"
    dg.get_dagster_logger().info(printable("; ".join([text, *remarks, told])))  # a terminal shows no metadata
    return dg.AssetCheckResult(
        passed=not reasons,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join([text, *remarks]),
        metadata={
            "figures": dg.MetadataValue.md(output.counts["table"]),
            "became_worse": dg.MetadataValue.md(output.path(SHORT).read_text(encoding="utf-8")),
            "page": dg.MetadataValue.path(str(page)),
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
