"""The corpus under construction: specimens, their rows, and what was planted where.

Belongs here: sound specimens and the book-keeping of edits and truths. Does not belong here: the defects
themselves, and how rows become files (`bioscan_etl.demo.records_file`).

Row r of the draft, for r below the number of specimens, is specimen r's own row of the barcode marker; the
rows after those are further rows (other markers, later snapshots, rows that are broken).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.demo import layouts
from bioscan_etl.demo.geography import SITES, points_around
from bioscan_etl.demo.layouts import Layout
from bioscan_etl.demo.sequences import Indices, Sequences, as_text, haplotypes, lineage_tree
from bioscan_etl.demo.taxonomy import BASE_SPECIMENS, Taxonomy, build_taxonomy, cluster_members
from bioscan_etl.vocabulary import RANKS

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A delivery: its name, its records file, the file's layout and snapshot date, and how images come."""

    name: str
    records_file: str
    layout: Layout
    snapshot: dt.date
    image_name: str


# The names' order is not that of the snapshots: the later snapshot has to win by content, not by name.
BATCHES = (
    BatchPlan("malaise-2023", "BOLD_Public.15-Dec-2023.tsv", layouts.LAYOUT_2023, dt.date(2023, 12, 15), "{pid}.jpg"),
    BatchPlan(
        "survey-2024", "BOLD_Public.28-Jun-2024.tsv", layouts.LAYOUT_2024, dt.date(2024, 6, 28), "{pid}.1024px.jpg"
    ),
    BatchPlan(
        "autumn-2025", "BOLD_Public.10-Oct-2025.tsv", layouts.LAYOUT_2025, dt.date(2025, 10, 10), "IMG_{number:06d}.jpg"
    ),
)
FILES = (*range(len(BATCHES)), 2)
"""Batch of each records file: one file per batch, and the gzipped part of the last one that breaks off."""

TRUNCATED_FILE = len(BATCHES)
TRUNCATED_NAME = "BOLD_Public.10-Oct-2025.part2.tsv.gz"
TRUNCATED_ROWS = 4

# None of these is circular: labels that come from the barcode itself are planted (`identification_circular`).
_METHODS = ("Morphology", "Morphology (key to genera)", "Image-based", "None")
_UNTOUCHED = 0.4
"""Share of the specimens of a small corpus in which nothing is planted."""
_APART = 0.04
"""Share of the haplotypes of a second lineage of their species."""
_PEOPLE = ("Mira Ostlund", "Teo Varga", "Ines Calloway", "Jun Hatsuda", "None")
_SEXES = ("None", "F", "M", "f", "U")
_STAGES = ("None", "A", "Adult", "adult", "Imago", "L")


@dataclass(slots=True)
class Truth:
    """A planted fact: its row or image, what was written, and the expected outcome."""

    kind: str
    row: int | None = None
    specimen: int | None = None
    batch: int | None = None
    image_file: str | None = None
    field: str | None = None
    planted: str | None = None
    expected_value: str | None = None


