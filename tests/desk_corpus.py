"""A corpus as the desk reads it, without the run that makes one: tables of any size, with texts of any kind.

The doubts are those that `doubts.find` finds in these tables.
"""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from images_drawn import insect, well

from bioscan_etl import landing, schema
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.doubts.find import Tables, find_doubts
from bioscan_etl.doubts.kinds import kind_of
from bioscan_etl.images.crop import encode_jpeg
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import point
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.cases import CASES
from bioscan_etl.taxonomy.conflicts import CONFLICTS
from bioscan_etl.taxonomy.typos import TYPOS
from bioscan_etl.vocabulary import RANKS

BATCH = "north-2026"
LONG = "L" * 10_000
HOSTILE = (
    "<script>window.ran = 1</script>",
    '<img src=x onerror="window.ran = 1">',
    "</script><svg onload=window.ran=1>",
    "'\"><b>bold</b>&amp;&lt;",
    "javascript:window.ran=1",
    "{{constructor.constructor('window.ran=1')()}}",
    '=HYPERLINK("http://127.0.0.1:9/","x")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1:A9)",
    "-2+3",
    "\u202egpj.exe\u202c",
    "שלום \u2067עולם",
    "a\u0301\u0300" + "\u0301" * 60,
    "line one\nline two\r\nthree\tfour",
    "\ufffe\u0007\u001b[31mred",
    "__proto__",
    "constructor",
    LONG,
    "no break " * 1_000,
    "🪲🦋" * 40,
)
PLAIN = ("Lutzomyia cruciata", "Megaselia scalaris", "Aedes aegypti", "Chironomus riparius", "Bradysia impatiens")
COUNTRIES = ("Costa Rica", "Canada", "Kenya", "Peru", "Malaysia")
SHAPE = (1024, 768)


def write(
    output: Path, count: int, texts: Sequence[str] = PLAIN, images: int = 0, batches: Sequence[str] = (BATCH,)
) -> pl.DataFrame:
    """Write a corpus with doubts about `count` specimens, conflicts and typos; returns the doubts.

    Args:
        output: folder of the corpus.
        count: specimens; each has a doubt or more.
        texts: put into every column of texts, in turn.
        images: specimens that have an image.
        batches: the batches of the specimens, in turn; the images are all of `BATCH`.
    """
    lake = Lake(output)
    output.mkdir(parents=True, exist_ok=True)
    sums = _land(lake, images)
    specimens = _specimens(count, texts, sums, batches)
    curated = _curated(specimens)
    decisions = read_decisions({}).lines
    found = find_doubts(
        Tables(
            specimens.lazy(),
            curated.lazy(),
            _conflicts(specimens, texts),
            _typos(texts),
            decisions,
            schema.PROPOSALS.empty(),
            _cases(specimens, texts),
        ),
        Settings(),
    )
    changes = specimens.select(
        "processid",
        field=pl.lit("species"),
        step=pl.lit(1),
        before="species_verbatim",
        after="species",
        rule=pl.lit("NAME_DOUBTFUL"),
        evidence="province_verbatim",
        ruleset=pl.lit("1"),
    )
    aside = specimens.head(count // 2).select(
        "batch", "processid", "record_id", "source_file", "source_line", "snapshot_date",
        marker_code="sampleid", reason=pl.lit("superseded"), kept_batch="batch", kept_record_id="sampleid",
    )  # fmt: skip
    for stage, tables in {
        "specimens": {"specimens": specimens, "set_aside": aside, "rejects": None, "decision_effects": None},
        "curated_taxonomy": {"curated": curated, "changes": changes, "decision_effects": None},
        "drawn_boxes": {"decision_effects": None},
        "doubts": {"doubts": found},
        "decisions": {"decisions": decisions},
    }.items():
        fingerprint = stage[0].encode().hex() * 32
        with lake.writing(stage, fingerprint, made_from={}) as draft:
            for name, frame in tables.items():
                table = next(one for one in schema.TABLES if one.name == name)
                draft.write(table, table.empty() if frame is None else table.conform(frame))
        point(lake, stage, fingerprint)
    return found


def _land(lake: Lake, images: int) -> list[str]:
    """Land the images; their sha256."""
    delivery = lake.root / "delivery"
    (delivery / "images").mkdir(parents=True)
    (delivery / "records.tsv").write_text("processid\tmarker_code\nDSKAA000000-26\tCOI-5P\n")
    sums = []
    for number in range(images):
        drawn = well(*SHAPE)
        insect(drawn, (300 + 40 * (number % 10), 384), 240)
        data = encode_jpeg(drawn, Settings().images)
        sums.append(hashlib.sha256(data).hexdigest())
        (delivery / "images" / f"{number}.jpg").write_bytes(data)
    landing.register(lake, BATCH, [str(delivery / "records.tsv")], [str(delivery / "images")] if images else [])
    return sums


