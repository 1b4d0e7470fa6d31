"""Compare the truth about a demo corpus with what a finished run found.

Belongs here: which planted fact was found, which was missed, and what was reported of specimens that have no
fault. Does not belong here: what is planted (`bioscan_etl.demo.kinds` and the `…_defects` modules).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from bioscan_etl.demo.finished_run import FINAL, FinishedRun, final_values, load, reported_by, same_boxes
from bioscan_etl.demo.kinds import KINDS, Report
from bioscan_etl.errors import SourceError
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.lake import Lake
from bioscan_etl.rules import Severity, registry

SCORE = pl.Schema(
    [
        *((name, pl.String()) for name in ("kind", "report", "expected")),
        *((name, pl.Int64()) for name in ("planted", "found", "missed", "not_scored", "false_alarms", "elsewhere")),
        *((name, pl.Float64()) for name in ("precision", "recall")),
        *((name, pl.List(pl.String)) for name in ("missed_at", "false_alarms_at")),
    ]
)
NOT_PLANTED, VALUES = "(not planted)", "(sound values)"
"""Rows beside the kinds: rules that are planted nowhere but hit clean specimens, and values of clean ones."""

_KEYS = {
    Report.REJECT: ("batch", "source_file", "source_line"),
    Report.SET_ASIDE: ("batch", "source_file", "source_line"),
    Report.IMAGE_INDEX: ("batch", "image_file"),
    Report.BOX: ("batch", "image_file"),
}
_BY_SPECIMEN = ("processid",)


def _judged(facts: pl.DataFrame, run: FinishedRun, reported: pl.DataFrame, truth: Path) -> pl.DataFrame:
    """The facts with `verdict`: found, missed or not_scored."""
    kinds = pl.DataFrame(
        [(kind.id, kind.rule, kind.curated) for kind in KINDS.values()],
        schema=["kind", "rule", "curated"],
        orient="row",
    )
    facts = facts.join(kinds, on="kind", how="left").with_row_index("fact")
    said = []
    for report in Report:
        keys = list(_KEYS.get(report, _BY_SPECIMEN))
        there = reported.filter(pl.col("report") == str(report))
        said.append(
            facts.filter(pl.col("report") == str(report)).join(there, on=[*keys, "expected"], how="semi")["fact"]
        )
    values = final_values(run)
    held = facts.filter(pl.col("field").is_in(values["field"].unique().implode())).with_columns(
        # Coordinates are compared as numbers.
        expected_value=pl.when(pl.col("field") == "coord")
        .then(_as_numbers(pl.col("expected_value")))
        .otherwise("expected_value")
    )
    right = held.join(values, on=["processid", "field"], how="inner").filter(
        pl.col("value").eq_missing(pl.col("expected_value"))
    )["fact"]
    logged = facts.join(run.changes, on=["processid", "field", "rule"], how="semi")["fact"]
    logged_final = facts.with_columns(field=pl.col("field").replace(FINAL)).join(
        run.changes, on=["processid", "field", "rule"], how="semi"
    )["fact"]
    upright = facts.join(same_boxes(run, truth), on=["batch", "image_file"], how="semi")["fact"]
    gated = facts.join(run.specimens.filter(~pl.col("accepted")), on="processid", how="semi")["fact"]

    def among(*found: pl.Series) -> pl.Expr:
        return pl.col("fact").is_in(pl.concat(found).implode())

    is_value = pl.col("report") == str(Report.VALUE)
    # The log holds accepted specimens only, and a value that was right from the start needs no change.
    needs_rule = (pl.col("rule") != "") & ~among(gated) & pl.col("planted").ne_missing(pl.col("expected_value"))
    found_value = (
        pl.when(pl.col("field").is_null())
        .then(among(upright))
        .otherwise(among(right) & (among(logged, logged_final) | ~needs_rule))
    )
    checks_value = pl.col("expected_value").is_not_null() & pl.col("field").is_in(values["field"].unique().implode())
    found = pl.when(is_value).then(found_value).otherwise(among(*said) & (among(right) | ~checks_value))
    return facts.with_columns(
        verdict=pl.when(pl.col("curated") & among(gated))
        .then(pl.lit("not_scored"))
        .when(found)
        .then(pl.lit("found"))
        .otherwise(pl.lit("missed"))
    )


def _as_numbers(pair: pl.Expr) -> pl.Expr:
    parts = [pair.str.split(" ").list.get(at, null_on_oob=True).cast(pl.Float64, strict=False) for at in (0, 1)]
    return pl.format("{} {}", *parts)


def _where() -> pl.Expr:
    """A specimen, or the file (and line) if there is none."""
    line = pl.format("{}:{}", "source_file", "source_line")
    return pl.coalesce("processid", line, "image_file")


def _alarms(facts: pl.DataFrame, reported: pl.DataFrame, clean: pl.Series) -> pl.DataFrame:
    """What was reported without a fact that says so: report, expected, at, and whether the specimen is clean.

    Rows and image files that belong to no specimen count as clean: nothing was planted in them.
    """
    rules = {kind.id: kind.rule for kind in KINDS.values() if kind.rule}
    facts = facts.with_columns(
        expected=pl.when(pl.col("report") == str(Report.VALUE))
        .then(pl.col("kind").replace_strict(rules, default=None, return_dtype=pl.String))
        .otherwise("expected")
    )
    unexplained = []
    for report in Report:
        keys = list(_KEYS.get(report, _BY_SPECIMEN))
        planted = facts.filter(pl.col("report") == str(report))
        unexplained.append(
            reported.filter(pl.col("report") == str(report)).join(planted, on=[*keys, "expected"], how="anti")
        )
    # If rows, not specimens, are reported, a row that no fact explains is an alarm for any specimen.
    of_rows = pl.col("report").is_in([str(report) for report in (Report.REJECT, Report.SET_ASIDE, Report.IMAGE_INDEX)])
    return pl.concat(unexplained).select(
        "report", "expected", at=_where(), clean=of_rows | pl.col("processid").is_in(clean.implode())
    )


def _changed(run: FinishedRun, facts: pl.DataFrame, clean: pl.DataFrame) -> list[str]:
    """Clean specimens of which a value differs from the sound one, as `processid field`."""
    edited = facts.filter(pl.col("kind") != "unassigned_filler")["processid"].drop_nulls()
    untouched = clean.filter(~pl.col("processid").is_in(edited.implode()))
    fields = [*FINAL, "coord-lat", "coord-lon"]
    own = run.specimens.select(
        "processid", "coord-lat", "coord-lon", **{field: pl.col(name) for field, name in FINAL.items()}
    )
    sound, final = (
        table.select("processid", *fields)
        .with_columns(pl.exclude("processid").cast(pl.String))
        .unpivot(index="processid", variable_name="field")
        for table in (untouched, own)
    )
    filled = facts.filter(pl.col("kind") == "unassigned_filler")
    differing = (
        sound.join(final, on=["processid", "field"], how="left", suffix="_final")
        .filter(pl.col("value").ne_missing(pl.col("value_final")))
        .join(filled, on=["processid", "field"], how="anti")
    )
    return [f"{processid} {field}" for processid, field in differing.select("processid", "field").sort(pl.all()).rows()]


def score(output: Path) -> pl.DataFrame:
    """Compare `DIR/truth` with the lake of a finished run.

    A fact counts as found if the run reports it where, and as what, `kinds` says, and if the expected value
    is in the final table. Labels of specimens that a gate holds are not curated: such facts
    are `not_scored`. Reports of clean specimens are false alarms; of specimens with other faults they are
    counted as `elsewhere` and not judged, because faults have consequences.

    Args:
        output: the folder that `write_demo` and the run were given.

    Returns:
        `SCORE`, a row per kind in the order of `KINDS`, kinds without planted facts included; then a row per
        flag, gate or status that is planted nowhere but hits clean specimens (kind `NOT_PLANTED`), and a row
        for the values of clean specimens (kind `VALUES`). Kinds of one `expected` share their false alarms.
        precision: found / (found + false_alarms); recall: found / (found + missed); null without any.

    Raises:
        SourceError: `output` holds no truth.
        LakeError: the run has not finished.
    """
    truth = output / "truth"
    if not (truth / "truth.parquet").is_file():
        raise SourceError(f"{truth} holds no truth.parquet; write it with bioscan-etl demo --output {output}")
    run = load(Lake(output))
    reported = reported_by(run)
    clean = read_parquet(truth / "clean.parquet")
    facts = _judged(read_parquet(truth / "truth.parquet"), run, reported, truth)
    alarms = _alarms(facts, reported, clean["processid"])
    rows = [
        _row(
            kind.id,
            str(kind.report),
            kind.rule if kind.report is Report.VALUE and kind.rule else kind.expected,
            facts,
            alarms,
        )
        for kind in KINDS.values()
    ]
    rows += _beside(facts, alarms)
    changed = _changed(run, facts, clean)
    rows.append((VALUES, str(Report.VALUE), "unchanged", 0, 0, 0, 0, len(changed), 0, None, None, [], changed))
    return pl.DataFrame(rows, schema=SCORE, orient="row")


def _row(kind: str, report: str, expected: str, facts: pl.DataFrame, alarms: pl.DataFrame) -> tuple[object, ...]:
    own = facts.filter(pl.col("kind") == kind)
    counts = dict(own["verdict"].value_counts().iter_rows())
    found, missed = counts.get("found", 0), counts.get("missed", 0)
    unexplained = alarms.filter((pl.col("report") == report) & (pl.col("expected") == expected))
    # Every picture has some status: `any` cannot be a false alarm.
    false = unexplained.filter("clean")["at"].sort().to_list() if expected != "any" else []
    return (
        kind,
        report,
        expected,
        own.height,
        found,
        missed,
        counts.get("not_scored", 0),
        len(false),
        unexplained.height - unexplained["clean"].sum() if expected != "any" else 0,
        found / (found + len(false)) if found + len(false) else None,
        found / (found + missed) if found + missed else None,
        own.filter(pl.col("verdict") == "missed").select(_where())["processid"].drop_nulls().sort().to_list(),
        false,
    )


def _beside(facts: pl.DataFrame, alarms: pl.DataFrame) -> Iterable[tuple[object, ...]]:
    """Rules that no kind covers, if they hit clean specimens, and statuses that clean pictures may not have."""
    known = {
        (str(kind.report), kind.rule if kind.report is Report.VALUE and kind.rule else kind.expected)
        for kind in KINDS.values()
    }
    rules = registry()
    harmless = {rule.id for rule in rules.values() if rule.severity is Severity.CHANGE}
    spoken = (str(Report.FLAG), str(Report.GATE), str(Report.BOX))
    hits = (
        alarms.filter(pl.col("clean") & pl.col("report").is_in(spoken))
        .select("report", "expected")
        .unique()
        .sort(pl.all())
    )
    for report, expected in hits.iter_rows():
        fine = expected in {"detected", "any"} or (report == str(Report.FLAG) and expected in harmless)
        if not fine and (report, expected) not in known:
            yield _row(NOT_PLANTED, report, expected, facts.clear(), alarms)


def summed(scores: pl.DataFrame) -> pl.DataFrame:
    """Scores of several corpora added up.

    Args:
        scores: rows of `score`, of any number of corpora.

    Returns:
        A row per kind and expected outcome, in the order given, without `missed_at` and `false_alarms_at`.
    """
    counts = ("planted", "found", "missed", "not_scored", "false_alarms", "elsewhere")
    total = scores.group_by("kind", "report", "expected", maintain_order=True).agg(pl.col(*counts).sum())
    found = pl.col("found")
    return total.with_columns(
        precision=pl.when(found + pl.col("false_alarms") > 0).then(found / (found + pl.col("false_alarms"))),
        recall=pl.when(found + pl.col("missed") > 0).then(found / (found + pl.col("missed"))),
    )