@dataclass(slots=True)
class Draft:
    """Everything the writers need.

    Attributes:
        rng: the random generator for planting.
        specimens: a row per specimen: processid, labels, place, dates; text, `None` for null.
        taxonomy: the clusters.
        cluster: shape (specimens,).
        haplotype: shape (specimens,), index into `barcodes`.
        barcodes: shape (haplotypes, 658), ASCII.
        batch: shape (specimens,), index into `BATCHES`.
        file: shape (specimens,), index into `FILES`.
        free: shape (specimens,), whether nothing has been planted in it yet.
        rate: how often a kind is planted, at least 1.
        left: how many more specimens `take` may hand out in a corpus too small for every kind; None in others.
        extra: further rows as (specimen, file).
        edits: column to (row, text) pairs; `nuc` among them.
        raw_rows: rows that are written as these bytes.
        truths: what was planted.
        barcode_of: the specimen that a barcode belongs to, by the one that carries it, if these are two.
        picture_of: the same of pictures.
        shortened: the shorter barcode of specimens that were sequenced shorter.
    """

    rng: np.random.Generator
    specimens: pl.DataFrame
    taxonomy: Taxonomy
    cluster: Indices
    haplotype: Indices
    barcodes: Sequences
    batch: Indices
    file: Indices
    free: Mask
    rate: int
    left: int | None = None
    extra: list[tuple[int, int]] = field(default_factory=list)
    edits: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    raw_rows: dict[int, bytes] = field(default_factory=dict)
    truths: list[Truth] = field(default_factory=list)
    barcode_of: dict[int, int] = field(default_factory=dict)
    picture_of: dict[int, int] = field(default_factory=dict)
    shortened: dict[int, str] = field(default_factory=dict)

    def role(self, name: str) -> Mask:
        """Which specimens belong to clusters of that role."""
        of_cluster = (self.taxonomy.clusters["role"] == name).to_numpy()
        chosen: Mask = of_cluster[self.cluster]
        return chosen

    @property
    def alone(self) -> Mask:
        """Which unlabelled specimens share their barcode and BIN with nobody."""
        single: Mask = (self.taxonomy.clusters["size"] == 1).to_numpy()[self.cluster]
        return self.role("dark") & single

    @property
    def own_barcode(self) -> Mask:
        """Which specimens are the only ones with their barcode."""
        single: Mask = (np.bincount(self.haplotype, minlength=len(self.barcodes)) == 1)[self.haplotype]
        return single

    def groups(self, role: str) -> list[Indices]:
        """The specimens of each cluster of that role."""
        clusters = np.flatnonzero((self.taxonomy.clusters["role"] == role).to_numpy())
        first, last = np.searchsorted(self.cluster, clusters), np.searchsorted(self.cluster, clusters, side="right")
        return [np.arange(start, end) for start, end in zip(first, last, strict=True)]

    def take(self, count: int, among: Mask | None = None, *, some: bool = False) -> list[int]:
        """Choose specimens that nothing was planted in yet, and mark them.

        Args:
            count: how many.
            among: which ones may be chosen; all, without it.
            some: whether fewer are better than none, if a small corpus has no more.

        Returns:
            Their numbers, sorted; none if a small corpus has too few: the kind is then left out.

        Raises:
            ValueError: a corpus that holds every kind has too few; the plan of `taxonomy` and the kinds do
                not fit together.
        """
        candidates = np.flatnonzero(self.free if among is None else self.free & among)
        if self.left is not None:
            there = min(len(candidates), self.left)
            count = min(count, there) if some else count * (count <= there)
            self.left -= count
        elif len(candidates) < count:
            raise ValueError(f"{count} sound specimens are wanted, {len(candidates)} are left")
        chosen = np.sort(self.rng.choice(candidates, count, replace=False))
        self.free[chosen] = False
        return [int(specimen) for specimen in chosen]

    def give_back(self, specimens: Sequence[int]) -> None:
        """Let something else be planted in specimens whose planted fact is not a fault."""
        self.free[list(specimens)] = True
        if self.left is not None:
            self.left += len(specimens)

    def template(self, batch: int, number: int = 0) -> int:
        """A specimen whose row others start from: one of the batch, if the batch has any."""
        there = np.flatnonzero(self.batch == batch)
        return int(there[number % len(there)]) if len(there) else 0

    def value(self, specimen: int, column: str) -> str:
        """A specimen's sound value; `None` as text if it has none."""
        return str(self.specimens[column][specimen])

    def barcode(self, specimen: int) -> str:
        """A specimen's sound barcode."""
        return as_text(self.barcodes[self.haplotype[specimen]][None, :])[0]

    def edit(self, row: int, column: str, value: str) -> None:
        """Write another text into a row."""
        self.edits.setdefault(column, []).append((row, value))

    def edit_barcode(self, row: int, sequence: str, basecount: int | None = None) -> None:
        """Write another sequence into a row; its basecount goes with it unless another is given."""
        self.edit(row, "nuc", sequence)
        count = sum(sequence.upper().count(base) for base in "ACGT") if basecount is None else basecount
        self.edit(row, "nuc_basecount", str(count))

    def add_row(self, specimen: int, file: int | None = None) -> int:
        """Add a row that starts as a copy of the specimen's; gives its number."""
        self.extra.append((specimen, int(self.file[specimen]) if file is None else file))
        return len(self.specimens) + len(self.extra) - 1

    def plant(
        self, kind: str, row: int, column: str | None = None, planted: str | None = None, expected: str | None = None
    ) -> None:
        """Note a fact about a row and, with a column, write it there."""
        if column is not None and planted is not None:
            self.edit(row, column, planted)
        self.note(kind, row, column, planted, expected)

    def note(
        self, kind: str, row: int, column: str | None = None, planted: str | None = None, expected: str | None = None
    ) -> None:
        """Note a fact about a row that is as it should be, or was edited before."""
        self.truths.append(Truth(kind, row=row, field=column, planted=planted, expected_value=expected))

    def coord(self, specimen: int, latitude: str, longitude: str) -> str:
        """A coordinate pair in the notation of the specimen's layout."""
        return BATCHES[self.batch[specimen]].layout.coord.format(lat=latitude, lon=longitude)