def _turning(values: Sequence[object], step: int, every: int = 1) -> pl.Expr:
    """The values in turn, shifted by `step`; the same one for `every` rows."""
    place = (pl.col("number") // every + step) % len(values)
    return place.replace_strict(dict(enumerate(values)), return_dtype=pl.Series(values).dtype)


def _specimens(count: int, texts: Sequence[str], sums: Sequence[str], batches: Sequence[str]) -> pl.DataFrame:
    draw = random.Random(0)
    letters = ["".join(draw.choices("ACGT", k=658)) for _ in range(min(500, max(1, count // 4)))]
    rules = sorted(kind_of())
    has_image = pl.col("number") < len(sums)
    box = dict(zip(("x0", "y0", "x1", "y1"), (180, 250, 480, 520), strict=True))
    columns = {
        **{column.name: pl.lit(None, column.dtype) for column in schema.SPECIMENS.columns},
        "processid": pl.format("DSKAA{}-26", pl.col("number").cast(pl.String).str.zfill(6)),
        "batch": _turning(batches, 0, 2),
        "source_line": pl.col("number") + 2,
        "nuc": _turning(letters, 0, 4),
        "dna_barcode": _turning(letters, 0, 4),
        "dna_bin": pl.format("BOLD:AAA{}", pl.col("number") // 8 + 1000),
        "barcode_length": pl.lit(658),
        "unambiguous_run": pl.lit(658),
        "country": _turning(COUNTRIES if texts is PLAIN else texts, 1, 3),
        "coord-lat": (pl.col("number") % 60).cast(pl.Float64),
        "coord-lon": -(pl.col("number") % 170).cast(pl.Float64),
        "proposed-lat": (pl.col("number") % 50).cast(pl.Float64),
        "proposed-lon": (pl.col("number") % 90).cast(pl.Float64),
        "image_batch": pl.when(has_image).then(pl.lit(BATCH)),
        "image_file": pl.when(has_image).then(pl.format("{}.jpg", "number")),
        "width_original": pl.when(has_image).then(SHAPE[0]),
        "height_original": pl.when(has_image).then(SHAPE[1]),
        **{name: pl.when(has_image).then(edge) for name, edge in box.items()},
        "confidence": pl.lit(0.4),
        "image_status": pl.when(pl.col("number") % 2 == 0).then(pl.lit("low_confidence")).otherwise(pl.lit("detected")),
        "sha256": pl.col("number").replace_strict(
            dict(enumerate(sums)),
            default=pl.format("{}", pl.col("number").hash(0)).str.pad_end(64, "0"),
            return_dtype=pl.String,
        ),
        "dhash": pl.col("number").hash(1),
        "flags": pl.concat_list(_turning(rules, 0)),
        "gates": pl.lit([], pl.List(pl.String)),
    }
    free = ("sampleid", "record_id", "source_file", "identification_method", "country_verbatim", "province_verbatim")
    free += (
        "measurement_source",
        "province_state",
        "coord_verbatim",
        "detector",
        "genus_name_type",
        "species_name_type",
    )
    for step, name in enumerate((*free, *(f"{rank}_verbatim" for rank in RANKS), *RANKS)):
        columns[name] = _turning(texts, step)
    frame = pl.DataFrame({"number": range(count)}, schema={"number": pl.Int64})
    return schema.SPECIMENS.conform(frame.select(**columns).cast(schema.SPECIMENS.schema()))


def _curated(specimens: pl.DataFrame) -> pl.DataFrame:
    wanted = schema.CURATED.schema()
    added = {
        name: pl.lit(False if dtype == pl.Boolean else 0, dtype)
        for name, dtype in wanted.items()
        if name not in specimens.columns and name != "taxon"
    }
    return specimens.with_columns(taxon=pl.col("species"), **added).select(wanted.names()).cast(wanted)


def _conflicts(specimens: pl.DataFrame, texts: Sequence[str]) -> pl.DataFrame:
    ids = specimens["processid"]
    rows = [
        {"within": within, "group": number, "rank": "species", "labels": text, "records": 4,
         "processids": ids[4 * number : 4 * number + 4].to_list()}
        for number, text in enumerate(texts[: len(ids) // 4])
        for within in ("barcode", "BIN")
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=CONFLICTS)


def _cases(specimens: pl.DataFrame, texts: Sequence[str]) -> pl.DataFrame:
    ids = specimens["processid"]
    rows = [
        {"rule": rule, "dna_bin": dna_bin, "species": [text, f"{text} b"], "specimens": 4, "why": text, "facts": text,
         "processids": ids[4 * number : 4 * number + 4].to_list()}
        for number, text in enumerate(texts[: len(ids) // 4])
        for rule, dna_bin in (("BIN_SEVERAL_SPECIES", f"BOLD:ZZZ{number:04}"), ("NO_BARCODE_GAP", None))
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=CASES)


def _typos(texts: Sequence[str]) -> pl.DataFrame:
    rows = [
        {"rank": "species", "parent": None, "from": text, "to": other, "distance": 1, "count": 1, "count_to": 9,
         "supported": 1, "fixed": False, "evidence": other}
        for text, other in zip(texts, [*texts[1:], texts[0]], strict=True)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=TYPOS)
