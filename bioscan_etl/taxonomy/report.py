"""Counts of a curation run.

Belongs here: counts for the curators' report, as JSON values. Does not belong here: the
tables with every change and conflict (`Curated`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from bioscan_etl.vocabulary import RANKS

# How a label was derived from the data that it describes (spec: taxonomy, report per run).
CIRCULAR = {
    "bin_match": r"(?i)BIN[ -]?(?:taxonomy|match)|taxonomy match|\bBIN\b",
    "id_engine": r"(?i)ID(?:entification)? engine|\bBLAST",
    "sequence_tree": r"(?i)tree[ -]?based|\btree ident|rep tree|\bDNA\b|barcod|sequence",
    "image_model": r"(?i)(?:image|photo|vision|machine|deep|neural).*(?:model|classif|network|learning)|\bAI\b|"
    r"computer vision",
}
_LISTED = 200


def circular() -> pl.Expr:
    """Whether `identification_method` says that the label was derived from the barcode or the image (Boolean)."""
    return pl.any_horizontal(
        pl.col("identification_method").str.contains(pattern) for pattern in CIRCULAR.values()
    ).fill_null(False)


def curation_report(
    curated: pl.DataFrame,
    *,
    changes: pl.DataFrame,
    conflicts: pl.DataFrame,
    typos: pl.DataFrame,
    split_bins: pl.DataFrame,
    overrides: pl.DataFrame,
) -> dict[str, Any]:
    """Count the changes, by rule and rank.

    Args:
        curated: `schema.CURATED` with the delivered and the final labels.
        changes: `schema.CHANGES` of the ranks.
        conflicts: groups without a majority (`conflicts.CONFLICTS`).
        typos: fixes and candidates (`typos.TYPOS`).
        split_bins: rows whose BIN has several labels (`inference.bin_conflicts`).
        overrides: the curators' lines with the number of labels that each set.

    Returns:
        JSON-like values; lists are cut at 200 entries, counts are complete.
    """
    by_rule = changes.group_by("rule", "field").len().sort("rule", "field")
    rules: dict[str, dict[str, int]] = {}
    for rule, field, count in by_rule.iter_rows():
        rules.setdefault(rule, {})[field] = count
    labelled = {
        rank: {
            "delivered": curated[f"{rank}_verbatim"].count(),
            "final": curated[rank].count(),
            "distinct": curated[rank].drop_nulls().n_unique(),
            "inferred": int(curated[f"inferred_{rank}"].sum()),
            "unassigned": int(curated[rank].str.starts_with("unassigned").sum() or 0),
            "dropped": curated.filter(pl.col(f"{rank}_verbatim").is_not_null() & pl.col(rank).is_null()).height,
        }
        for rank in RANKS
    }
    methods = {
        kind: int(curated["identification_method"].str.contains(pattern).sum() or 0)
        for kind, pattern in CIRCULAR.items()
    }
    derived = int(curated.select(circular().sum()).item())
    return {
        "specimens": curated.height,
        "changes": changes.height,
        "changes_by_rule": rules,
        "labels": labelled,
        "inferred_ranks": {
            str(value): count for value, count in curated["inferred_ranks"].value_counts().sort("inferred_ranks").rows()
        },
        "conflicts": {
            "groups": conflicts.height,
            "records": int(conflicts["records"].sum()),
            "by_rank": dict(conflicts.group_by("rank").len().sort("rank").rows()),
            "list": conflicts.select("rank", "labels", "records", "processids").head(_LISTED).to_dicts(),
        },
        "bin_conflicts": {
            "bins": split_bins["bin"].n_unique(),
            "by_rank": {
                name.removesuffix("_split"): split_bins.filter(name)["bin"].n_unique()
                for name in split_bins.columns
                if name.endswith("_split")
            },
            "list": split_bins["bin"].unique().sort().head(_LISTED).to_list(),
        },
        "typos": {
            "fixed": typos.filter("fixed").height,
            "candidates": typos.filter(~pl.col("fixed")).height,
            "list": typos.sort("fixed", "count", "rank", "from", descending=[True, True, False, False])
            .head(_LISTED)
            .to_dicts(),
        },
        "overrides": {
            "lines": overrides.height,
            "labels": int(overrides["records"].sum()),
            "without_effect": overrides.filter(pl.col("records") == 0)["line"].to_list(),
            "list": overrides.head(_LISTED).to_dicts(),
        },
        "circular": {
            "records": derived,
            "share": round(derived / curated.height, 4) if curated.height else 0.0,
            "by_method": methods,
        },
    }
