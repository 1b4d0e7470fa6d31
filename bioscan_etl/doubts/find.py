"""Finding the doubts of a corpus.

Belongs here: one row per doubt, out of specimens, final labels, conflicts, typos, cases of the audit and reports of
users. Does not belong
here: which rules raise one (`kinds`), and whether a curator has settled it (`state`).

A decision must not make its own doubt disappear: it would be neither listed as decided nor open again when the line is
taken away. So gates are found as they are without decisions, and a doubt of which only a decision is left (a merged
spelling, a drawn box, a rejected specimen, whose labels are not curated) is made from the decision's line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from bioscan_etl.decisions.vocabulary import BARCODE_OF, SPELLING_RULE, keeps_spelling
from bioscan_etl.doubts.fingerprint import DIGITS, digests, facts_of, fingerprint
from bioscan_etl.doubts.kinds import COVERS, KINDS, OF_GROUPS, PRESUMED, kind_of
from bioscan_etl.schema import DOUBTS
from bioscan_etl.settings import Settings
from bioscan_etl.specimens.gates import gates
from bioscan_etl.vocabulary import RANKS

_BETWEEN = "\x1f"  # in no rule's id
_BLOCK = 100_000  # specimens whose sequences are in memory at a time: a row group of the lake
_TARGET = ("processid", "rank", "name", "group")
_BOX, _BIN_CONFLICT = "IMAGE_STATUS", "BIN_CONFLICT"
_REJECTED = "CURATOR_REJECTED"
_REPORT, _CASE = "report", "species"
_CONFLICT_RULE = {"barcode": "BARCODE_CONFLICT", "BIN": "BIN_CONFLICT_CLEARED"}
_FACTS = tuple(dict.fromkeys(name for kind in KINDS.values() for name in kind.facts))
_SAID = (
    *("image_status", "confidence", "barcode_length", "unambiguous_run", "country", "coord-lat", "coord-lon"),
    *("proposed-lat", "proposed-lon"),
)
_READ = tuple(dict.fromkeys(("processid", "batch", "flags", "dna_bin", *_FACTS, *_SAID, *RANKS)))


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables in which doubts are found.

    Attributes:
        specimens: `schema.SPECIMENS`.
        curated: `schema.CURATED`.
        conflicts: `taxonomy.conflicts.CONFLICTS`.
        typos: `taxonomy.typos.TYPOS`.
        decisions: lines of `schema.DECISIONS` that have no problem.
        proposals: `schema.PROPOSALS`.
        cases: `statistics.cases.CASES`.
    """

    specimens: pl.LazyFrame
    curated: pl.LazyFrame
    conflicts: pl.DataFrame
    typos: pl.DataFrame
    decisions: pl.DataFrame
    proposals: pl.DataFrame
    cases: pl.DataFrame