def sound_corpus(specimens: int, seed: int) -> Draft:
    """Draw a corpus in which nothing is wrong yet.

    Args:
        specimens: number of specimens, at least 1; from `bioscan_etl.demo.taxonomy.BASE_SPECIMENS` on there is
            room for every kind of defect.
        seed: seed of everything.
    """
    rng = np.random.default_rng([seed, 1])
    taxonomy = build_taxonomy(rng, specimens)
    sizes = taxonomy.clusters["size"].to_numpy()
    cluster, haplotype, cluster_of_haplotype = cluster_members(sizes, taxonomy.clusters["role"].to_list(), rng)
    lineages = (taxonomy.order_of_family, taxonomy.family_of_genus, taxonomy.genus_of_cluster)
    consensus = lineage_tree(rng, *lineages, uneven=True)
    first = np.diff(cluster_of_haplotype, prepend=-1) != 0
    apart = ~first & (np.random.default_rng([seed, 4]).random(len(first)) < _APART)
    barcodes = haplotypes(rng, consensus, cluster_of_haplotype, first, apart=apart)
    batch = rng.permutation(np.arange(specimens) % len(BATCHES))
    file = batch.copy()
    return Draft(
        rng=np.random.default_rng([seed, 2]),
        specimens=_specimens(rng, taxonomy, cluster, batch),
        taxonomy=taxonomy,
        cluster=cluster,
        haplotype=haplotype,
        barcodes=barcodes,
        batch=batch,
        file=file,
        free=np.ones(specimens, np.bool_),
        rate=specimens // BASE_SPECIMENS or 1,
        left=None if specimens >= BASE_SPECIMENS else specimens - math.ceil(_UNTOUCHED * specimens),
    )


def _choice(rng: np.random.Generator, values: Sequence[str], size: int) -> pl.Series:
    return pl.Series(values).gather(rng.integers(0, len(values), size))


