"""Counts of a curation run.

Belongs here: counts for the curators' report, as JSON values. Does not belong here: the
tables with every change and conflict (`Curated`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from bioscan_etl.vocabulary import RANKS

# How a label was derived from the data that it describes (spec: taxonomy, report per run). Words of English and of the
# other languages of BOLD's owners. Whole words where a shorter one would hit 'genitalia', 'genus' or 'general'.
CIRCULAR = {
    "bin_match": r"(?i)\bBINs?\b|\bBIN[ _-]?(?:taxonomy|match|based|rep|id)|taxonomy match|barcode index number",
    "id_engine": r"(?i)\bID(?:entification)?[ _-]?(?:engine|tree|request)|\bBOLD[ _-]?IDS?\b|\b(?:meta|mega|t)?BLAST|"
    r"\bBOLD\b|\bBOLDSYSTEMS|\bNCBI\b|gen[ -]?bank|\bINSDC\b|sequence id\b|"
    r"\b(?:SINTAX|BOLDigger|RDP classifier|IDTAXA|vsearch|usearch|DADA2|QIIME)\b",
    "sequence_tree": r"(?i)tree[ _-]?(?:based|ident|infer|placement|analys|building|topology)|"
    r"\b(?:NJ|ML|UPGMA|MP|BI|K2P|rep|gene|taxon|ID|distance|likelihood|parsimony|bayes\w*)[ _-]?(?:consensus )?"
    r"trees?\b|\bNJ\b|neighbou?r[ -]?joining|ph?[iy]logen|filogen|dendrogram|\bcladogram|maximum[ -]likelihood|"
    r"^\W*trees?\W*$|\b(?:ABGD|ASAP|[mb]?PTP|GMYC|K2P)\b|p-distance",
    "molecules": r"(?i)mol[eé][kc]ul|\bmol\.? ?(?:id|ident)|\bg[eé]n[eé]ti[ckq]|\bgenetisch|\bgenom|\bgenes?\b|"
    r"\bgenotyp|haplotyp|haplogroup|(?:\b|mt|mito|e)(?:DNA|DNS|ADN|RNA)\b|(?:\b|mt)DNA|mitochondri|mitogenom|"
    r"bar ?-?cod|c[oó]digos? de barras?|codes?[ -]barres?|strichcod|streepjescod|sequen[cz]|s[eé]quen[cç]|secuenci|"
    r"sekven[sc]|\bCO ?-?[I1](?:-?5P)?\b|\bCOX ?-?(?:[I1])?\b|cytochrome|\bcyt ?-?b\b|\bITS ?[12]?\b|"
    r"\b(?:12|16|18|28)S\b|\b[m]?OTUs?\b|\bASVs?\b|\bq?PCR\b|primers?\b|amplicon|\bNGS\b|\bHTS\b|sanger|nanopore|"
    r"minion\b|illumina|pacbio|nucleotid|micro-?satellit|allozym|isozym|\bRFLP|\bRAPD|\bAFLP|\bSNPs?\b|\bRAD-?seq",
    "image_model": r"(?i)(?:image|photo|picture|vision|machine|deep|neural|automat).*"
    r"(?:model|classif|network|learning|recogni)|automat\w* (?:image )?ident|"
    r"\b(?:AI|CNN|YOLO\w*|ResNet\w*|LLM|ChatGPT)\b|computer[ -]vision|artificial intelligence|classifier",
}
# A method that says what was not done does not count.
_NEGATED = (
    r"(?i)\b(?:no|non|not|without|before|prior to|awaiting|pending|sans|ohne|sin)[ -](?:\w+[ -]){0,2}?"
    r"(?:molecul\w*|DNA|genetic\w*|bar ?-?cod\w*|sequenc\w*|BINs?|COI)(?: \w*(?:data|analys\w+|identif\w+))?"
)
_LISTED = 200


def circular() -> pl.Expr:
    """Whether `identification_method` says that the label was derived from the barcode or the image (Boolean)."""
    return pl.any_horizontal(_says(pattern) for pattern in CIRCULAR.values()).fill_null(False)


def circular_methods(methods: pl.Series) -> pl.Series:
    """The distinct texts of `identification_method` that are `circular`."""
    return methods.alias("identification_method").unique().to_frame().filter(circular()).to_series()


def _says(pattern: str) -> pl.Expr:
    return pl.col("identification_method").str.replace_all(_NEGATED, " ").str.contains(pattern)


def curation_report(
    curated: pl.DataFrame,
    *,
    changes: pl.DataFrame,
    conflicts: pl.DataFrame,
    typos: pl.DataFrame,
    split_bins: pl.DataFrame,
) -> dict[str, Any]:
    """Count the changes, by rule and rank.

    Args:
        curated: `schema.CURATED` with the delivered and the final labels.
        changes: `schema.CHANGES` of the ranks.
        conflicts: groups without a majority (`conflicts.CONFLICTS`).
        typos: fixes and candidates (`typos.TYPOS`).
        split_bins: rows whose BIN has several labels (`inference.bin_conflicts`).

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
    # Each method is read once: few occur.
    counted = curated.group_by("identification_method").len()
    methods = {
        kind: int(counted.select(pl.col("len").filter(_says(pattern)).sum()).item())
        for kind, pattern in CIRCULAR.items()
    }
    derived = int(counted.select(pl.col("len").filter(circular()).sum()).item())
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
        "circular": {
            "records": derived,
            "share": round(derived / curated.height, 4) if curated.height else 0.0,
            "by_method": methods,
        },
    }
