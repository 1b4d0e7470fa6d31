"""A corpus of the size and skew of BIOSCAN-5M, for benchmarks: raw records and boxes as Parquet.

Belongs here: drawing millions of records at once, defects included, by arrays. Does not belong here: the small
corpus with one planted defect of each kind and its landing folders (`corpus`).

    FOLDER/package/records/part-000.parquet, …   `schema.RECORDS`, sorted by process ID
    FOLDER/package/boxes/part-000.parquet, …     `schema.BOXES`
    FOLDER/later/records/part-000.parquet        a later, small delivery: 2 % of the process IDs again
    FOLDER/truth.parquet                         processid, kind: what was planted and can be searched for

Proportions follow BIOSCAN-5M: about 16 records per species-like cluster, cluster sizes falling as 1/rank, a barcode
for two records, 9 % labelled to species, 24 % to genus, 96 % to family, 1,700 sites in 47 countries.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from bioscan_etl import schema
from bioscan_etl.demo.scale_labels import Labels, build_labels, delivered_names
from bioscan_etl.demo.scale_places import Places, build_places, delivered_places
from bioscan_etl.demo.sequences import LENGTH, OFFSET, Indices, Sequences, haplotypes, lineage_tree

SHARD = 250_000
"""Rows of one Parquet file."""

PACKAGE, LATER = "package", "later"
_AGAIN = 0.02
_BLOCK = 100_000
_SNAPSHOT = dt.date(2024, 6, 28)
_PLATE = 95

# Shares of the records that carry a defect of the barcode.
_NO_BARCODE = 0.003
_GAPPED, _SHORT, _AMBIGUOUS, _TURNED, _CLOSED, _INVALID = 0.01, 0.003, 0.01, 0.001, 0.001, 0.0005
_WRONG_COUNT = 0.001
_NO_BIN, _BAD_BIN, _OTHER_BIN = 0.0026, 0.0005, 0.001
# Haplotypes of which the reads were shorter: they end in gaps, in all records alike.
_TRIMMED = 0.15

_IS_BASE = np.zeros(256, np.bool_)
_IS_BASE[np.frombuffer(b"ACGT", np.uint8)] = True

_METHODS = ("Morphology", "BIN Taxonomy Match (Aug 2022)", "BOLD ID Engine Manual (Aug 2022)", "Image-based", None)
_PEOPLE = ("Mira Ostlund", "Teo Varga", "Ines Calloway", "Jun Hatsuda", None)


@dataclass(frozen=True, slots=True)
class _Corpus:
    """Whole columns by record; record r is in row `row_of[r]` of the package.

    Attributes:
        labels: what clusters are called.
        places: sites and traps.
        barcodes: (haplotypes, 658) letters, end gaps included.
        record: (rows,) the record of each row, rows being in process ID order.
        cluster: (records,) the cluster that the barcode is of.
        named_as: (records,) the cluster whose labels it carries; another one in conflicts and contaminations.
        haplotype: (records,) row of `barcodes`.
    """

    labels: Labels
    places: Places
    barcodes: Sequences
    record: Indices
    cluster: Indices
    named_as: Indices
    haplotype: Indices


def write_scale_corpus(folder: Path, records: int, seed: int = 0) -> None:
    """Draw a corpus and write it.

    Args:
        folder: created; files in it are replaced.
        records: number of process IDs, at least 2,000.
        seed: of everything.
    """
    corpus = _drawn(np.random.default_rng([seed, 1]), records)
    for name in ("package/records", "package/boxes", "later/records"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    truths = []
    for number, start in enumerate(range(0, records, SHARD)):
        rng = np.random.default_rng([seed, 2, number])
        rows = np.arange(start, min(start + SHARD, records))
        frame, truth = _records(rng, corpus, rows)
        frame.write_parquet(folder / f"package/records/part-{number:03d}.parquet", row_group_size=100_000)
        truths.append(truth)
        boxes = _boxes(rng, frame["processid"])
        boxes.write_parquet(folder / f"package/boxes/part-{number:03d}.parquet", row_group_size=100_000)
    pl.concat(truths).sort("processid", "kind").write_parquet(folder / "truth.parquet")
    rng = np.random.default_rng([seed, 3])
    rows = np.sort(rng.choice(records, int(records * _AGAIN), replace=False))
    frame, _ = _records(rng, corpus, rows)
    frame = frame.with_columns(batch=pl.lit(LATER), snapshot_date=pl.lit(_SNAPSHOT + dt.timedelta(days=400)))
    schema.RECORDS.conform(frame).write_parquet(folder / "later/records/part-000.parquet")


def _drawn(rng: np.random.Generator, records: int) -> _Corpus:
    labels = build_labels(rng, records)
    clusters = len(labels.genus)
    weight = 1 / (np.arange(clusters) + 20)
    sizes = rng.multinomial(records, rng.permutation(weight / weight.sum()))
    cluster = np.repeat(np.arange(clusters), sizes)
    # In a cluster of n records about n / 2 barcodes are met, the first of them most often.
    width = np.maximum(np.ceil(0.62 * sizes).astype(np.int64), 1)
    first = np.concatenate([[0], np.cumsum(width)[:-1]])
    variant = (width[cluster] * rng.random(records) ** 1.7).astype(np.int64)
    used, haplotype = np.unique(first[cluster] + variant, return_inverse=True)
    cluster_of_haplotype = np.searchsorted(first, used, side="right") - 1
    return _Corpus(
        labels=labels,
        places=build_places(rng),
        barcodes=_barcodes(rng, labels, cluster_of_haplotype),
        record=rng.permutation(records),
        cluster=cluster,
        named_as=labels.named_as(rng, cluster),
        haplotype=haplotype,
    )


def _barcodes(rng: np.random.Generator, labels: Labels, cluster: Indices) -> Sequences:
    consensus = lineage_tree(rng, labels.order_of_family, labels.family_of_genus, labels.genus)
    barcodes = np.empty((len(cluster), LENGTH), np.uint8)
    first = np.diff(cluster, prepend=-1) != 0
    for start in range(0, len(cluster), _BLOCK):
        block = slice(start, start + _BLOCK)
        barcodes[block] = haplotypes(rng, consensus, cluster[block], first[block])
    trimmed = np.flatnonzero(rng.random(len(cluster)) < _TRIMMED)
    for start in range(0, len(trimmed), _BLOCK):
        rows = trimmed[start : start + _BLOCK]
        lead, trail = rng.integers(0, 40, len(rows)), LENGTH - rng.integers(0, 40, len(rows))
        at = np.arange(LENGTH)
        outside = (at < lead[:, None]) | (at >= trail[:, None])
        barcodes[rows] = np.where(outside, ord("-"), barcodes[rows])
    return barcodes


def _records(rng: np.random.Generator, corpus: _Corpus, rows: Indices) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`schema.RECORDS` of rows in process ID order, and what was planted in them."""
    record = corpus.record[rows]
    cluster, named_as = corpus.cluster[record], corpus.named_as[record]
    sequences, turned, closed = _defective(rng, corpus.barcodes[corpus.haplotype[record]])
    bases = _IS_BASE[sequences].sum(axis=1, dtype=np.int64)
    bases += np.where(rng.random(len(rows)) < _WRONG_COUNT, 40, 0)
    known = rng.random(len(rows)) >= _NO_BARCODE
    number = pl.Series(rows)
    frame = pl.DataFrame({"number": number}).select(
        processid=_processid(pl.col("number")),
        sampleid=pl.format("SCALE-{}", pl.col("number") + 10_000_000),
        fieldid=pl.format("D#{}", pl.col("number") // _PLATE),
        specimenid=(pl.col("number") + 21_000_000).cast(pl.String),
    )
    frame = frame.with_columns(
        museumid="sampleid",
        record_id=pl.format("{}.COI-5P", "processid"),
        bin_uri=_bins(rng, corpus.labels, cluster),
        nuc=pl.select(pl.when(pl.Series(known)).then(_text(sequences))).to_series(),
        nuc_basecount=pl.Series(np.where(known, bases, 0)).cast(pl.String),
        identification_method=_choice(rng, _METHODS, len(rows)),
        identified_by=_choice(rng, _PEOPLE, len(rows)),
        sex=_choice(rng, (None, "F", "M", "f", "U"), len(rows)),
        life_stage=_choice(rng, (None, "A", "Adult", "adult", "L"), len(rows)),
        collectors=_choice(rng, _PEOPLE, len(rows)),
        marker_code=pl.lit("COI-5P"),
        bold_recordset_code_arr=pl.lit("['SCALE', 'DS-SCALE']"),
        batch=pl.lit(PACKAGE),
        source_file=pl.lit("BOLD_Public.28-Jun-2024.tsv"),
        source_line=number + 2,
        snapshot_date=pl.lit(_SNAPSHOT),
    )
    names = delivered_names(rng, corpus.labels, named_as)
    places = delivered_places(rng, corpus.places, rows // _PLATE)
    frame = frame.with_columns(*names, *places)
    frame = frame.with_columns(flags=pl.lit([], pl.List(pl.String)))
    missing = [name for name in schema.RECORDS.names() if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, schema.RECORDS[name].dtype).alias(name) for name in missing)
    order = corpus.labels.order
    planted = {
        "reverse_complement": turned & known,
        "no_open_reading_frame": closed & known,
        "barcode_misplaced": (order[named_as] != order[cluster]) & known & frame["order"].is_not_null().to_numpy(),
    }
    truth = pl.concat(
        frame.filter(pl.Series(hit)).select("processid", kind=pl.lit(kind)) for kind, hit in planted.items()
    )
    return schema.RECORDS.conform(frame), truth


def _defective(
    rng: np.random.Generator, sequences: Sequences
) -> tuple[Sequences, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The barcodes with defects; which were turned round, and which were closed in all frames."""
    at = np.arange(LENGTH)
    chance = rng.random((6, len(sequences)))
    gapped, short, ambiguous, turned, closed, invalid = (
        chance < np.array([_GAPPED, _SHORT, _AMBIGUOUS, _TURNED, _CLOSED, _INVALID])[:, None]
    )
    # One defect of letters each, so that what was planted is what is found.
    turned &= ~(short | closed | ambiguous)
    closed &= ~(short | ambiguous | invalid)
    rows = np.flatnonzero(gapped)
    starts = OFFSET + 3 * rng.integers(33, 166, len(rows))[:, None]  # a whole codon is missing
    sequences[rows] = np.where((at >= starts) & (at < starts + 3), ord("-"), sequences[rows])
    rows = np.flatnonzero(short)
    sequences[rows] = np.where(at >= rng.integers(300, 480, len(rows))[:, None], ord("-"), sequences[rows])
    rows = np.flatnonzero(ambiguous)
    letters = np.frombuffer(b"NRYWNKMSNN", np.uint8)
    places = rng.integers(40, LENGTH - 40, (len(rows), 12))
    sequences[rows[:, None], places] = letters[rng.integers(0, len(letters), places.shape)]
    rows = np.flatnonzero(closed)
    # TAA stops forwards, TTA is TAA on the other strand; steps of four bring each into all three frames.
    sequences[rows, 100:122] = np.frombuffer(b"TAAATAAATAATTAATTAATTA", np.uint8)
    sequences[np.flatnonzero(invalid), 200] = ord("7")
    rows = np.flatnonzero(turned)
    complement = np.arange(256, dtype=np.uint8)
    complement[np.frombuffer(b"ACGT", np.uint8)] = np.frombuffer(b"TGCA", np.uint8)
    sequences[rows] = complement[sequences[rows, ::-1]]
    return sequences, turned, closed


def _text(sequences: Sequences) -> pl.Series:
    """Rows of letters as text, without a Python string per row."""
    offsets = np.arange(len(sequences) + 1, dtype=np.int64) * sequences.shape[1]
    text = np.ascontiguousarray(sequences)
    array = pa.LargeStringArray.from_buffers(len(sequences), pa.py_buffer(offsets), pa.py_buffer(text))
    return pl.Series(array)


def _processid(number: pl.Expr) -> pl.Expr:
    """Four letters, three digits and a year; in the order of the numbers, up to 456 million."""
    letters = pl.lit(pl.Series([chr(65 + i) for i in range(26)]))
    code = pl.concat_str(letters.gather(number // (1000 * 26**place) % 26) for place in (3, 2, 1, 0))
    return pl.format("{}{}-20", code, (number % 1000).cast(pl.String).str.pad_start(3, "0"))


def _choice(rng: np.random.Generator, values: tuple[str | None, ...], size: int) -> pl.Series:
    return pl.Series(values).gather(rng.integers(0, len(values), size))


def _bins(rng: np.random.Generator, labels: Labels, cluster: Indices) -> pl.Series:
    chance = rng.random(len(cluster))
    other = np.where(chance > 1 - _OTHER_BIN, rng.integers(0, len(labels.bins), len(cluster)), cluster)
    bins = labels.bins.gather(other)
    damaged = pl.Series((chance >= _NO_BIN) & (chance < _NO_BIN + _BAD_BIN))
    whole = pl.when(damaged).then(bins.str.slice(0, 10)).otherwise(bins)
    return pl.select(pl.when(pl.Series(chance >= _NO_BIN)).then(whole)).to_series()


def _boxes(rng: np.random.Generator, processids: pl.Series) -> pl.DataFrame:
    """`schema.BOXES` of images without pixels: 99 % of the specimens have one, 98 % of these were detected."""
    chosen = np.flatnonzero(rng.random(len(processids)) < 0.99)
    size = len(chosen)
    x0, y0 = rng.integers(100, 400, size), rng.integers(100, 300, size)
    width, height = rng.integers(80, 500, size), rng.integers(80, 400, size)
    digests = pl.Series([rng.bytes(32 * size)], dtype=pl.Binary).bin.encode("hex").item()
    text = np.frombuffer(digests.encode(), np.uint8).reshape(size, 64)
    status = pl.Series(["detected"] * 98 + ["empty", "multiple"]).gather(rng.integers(0, 100, size))
    return schema.BOXES.conform(
        pl.DataFrame(
            {
                "batch": pl.repeat(PACKAGE, size, eager=True),
                "processid": processids.gather(chosen),
                "width_original": np.full(size, 1024),
                "height_original": np.full(size, 768),
                "x0": x0,
                "y0": y0,
                "x1": x0 + width,
                "y1": y0 + height,
                "confidence": rng.random(size).round(4),
                "specimens": np.ones(size, np.int32),
                "status": status,
                "area_fraction": (width * height / (1024 * 768)).round(4),
                "scale_factor": (np.minimum(width, height) / 256).round(4),
                "image_measurement_value": width * height // 3,
                "blur": rng.uniform(20, 400, size).round(4),
                "exposure": rng.uniform(80, 220, size).round(4),
                "sha256": _text(text),
                "dhash": rng.integers(0, 2**64, size, dtype=np.uint64),
                "detector": pl.repeat("segmentation", size, eager=True),
                "flags": pl.Series([[]], dtype=pl.List(pl.String)).gather(np.zeros(size, np.uint32)),
                "detail": pl.repeat(None, size, dtype=pl.String, eager=True),
            }
        ).with_columns(image_file=pl.format("part1/{}.jpg", "processid"))
    )