def find_doubts(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Every doubt of a corpus, settled or not.

    Args:
        tables: of one corpus run.
        settings: uses the section gates.

    Returns:
        `schema.DOUBTS`, by kind, rule and what the doubt is about.
    """
    flagged = _flagged(tables, settings)
    conflicts = [_of_bins(flagged), _of_conflicts(tables)]
    parts = [
        _of_reports(tables),
        _of_specimens(flagged),
        _drawn(tables, flagged),
        _rejected(tables, flagged),
        *conflicts,
        _of_typos(tables.typos, tables.decisions),
        _of_cases(tables, pl.concat(one["group"] for one in conflicts)),
    ]
    empty = DOUBTS.empty().drop("id")
    found = pl.concat([empty, *(part.select(empty.columns).cast(empty.schema) for part in parts)])
    found = found.with_columns(id=fingerprint(found, ("kind", "rule", *_TARGET, "proposed")))
    found = found.unique("id", keep="first", maintain_order=True)
    order = pl.col("kind").replace_strict({name: place for place, name in enumerate(KINDS)}, return_dtype=pl.Int32)
    return DOUBTS.conform(found.sort(order, "rule", "processid", "rank", "name", "group", "proposed", nulls_last=True))


def _flagged(tables: Tables, settings: Settings) -> pl.DataFrame:
    """A row per specimen and rule that raises a doubt: `at` (its row), `rule`, `kind`, `evidence`, and `_READ`."""
    marks = _marks(tables, settings)
    columns = [name for name in dict.fromkeys((*_READ, *settings.gates.scope)) if name not in {"flags", "dna_barcode"}]
    # What else is read is of the flagged specimens only.
    wanted = marks.lazy().select("processid").unique()
    rows = tables.specimens.select(columns).join(wanted, on="processid", how="semi").collect(engine="streaming")
    flagged = marks.join(rows, on="processid", how="left").sort("processid", "rule")
    return flagged.with_columns(evidence=_evidence(tables.specimens, flagged))


def _marks(tables: Tables, settings: Settings) -> pl.DataFrame:
    """The rules that raise a doubt about a specimen: `at` (its row), `processid`, `rule` and `kind`.

    Rules are found once per combination of gates and flags, of which there are few.
    """
    known = kind_of()
    held = {gate.meta.output_name(): gate for gate in gates(settings)}
    bits = pl.sum_horizontal(
        pl.lit(0, pl.Int32),
        *(gate.fill_null(value=False).cast(pl.Int32) * (1 << place) for place, gate in enumerate(held.values())),
    )
    flags = pl.col("flags").list.join(_BETWEEN).cast(pl.Categorical)
    own = tables.specimens.with_row_index("at").select("at", "processid", held=bits, own=flags)
    # Rules of labels are only in the flags of accepted specimens.
    labels = tables.curated.select("processid", flags=flags)
    marks = (
        own.collect(engine="streaming")
        .join(labels.collect(engine="streaming"), on="processid", how="left")
        .select("at", "processid", "held", flags=pl.coalesce("flags", "own"))
    )
    failed = [pl.when(pl.col("held") & (1 << place) != 0).then(pl.lit(gate)) for place, gate in enumerate(held)]
    named = pl.concat_list(*failed, pl.col("flags").cast(pl.String).str.split(_BETWEEN))
    covered = pl.any_horizontal(
        pl.lit(value=False),
        *(pl.col("rules").list.contains(rule) & pl.col("rule").is_in(list(covers)) for rule, covers in COVERS.items()),
    )
    rules = (
        marks.select("held", "flags")
        .unique()
        .with_columns(rules=named.list.unique())
        .with_columns(rule="rules")
        .explode("rule")
        .with_columns(kind=pl.col("rule").replace_strict(known, default=None, return_dtype=pl.String))
        .filter(pl.col("kind").is_not_null() & ~covered)
        .select("held", "flags", "rule", "kind")
    )
    return marks.join(rules, on=["held", "flags"], how="inner").select("at", "processid", "rule", "kind")


def _evidence(specimens: pl.LazyFrame, flagged: pl.DataFrame) -> pl.Series:
    """The fingerprint of the facts of each doubt about a specimen, null for kinds of groups.

    Args:
        specimens: `schema.SPECIMENS`; of it, sequences are read, some rows at a time.
        flagged: `at`, `kind`, and the facts but for `dna_barcode`.
    """
    rows = flagged.with_row_index("place")
    on_letters = [name for name, kind in KINDS.items() if "dna_barcode" in kind.facts]
    reads = pl.col("kind").is_in(on_letters)
    found = [_digested(rows.filter(~reads))]
    for (block,), part in rows.filter(reads).group_by(pl.col("at") // _BLOCK, maintain_order=True):
        start = int(str(block)) * _BLOCK
        letters = specimens.select("dna_barcode").slice(start, _BLOCK).collect().to_series()
        found.append(_digested(part.with_columns(letters.gather(part["at"] - start))))
    joined = rows.select("place").join(pl.concat(found), on="place", how="left", maintain_order="left")
    return joined["evidence"]


def _digested(rows: pl.DataFrame) -> pl.DataFrame:
    """`place` and `evidence` of rows with the facts of their kinds."""
    texts = [pl.DataFrame(schema={"place": pl.UInt32, "facts": pl.String})]
    for name, kind in KINDS.items():
        of_kind = rows.filter(pl.col("kind") == name)
        if kind.facts and of_kind.height:
            texts.append(of_kind.select("place", facts=facts_of(of_kind, kind.facts)))
    told = pl.concat(texts)
    return told.select("place", evidence=digests(told["facts"]))


def _of_specimens(flagged: pl.DataFrame) -> pl.DataFrame:
    """Doubts about one specimen."""
    parts = []
    for name, kind in KINDS.items():
        if name in OF_GROUPS or name == _REPORT:
            continue
        rows = flagged.filter(pl.col("kind") == name)
        evidence = pl.col("evidence")
        if kind.facts == ("sha256",):
            # The action `box` names the image in this form.
            evidence = pl.coalesce(pl.col("sha256").str.head(DIGITS), evidence)
        parts.append(
            rows.select(
                "kind",
                "rule",
                "processid",
                "batch",
                why=_why(name),
                proposed=_proposed() if name == "place" else pl.lit(None, pl.String),
                evidence=evidence,
            )
        )
    none = pl.lit(None, pl.String)
    return pl.concat(parts).with_columns(
        rank=none, name=none, group=none, members=pl.lit(None, pl.List(pl.String)), specimens=pl.lit(1, pl.Int64)
    )


def _why(kind: str) -> pl.Expr:
    """What is specific of a doubt, in a few words; null: the rule says it all."""
    place = pl.concat_str("country_verbatim", "province_verbatim", "coord_verbatim", separator="; ", ignore_nulls=True)
    sizes = pl.format("{} bp, longest unambiguous run {} bp", "barcode_length", "unambiguous_run")
    dates = pl.concat_str(
        pl.col("collection_date_start", "collection_date_end").cast(pl.String), separator=" to ", ignore_nulls=True
    )
    said = {
        "image": pl.concat_str(
            pl.col("image_status").str.replace("_", " "),
            pl.format("confidence {}", pl.col("confidence").round(2)),
            separator=", ",
            ignore_nulls=True,
        ),
        "place": pl.when(place != "").then(place),
        "barcode": sizes,
        "date": pl.when(dates != "").then(dates),
        "label": pl.coalesce(reversed(RANKS)),
        "misplaced": pl.format("the record's order is {}", "order"),
    }
    return said.get(kind, pl.lit(None, pl.String))


def _proposed() -> pl.Expr:
    """Coordinates that would be in the country, in the notation of the action `set`."""
    both = pl.format("{}, {}", pl.col("proposed-lat").round(6), pl.col("proposed-lon").round(6))
    return pl.when(pl.col("rule").is_in(list(PRESUMED))).then(both)


def _drawn(tables: Tables, flagged: pl.DataFrame) -> pl.DataFrame:
    """Doubts about images that have a curator's box, of which the detector's status is gone."""
    rows = _without_own_doubt(tables, flagged, "box", "image")
    evidence = pl.coalesce(pl.col("sha256").str.head(DIGITS), fingerprint(rows, KINDS["image"].facts))
    return _left_by(rows, "image", _BOX, evidence, "a curator drew the box")


def _rejected(tables: Tables, flagged: pl.DataFrame) -> pl.DataFrame:
    """Doubts about the labels of rejected specimens, of which the flags are gone: only accepted ones are curated."""
    rows = _without_own_doubt(tables, flagged, "reject", "label")
    return _left_by(
        rows, "label", _REJECTED, fingerprint(rows, KINDS["label"].facts), "a curator rejected the specimen"
    )


def _without_own_doubt(tables: Tables, flagged: pl.DataFrame, action: str, kind: str) -> pl.DataFrame:
    """Specimens that a line of this action is about, and that have no doubt of this kind any more."""
    lines = tables.decisions.filter(pl.col("action") == action).select("processid").unique()
    others = flagged.filter(pl.col("kind") == kind).select("processid")
    rows = tables.specimens.select("processid", "batch", *KINDS[kind].facts)
    if lines.is_empty():
        return rows.head(0).collect()
    return (
        rows.join(lines.lazy(), on="processid", how="semi")
        .collect()
        .join(others, on="processid", how="anti")
        .sort("processid")
    )


def _left_by(rows: pl.DataFrame, kind: str, rule: str, evidence: pl.Expr | pl.Series, why: str) -> pl.DataFrame:
    none = pl.lit(None, pl.String)
    return rows.select(
        "processid",
        "batch",
        kind=pl.lit(kind),
        rule=pl.lit(rule),
        rank=none,
        name=none,
        group=none,
        members=pl.lit(None, pl.List(pl.String)),
        evidence=evidence,
        specimens=pl.lit(1, pl.Int64),
        why=pl.lit(why),
        proposed=none,
    )


def _of_bins(flagged: pl.DataFrame) -> pl.DataFrame:
    """BINs whose specimens have different labels: a doubt per BIN."""
    rows = flagged.filter((pl.col("rule") == _BIN_CONFLICT) & pl.col("dna_bin").is_not_null())
    found = rows.group_by("dna_bin").agg(
        members=pl.col("processid").sort(),
        facts=pl.concat_str(pl.col(RANKS).fill_null(""), separator="\x1f").sort().str.join("\n"),
        specimens=pl.len().cast(pl.Int64),
        why=pl.coalesce(reversed(RANKS)).drop_nulls().unique().sort().head(6).str.join("; "),
        batch=_only_batch(),
    )
    return _grouped(found, pl.lit(_BIN_CONFLICT), pl.col("dna_bin"), ("dna_bin", "facts"))


def _of_conflicts(tables: Tables) -> pl.DataFrame:
    """Barcodes and BINs without a majority: a doubt per group and rank."""
    members = tables.conflicts.with_row_index("row").select("row", processid="processids").explode("processid")
    known = (
        tables.specimens.select("processid", "batch", "dna_bin")
        .join(members.select("processid").unique().lazy(), on="processid", how="semi")
        .collect()
    )
    of_rows = (
        members.join(known, on="processid", how="left", maintain_order="left")
        .group_by("row", maintain_order=True)
        .agg(dna_bin=pl.col("dna_bin").drop_nulls().first(), batch=_only_batch())
    )
    found = (
        tables.conflicts.with_row_index("row")
        .join(of_rows, on="row", how="left", maintain_order="left")
        .with_columns(
            members=pl.col("processids"),
            specimens=pl.col("processids").list.len().cast(pl.Int64),
            why=pl.format("{}: {}", "rank", "labels"),
            facts=pl.col("processids").list.join("\n"),
        )
    )
    barcode = pl.format(f"{BARCODE_OF}{{}}", pl.col("members").list.first())
    group = pl.when(pl.col("within") == "BIN").then("dna_bin").otherwise(barcode)
    rule = pl.col("within").replace_strict(_CONFLICT_RULE, return_dtype=pl.String)
    return _grouped(found, rule, group, ("within", "rank", "labels", "facts"))


def _grouped(found: pl.DataFrame, rule: pl.Expr, group: pl.Expr, facts: Iterable[str]) -> pl.DataFrame:
    none = pl.lit(None, pl.String)
    return found.select(
        "members",
        "batch",
        "specimens",
        "why",
        kind=pl.lit("conflict"),
        rule=rule,
        processid=none,
        rank=none,
        name=none,
        group=group,
        evidence=fingerprint(found, tuple(facts)),
        proposed=none,
    )


def _of_reports(tables: Tables) -> pl.DataFrame:
    """Reports of users: a doubt per specimen and suggestion, however many users report the same.

    `proposed` is field and value, such as `species: Aedes vexans`; nothing behind the colon: the field should be blank.
    """
    said = pl.concat_str("reason", "note", separator=": ", ignore_nulls=True)
    by_specimen = (
        tables.proposals.filter(pl.col("status") == "doubt")
        .unique("id")
        .sort("date", "id")
        .with_columns(
            proposed=pl.when(pl.col("field").is_not_null()).then(
                pl.format("{}: {}", "field", pl.col("value").fill_null("")).str.strip_chars_end()
            ),
            said=pl.format("{} ({}, {})", said, "reporter", "date"),
        )
        .group_by("processid", "proposed")
        .agg(why=pl.col("said").str.join("; "), reports=pl.col("id").sort().str.join(" "))
    )
    facts = KINDS[_REPORT].facts
    rows = (
        tables.specimens.select("processid", "batch", *facts)
        .join(by_specimen.lazy(), on="processid", how="inner")
        .sort("processid", "proposed")
        .collect()
    )
    none = pl.lit(None, pl.String)
    return rows.select(
        "processid",
        "batch",
        "why",
        "proposed",
        kind=pl.lit(_REPORT),
        rule=pl.lit(KINDS[_REPORT].rules[0]),
        rank=none,
        name=none,
        group=none,
        members=pl.lit(None, pl.List(pl.String)),
        # Another report of the same asks for another look.
        evidence=fingerprint(rows, ("reports", *facts)),
        specimens=pl.lit(1, pl.Int64),
    )


def _only_batch() -> pl.Expr:
    return pl.when(pl.col("batch").n_unique() == 1).then(pl.col("batch").first())


def _of_typos(typos: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Spellings that are likely wrong, and those of which a curator has decided.

    The evidence is the pair of names: how many records have them changes with every batch.
    """
    candidates = typos.filter(~pl.col("fixed")).select(
        "rank", name="from", proposed="to", specimens="count", why="evidence", seen=pl.lit(None, pl.String)
    )
    named = decisions.filter((pl.col("action") == "merge") | keeps_spelling())
    settled = named.select(
        "rank",
        "name",
        proposed="value",
        specimens=pl.lit(0, pl.Int64),
        why=pl.lit("decided by a curator"),
        seen="evidence",
    ).join(candidates, on=["rank", "name"], how="anti")
    rows = pl.concat([candidates, settled]).unique(["rank", "name", "proposed"], keep="first", maintain_order=True)
    own = fingerprint(rows, ("rank", "name", "proposed"))
    kept = pl.col("proposed").is_null()
    none = pl.lit(None, pl.String)
    return rows.select(
        "rank",
        "name",
        "specimens",
        "why",
        "proposed",
        kind=pl.lit("typo"),
        rule=pl.lit(SPELLING_RULE),
        processid=none,
        group=none,
        members=pl.lit(None, pl.List(pl.String)),
        batch=none,
        # A spelling that was kept is compared with no other one any more.
        evidence=pl.when(kept).then(pl.coalesce("seen", own)).otherwise(own),
    )


def _of_cases(tables: Tables, conflicts: pl.Series) -> pl.DataFrame:
    """Cases of the audit that are not in doubt already, as a conflict or as two spellings of one name.

    Args:
        tables: of the corpus.
        conflicts: BINs and barcodes in conflict.
    """
    misspelt = tables.typos.filter(~pl.col("fixed"), pl.col("rank") == "species")
    right = {str(name): str(to) for name, to in misspelt.select("from", "to").iter_rows()}
    cases = tables.cases.with_row_index("row").filter(
        pl.col("species").list.eval(pl.element().replace(right)).list.n_unique() > 1,
        ~pl.col("dna_bin").is_in(conflicts.drop_nulls().implode()).fill_null(value=False),
    )
    members = cases.select("row", processid="processids").explode("processid")
    batches = (
        tables.specimens.select("processid", "batch")
        .join(members.select("processid").unique().lazy(), on="processid", how="semi")
        .collect()
    )
    of_rows = members.join(batches, on="processid", how="left").group_by("row").agg(batch=_only_batch())
    rows = cases.join(of_rows, on="row", how="left", maintain_order="left")
    is_pair = pl.col("dna_bin").is_null()
    return rows.select(
        "rule",
        "batch",
        "specimens",
        "why",
        kind=pl.lit(_CASE),
        processid=pl.lit(None, pl.String),
        rank=pl.when(is_pair).then(pl.lit("species")),
        name=pl.when(is_pair).then(pl.col("species").list.first()),
        group="dna_bin",
        members="processids",
        proposed=pl.when(is_pair).then(pl.col("species").list.last()),
        evidence=fingerprint(rows, ("rule", "dna_bin", "facts")),
    )