def _specimens(rng: np.random.Generator, taxonomy: Taxonomy, cluster: Indices, batch: Indices) -> pl.DataFrame:
    """The sound values of every specimen, as text in the notation of its batch."""
    size = len(cluster)
    number = rng.permutation(size)
    project, serial = number // 900, number % 900 + 1
    letters = [pl.Series([chr(65 + i) for i in range(26)]).gather(project // 26**place % 26) for place in (2, 1, 0)]
    sites = rng.integers(0, len(SITES), size)
    latitude, longitude = points_around(rng, sites)
    days = rng.integers(0, 1200, size)
    start = pl.Series(np.datetime64("2016-04-03") + days)
    labels = taxonomy.clusters.select("bin", *RANKS)[cluster].select(pl.all().fill_null("None"))
    deepest = pl.coalesce(pl.when(pl.col(rank) != "None").then(pl.col(rank)) for rank in reversed(RANKS))
    rank = pl.coalesce(pl.when(pl.col(rank) != "None").then(pl.lit(rank)) for rank in reversed(RANKS))
    frame = pl.DataFrame(
        {
            "number": number,
            "batch": batch,
            "start": start,
            "end": start + dt.timedelta(days=7),
            "minted": start + dt.timedelta(days=120),
            "upload": start + dt.timedelta(days=200),
            "code": "QD" + letters[0] + letters[1] + letters[2],
            "serial": serial,
            "well": rng.integers(0, 95, size),
            "site_number": sites,
            "latitude": latitude,
            "longitude": longitude,
            "identification_method": _choice(rng, _METHODS, size),
            "identified_by": _choice(rng, _PEOPLE, size),
            "sex": _choice(rng, _SEXES, size),
            "life_stage": _choice(rng, _STAGES, size),
            "collectors": _choice(rng, _PEOPLE[:-1], size),
        }
    )
    places = pl.DataFrame(
        {
            "country/ocean": [site.country for site in SITES],
            "country_iso": [site.iso for site in SITES],
            "province/state": [site.province for site in SITES],
            "region": [site.region for site in SITES],
            "elev": [f"{site.elevation}.0" for site in SITES],
        }
    )[sites]
    frame = pl.concat([frame, places, labels], how="horizontal")
    sample = pl.format(
        "SYNTH{}-{}{}",
        pl.lit(10_000) + pl.col("number") // 95,
        pl.lit(pl.Series(list("ABCDEFGH"))).gather(pl.col("number") % 95 // 12),
        (pl.col("number") % 95 % 12 + 1).cast(pl.String).str.pad_start(2, "0"),
    )
    code = pl.col("code")
    frame = frame.with_columns(
        processid=pl.format(
            "{}{}-{}", code, pl.col("serial").cast(pl.String).str.pad_start(3, "0"), pl.col("minted").dt.strftime("%y")
        ),
        sampleid=sample,
        museumid=sample,
        fieldid=pl.format("D#{}-{}", pl.col("start").dt.year(), pl.col("site_number") + 300),
        specimenid=(pl.lit(21_000_000) + pl.col("number")).cast(pl.String),
        bin_uri=pl.col("bin"),
        identification=deepest,
        identification_rank=rank,
        bold_recordset_code_arr=pl.format("['{}', 'DS-DEMO']", code),
        collection_code=pl.lit("SYNTH"),
        collection_date_start=pl.col("start").dt.strftime("%Y-%m-%d"),
        collection_date_end=pl.col("end").dt.strftime("%Y-%m-%d"),
        coord=_by_batch(
            lambda layout: pl.format(
                layout.coord.replace("{lat}", "{}").replace("{lon}", "{}"), pl.col("latitude"), pl.col("longitude")
            )
        ),
        processid_minted_date=_by_batch(lambda layout: pl.col("minted").dt.strftime(layout.package_dates)),
        sequence_upload_date=_by_batch(lambda layout: pl.col("upload").dt.strftime(layout.package_dates)),
        site_iso=pl.col("country_iso"),
        # The 2023 package left the code out of every row.
        country_iso=pl.when(pl.col("batch") == 0).then(pl.lit("None")).otherwise(pl.col("country_iso")),
    )
    return frame.drop("bin", "start", "end", "minted", "upload", "code", "serial", "well")


def _by_batch(of_layout: Callable[[Layout], pl.Expr]) -> pl.Expr:
    """An expression that differs between the batches' layouts."""
    first, *others = (of_layout(plan.layout) for plan in BATCHES)
    for position, other in enumerate(others, start=1):
        first = pl.when(pl.col("batch") == position).then(other).otherwise(first)
    return first
