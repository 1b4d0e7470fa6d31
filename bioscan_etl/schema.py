"""Every table of the pipeline: column, dtype, unit, nullability, meaning.

Belongs here: what a column is. The release's data dictionary, the Parquet schemas, the blocking schema
checks and the expectations on columns are generated from these entries. Does not belong here: how a value is
computed (see the stage) and what can be wrong with it (see the rules).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from bioscan_etl.errors import SchemaError
from bioscan_etl.vocabulary import BENCHMARKS
from bioscan_etl.vocabulary import RANKS as RANKS  # noqa: PLC0414 (the release's forms take it from here)
from bioscan_etl.vocabulary import SPLITS as SPLITS  # noqa: PLC0414

# How a missing label is spelled where a format has no null: folders of partitions, CLIBD (spec: the release, rule 7).
NOT_CLASSIFIED = "not_classified"
PROCESSID_PATTERN = r"^[A-Za-z0-9-]+$"
BIN_PATTERN = r"^BOLD:[A-Z]{3,5}[0-9]{4}$"
NAME_TYPES = ("SCIENTIFIC", "INFORMAL", "OTU", "PLACEHOLDER", "HYBRID_FORMULA", "DOUBTFUL", "NO_NAME")
IMAGE_STATUSES = ("found", "no_record", "duplicate", "unsafe_name", "missing")
BOX_STATUSES = ("detected", "low_confidence", "empty", "multiple", "unreadable")
SET_ASIDE_REASONS = ("other_marker", "duplicate_marker_row", "superseded")
MOVE_REASONS = (
    "MOVED_SPECIES_NAMED",
    "MOVED_SPECIES_DESCRIBED",
    "MOVED_SPECIES_UNDESCRIBED",
    "MOVED_SPECIES_CLEARED",
    "MOVED_BARCODE_CHANGED",
    "MOVED_WITH_BARCODE",
    "MOVED_WITH_SPECIES",
    "MOVED_AS_REFERENCE",
)
DIFF_KINDS = (
    "added",
    "removed",
    "moved",
    "relabelled",
    "changed",
    "image_added",
    "image_removed",
    "image_changed",
)
EVALUATED_SUBSETS = ("all", "copies", "rest")
EVALUATION_METRICS = ("top1_micro", "top1_macro", "top3_micro", "top3_macro", "top5_micro", "top5_macro", "ami")
REJECT_REASONS = (
    *("field_count", "no_processid", "unsafe_processid", "undecodable", "not_json", "truncated_file"),
    "no_specimen",
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: name in the files.
        dtype: polars dtype in memory, which polars translates to Parquet.
        meaning: one line for the data dictionary.
        nullable: whether a value may be missing.
        unit: unit of a number or notation of a text.
        allowed: the closed vocabulary, if there is one.
        pattern: regular expression that every value matches, if there is one.
        minimum: smallest value of a number.
        maximum: largest value of a number.
    """

    name: str
    dtype: pl.DataType
    meaning: str
    nullable: bool = True
    unit: str = ""
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what a row is, its key, its columns in order.

    Attributes:
        name: name of the table and its file.
        row: what a row is.
        key: columns that identify a row.
        columns: in order.
        further: prefix of the names of more columns that a file may have after these; empty: it has none.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    further: str = ""

    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> Column:
        """The column of that name; KeyError if the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")

    def schema(self) -> pl.Schema:
        """The polars schema, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def arrow(self) -> pa.Schema:
        """The arrow schema of the Parquet files, nullability and meanings included."""
        fields = self.empty().to_arrow().schema
        return pa.schema(
            field.with_nullable(column.nullable).with_metadata({"meaning": column.meaning, "unit": column.unit})
            for field, column in zip(fields, self.columns, strict=True)
        )

    def empty(self) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema=self.schema())

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Select, order and cast to this table's columns, then `check` it.

        Raises:
            SchemaError: a column is missing, cannot be cast, or breaks nullability or the key.
        """
        missing = [name for name in self.names() if name not in frame.columns]
        if missing:
            raise SchemaError(f"table {self.name}: columns {missing} are missing")
        try:
            cast = frame.select(pl.col(column.name).cast(column.dtype) for column in self.columns)
        except pl.exceptions.InvalidOperationError as error:
            raise SchemaError(f"table {self.name}: {error}".splitlines()[0]) from error
        self.check(cast)
        return cast

    def check(self, frame: pl.DataFrame | pl.LazyFrame) -> None:
        """Check dtypes, nullability and key of a frame; of a lazy frame, only the key columns are held in memory.

        Raises:
            SchemaError: the first violation, by column.
        """
        lazy = frame.lazy()
        found = lazy.collect_schema()
        if found != self.schema():
            differing = [
                f"{name} is {found.get(name)}, not {dtype}"
                for name, dtype in self.schema().items()
                if found.get(name) != dtype
            ] or ["the column order differs"]
            raise SchemaError(f"table {self.name}: {'; '.join(differing)}")
        nulls = lazy.select(pl.col(c.name).null_count() for c in self.columns if not c.nullable).collect()
        for name in nulls.columns:
            if nulls[name][0]:
                raise SchemaError(f"table {self.name}: {nulls[name][0]} rows have no {name}")
        if self.key:
            keys = lazy.select(self.key).collect()
            if (twice := keys.is_duplicated()).any():
                row = keys.filter(twice).row(0)
                raise SchemaError(f"table {self.name}: more than one row has {self.key} = {row}")


_TEXT = pl.String()
_FLAGS = pl.List(pl.String)

_PROCESSID = Column(
    "processid", _TEXT, "process ID, BOLD's key of a specimen's record", nullable=False, pattern=PROCESSID_PATTERN
)
_BATCH = Column("batch", _TEXT, "specimen batch that delivered the row", nullable=False)
_RECORD_ID = Column("record_id", _TEXT, "processid.marker_code", nullable=False)
_SOURCE = (
    Column("source_file", _TEXT, "file name of the source", nullable=False),
    Column("source_line", pl.Int64(), "line, 1 is the header; row in a Parquet file", unit="1-based", minimum=1),
)
_SNAPSHOT = Column("snapshot_date", pl.Date(), "date of the BOLD snapshot that the source is from")


def _texts(names: Iterable[tuple[str, str]]) -> tuple[Column, ...]:
    return tuple(Column(name, _TEXT, meaning) for name, meaning in names)


BCDM = _texts(
    (
        ("sampleid", "identifier of the sample, given by its owner"),
        ("fieldid", "identifier given in the field"),
        ("museumid", "catalogue number in a collection"),
        ("record_id", "processid.marker_code"),
        ("specimenid", "BOLD's number of the specimen"),
        ("processid_minted_date", "date the process ID was created"),
        ("bin_uri", "Barcode Index Number"),
        ("bin_created_date", "date the BIN was created"),
        ("collection_code", "code of the collection"),
        ("inst", "institution that holds the specimen"),
        ("sovereign_inst", "institution with sovereignty over the record"),
        ("taxid", "BOLD's number of the taxon"),
        ("kingdom", "kingdom"),
        ("phylum", "phylum"),
        ("class", "class"),
        ("order", "order"),
        ("family", "family"),
        ("subfamily", "subfamily"),
        ("tribe", "tribe"),
        ("genus", "genus"),
        ("species", "species: a binomial or a placeholder name"),
        ("subspecies", "the whole trinomial"),
        ("species_reference", "authorship of the species name"),
        ("identification", "most specific name of the identification"),
        ("identification_method", "how the specimen was identified"),
        ("identification_rank", "rank of `identification`"),
        ("identified_by", "who identified it"),
        ("identifier_email", "address of the identifier"),
        ("taxonomy_notes", "notes on the identification"),
        ("sex", "sex, as delivered"),
        ("reproduction", "mode of reproduction, as delivered"),
        ("life_stage", "life stage, as delivered"),
        ("short_note", "short note (extrainfo in 2023)"),
        ("notes", "notes"),
        ("voucher_type", "status of the voucher"),
        ("tissue_type", "tissue that was sampled"),
        ("specimen_linkout", "link to the specimen elsewhere"),
        ("associated_specimens", "related specimens"),
        ("associated_taxa", "related taxa, such as hosts"),
        ("collectors", "who collected it"),
        ("collection_date_start", "first day of collection"),
        ("collection_date_end", "last day of collection (collection_date in 2023)"),
        ("collection_event_id", "identifier of the collection event"),
        ("collection_time", "time of day of collection"),
        ("collection_notes", "notes on the collection"),
        ("geoid", "BOLD's number of the place"),
        ("country/ocean", "country or ocean, in BOLD's spelling"),
        ("country_iso", "ISO 3166-1 alpha-2 code; NO is Norway, NA is Namibia"),
        ("province/state", "province or state"),
        ("region", "region"),
        ("sector", "sector"),
        ("site", "site"),
        ("site_code", "code of the site"),
        ("coord", "latitude and longitude, always in this order"),
        ("coord_accuracy", "accuracy of the coordinates in metres"),
        ("coord_source", "where the coordinates come from"),
        ("elev", "elevation in metres"),
        ("elev_accuracy", "accuracy of the elevation in metres"),
        ("depth", "depth in metres"),
        ("depth_accuracy", "accuracy of the depth in metres"),
        ("habitat", "habitat"),
        ("realm", "biogeographic realm"),
        ("biome", "biome"),
        ("ecoregion", "ecoregion"),
        ("sampling_protocol", "how it was collected"),
        ("nuc", "nucleotides, as delivered: gaps and IUPAC codes may occur"),
        ("nuc_basecount", "number of A, C, G and T, not the length"),
        ("insdc_acs", "accession in INSDC (GenBank, ENA, DDBJ)"),
        ("funding_src", "funding source"),
        ("marker_code", "marker, such as COI-5P"),
        ("primers_forward", "forward primers"),
        ("primers_reverse", "reverse primers"),
        ("sequence_run_site", "where it was sequenced"),
        ("sequence_upload_date", "date the sequence was uploaded"),
        ("bold_recordset_code_arr", "data sets and projects that hold the record"),
    )
)

RECORDS = Table(
    "records",
    "a BOLD row of the barcode marker, one per process ID and batch; every BCDM column as text",
    ("processid",),
    (
        _PROCESSID,
        *(_RECORD_ID if column.name == "record_id" else column for column in BCDM),
        Column("image_measurement_value", _TEXT, "organism pixels at 1024x768, if BOLD's working table has it"),
        Column("index_bioscan_1M_insect", _TEXT, "index in BIOSCAN-1M, if BOLD's working table has it"),
        _BATCH,
        *_SOURCE,
        _SNAPSHOT,
        Column("flags", _FLAGS, "ids of the rules on its text that apply, sorted", nullable=False),
        Column(
            "verbatim",
            _TEXT,
            "fields from which invisible characters were removed, as delivered",
            unit='JSON: {"changed": [{"field": …, "text": …}]}',
        ),
    ),
    further="extra:",
)

REJECTS = Table(
    "rejects",
    "a source row that cannot become a record",
    (),
    (
        _BATCH,
        *_SOURCE,
        Column("reason", _TEXT, "why it was rejected", nullable=False, allowed=REJECT_REASONS),
        Column("detail", _TEXT, "the reason as text, with numbers"),
        Column("raw_text", _TEXT, "the row as read; undecodable bytes escaped as \\xNN"),
    ),
)

SET_ASIDE = Table(
    "set_aside",
    "a readable row that is not used: of another marker, or replaced by another row of the same specimen",
    (),
    (
        _BATCH,
        _PROCESSID,
        _RECORD_ID,
        Column("marker_code", _TEXT, "marker of the row"),
        *_SOURCE,
        _SNAPSHOT,
        Column("reason", _TEXT, "why it was set aside", nullable=False, allowed=SET_ASIDE_REASONS),
        Column("kept_batch", _TEXT, "batch of the row used instead, if the specimen has one"),
        Column("kept_record_id", _TEXT, "record_id of the row used instead, if the specimen has one"),
    ),
)

IMAGE_INDEX = Table(
    "image_index",
    "an image file in the batch's sources, or an image that is only listed in its manifest",
    ("image_file", "status", "processid"),
    (
        _BATCH,
        Column("processid", _TEXT, "process ID the image belongs to, if any"),
        Column("image_file", _TEXT, "path within the source", nullable=False),
        Column("status", _TEXT, "only `found` images are used", nullable=False, allowed=IMAGE_STATUSES),
        Column("detail", _TEXT, "the status as text"),
        Column("size_bytes", pl.Int64(), "size of the file", unit="byte", minimum=0),
        Column("sha256", _TEXT, "sha256 of the file, if its status is `found`", unit="hex"),
    ),
)

BOXES = Table(
    "boxes",
    "an image with status `found`: the specimen's box, sizes and image quality",
    ("processid",),
    (
        _BATCH,
        _PROCESSID,
        Column("image_file", _TEXT, "path within the source", nullable=False),
        Column("width_original", pl.Int32(), "width after EXIF orientation", unit="px"),
        Column("height_original", pl.Int32(), "height after EXIF orientation", unit="px"),
        Column("x0", pl.Int32(), "left edge, inclusive", unit="px", minimum=0),
        Column("y0", pl.Int32(), "top edge, inclusive", unit="px", minimum=0),
        Column("x1", pl.Int32(), "right edge, exclusive", unit="px", minimum=0),
        Column("y1", pl.Int32(), "bottom edge, exclusive", unit="px", minimum=0),
        Column("confidence", pl.Float64(), "confidence of the box", minimum=0, maximum=1),
        Column("specimens", pl.Int32(), "number of plausible specimens", minimum=0),
        # Parquet files keep these texts, so that another wording would make all images again.
        Column("status", _TEXT, "what the detector says", nullable=False, allowed=BOX_STATUSES),
        Column("area_fraction", pl.Float64(), "box area over image area, 4 decimals", minimum=0, maximum=1),
        Column("scale_factor", pl.Float64(), "shorter box side over 256 px, 4 decimals", minimum=0),
        Column(
            "image_measurement_value",
            pl.Int64(),
            "pixels of the organism's mask at the 1024x768 scale",
            unit="px",
            minimum=0,
        ),
        Column("blur", pl.Float64(), "variance of the Laplacian on the crop", minimum=0),
        Column("exposure", pl.Float64(), "mean grey of the crop", unit="0 to 255", minimum=0, maximum=255),
        Column("sha256", _TEXT, "sha256 of the file", unit="hex"),
        Column("dhash", pl.UInt64(), "perceptual difference hash of the specimen with its surroundings"),
        Column("detector", _TEXT, "detector that found the box", nullable=False),
        Column("flags", _FLAGS, "image rules that hit", nullable=False),
        Column("detail", _TEXT, "why the image is unreadable"),
    ),
)

CROPS = Table(
    "crops",
    "an image of one package, derived from a specimen's image",
    ("processid",),
    (_PROCESSID, Column("jpeg", pl.Binary(), "the JPEG file", nullable=False)),
)

CHECKED_BARCODES = Table(
    "checked_barcodes",
    "the barcode of a record, with the results of the checks",
    ("processid",),
    (
        _BATCH,
        _PROCESSID,
        Column("nuc", _TEXT, "nucleotides as delivered"),
        Column("dna_barcode", _TEXT, "upper case, without gaps", pattern="^[A-Z]+$"),
        Column(
            "barcode", _TEXT, "identity of the barcode: dna_barcode with ambiguity codes as N, without N at its ends"
        ),
        Column("dna_bin", _TEXT, "Barcode Index Number", pattern=BIN_PATTERN),
        Column("barcode_length", pl.Int32(), "length of `barcode`", unit="bp", minimum=0),
        Column("unambiguous_run", pl.Int32(), "longest run of A, C, G, T", unit="bp", minimum=0),
        Column("ambiguous_share", pl.Float64(), "share of other letters in `barcode`", minimum=0, maximum=1),
        Column("internal_gaps", pl.Int32(), "number of gaps between bases that were removed", minimum=0),
        Column("genetic_code", pl.Int32(), "NCBI code that the reading frame was checked with"),
        Column("frame", pl.Int32(), "first offset without a stop codon", unit="0-based", minimum=0, maximum=2),
        Column("flags", _FLAGS, "barcode rules that apply", nullable=False),
    ),
)

_PLACE = (
    Column("start", pl.Int16(), "letter of the barcode that lies in column `first`", unit="from 0", minimum=0),
    Column("first", pl.Int16(), "first column", unit="from 1", minimum=1, maximum=658),
    Column("last", pl.Int16(), "last column", unit="from 1", minimum=1, maximum=658),
    Column("missing_columns", pl.List(pl.Int16()), "columns between both that hold no base", unit="from 1"),
    Column("inserted_bases", pl.List(pl.Int16()), "letters between both that lie in no column", unit="from 0"),
    Column(
        "weight",
        pl.Int32(),
        "how well the codons fit the frame, on the average",
        unit="0.01 natural logarithm of odds",
    ),
    Column(
        "doubt",
        _TEXT,
        "why no distance rests on this place: it is not placed, or a gap of single bases shifts its codons",
        allowed=("NOT_PLACED", "SHIFTED"),
    ),
)
PLACEMENTS = Table(
    "placements",
    "a distinct barcode and its place on the 658-column frame of COI-5P",
    ("barcode",),
    (Column("barcode", _TEXT, "identity of the barcode", nullable=False), *_PLACE),
)
BARCODES = Table(
    "barcodes",
    "a distinct barcode of the released specimens, its place on the frame, and what it is the same as",
    ("barcode_id",),
    (
        Column("barcode_id", pl.UInt32(), "number of the barcode, from 0, in lexical order", nullable=False),
        Column("barcode", _TEXT, "identity of the barcode", nullable=False),
        Column("records", pl.UInt32(), "specimens with this barcode", nullable=False, minimum=1),
        Column(
            "group",
            pl.UInt32(),
            "smallest barcode_id of the barcodes that are connected with this one by being the same over their shared "
            "columns",
            nullable=False,
        ),
        *_PLACE,
    ),
)
BARCODE_IDS = Table(
    "barcode_ids",
    "a released specimen and its barcode",
    ("processid",),
    (_PROCESSID, Column("barcode_id", pl.UInt32(), "number of its barcode in `barcodes`")),
)

CHECKED_GEOGRAPHY = Table(
    "checked_geography",
    "the place and dates of a record, with the results of the checks",
    ("processid",),
    (
        _BATCH,
        _PROCESSID,
        Column("country_verbatim", _TEXT, "country as delivered"),
        Column("country", _TEXT, "canonical country name"),
        Column("country_iso", _TEXT, "ISO 3166-1 alpha-2", pattern="^[A-Z]{2}$"),
        Column("country_iso3", _TEXT, "ISO 3166-1 alpha-3", pattern="^[A-Z]{3}$"),
        Column("province_verbatim", _TEXT, "province as delivered"),
        Column("province_state", _TEXT, "province or state, trimmed; spellings are unified over the corpus"),
        Column("coord_verbatim", _TEXT, "coordinates as delivered"),
        Column("coord-lat", pl.Float64(), "latitude, WGS 84", unit="degree", minimum=-90, maximum=90),
        Column("coord-lon", pl.Float64(), "longitude, WGS 84", unit="degree", minimum=-180, maximum=180),
        Column("proposed-lat", pl.Float64(), "latitude after a proposed fix", unit="degree"),
        Column("proposed-lon", pl.Float64(), "longitude after a proposed fix", unit="degree"),
        Column("collection_date_start", pl.Date(), "first day of collection"),
        Column("collection_date_end", pl.Date(), "last day of collection"),
        Column("flags", _FLAGS, "geography rules that apply", nullable=False),
    ),
)

NORMALISED_NAMES = Table(
    "normalised_names",
    "the taxonomic labels of a record: as delivered and normalised",
    ("processid",),
    (
        _BATCH,
        _PROCESSID,
        *(Column(f"{rank}_verbatim", _TEXT, f"{rank} as delivered") for rank in RANKS),
        *(Column(rank, _TEXT, f"{rank}, normalised") for rank in RANKS),
        Column("genus_name_type", _TEXT, "GBIF name type of the genus", nullable=False, allowed=NAME_TYPES),
        Column("species_name_type", _TEXT, "GBIF name type of the species", nullable=False, allowed=NAME_TYPES),
        Column("flags", _FLAGS, "name rules that apply", nullable=False),
    ),
)

_SPECIMEN = (
    *(column for column in RECORDS.columns if column.name in {"processid", "sampleid", "record_id"}),
    _BATCH,
    *_SOURCE,
    _SNAPSHOT,
    *_texts((("identification_method", "how the specimen was identified"),)),
    # The identity follows from dna_barcode (`barcodes.identity`): a third copy of each sequence is not kept.
    *(c for c in CHECKED_BARCODES.columns if c.name not in {"batch", "processid", "flags", "barcode"}),
    *(c for c in CHECKED_GEOGRAPHY.columns if c.name not in {"batch", "processid", "flags"}),
    *(c for c in NORMALISED_NAMES.columns if c.name not in {"batch", "processid", "flags"}),
    Column("image_batch", _TEXT, "batch whose image is used"),
    *(
        Column(c.name if c.name != "status" else "image_status", c.dtype, c.meaning, unit=c.unit)
        for c in BOXES.columns
        if c.name not in {"batch", "processid", "flags", "detail"}
    ),
    Column("measurement_source", _TEXT, "where image_measurement_value is from", allowed=("bold", "mask")),
    Column("index_bioscan_1M_insect", pl.Int64(), "index in BIOSCAN-1M", minimum=0),
    Column("flags", _FLAGS, "all rules that apply, sorted", nullable=False),
)

SPECIMENS = Table(
    "specimens",
    "a specimen: the latest record of a process ID with its checked values and image",
    ("processid",),
    (*_SPECIMEN, Column("gates", _FLAGS, "gates that it fails; empty: accepted", nullable=False)),
)

CURATED = Table(
    "curated",
    "an accepted specimen with its final labels",
    ("processid",),
    (
        *_SPECIMEN,
        Column("taxon", _TEXT, "label of the deepest labelled rank"),
        Column(
            "inferred_ranks",
            pl.UInt8(),
            "highest inferred rank: 0 none, 1 species, 2 genus, 3 subfamily, 4 family, 5 order, 6 class",
            nullable=False,
            minimum=0,
            maximum=6,
        ),
        *(Column(f"inferred_{rank}", pl.Boolean(), f"{rank} was inferred", nullable=False) for rank in RANKS),
    ),
)

CHANGES = Table(
    "changes",
    "a value that a rule changed",
    ("processid", "field", "step"),
    (
        _PROCESSID,
        Column("field", _TEXT, "column that changed", nullable=False),
        Column("step", pl.Int32(), "order of the changes of one field", unit="0-based", nullable=False, minimum=0),
        Column("before", _TEXT, "value before; missing is null"),
        Column("after", _TEXT, "value after; missing is null"),
        Column("rule", _TEXT, "rule that changed it", nullable=False),
        Column("evidence", _TEXT, "why the rule applied"),
        Column("ruleset", _TEXT, "version of the rules", nullable=False),
    ),
)

QUARANTINE = Table(
    "quarantine",
    "a specimen that fails a gate and is not released",
    ("processid",),
    (
        _PROCESSID,
        _RECORD_ID,
        _BATCH,
        *_SOURCE,
        Column("gates", _FLAGS, "gates that it fails", nullable=False),
        Column("image_status", _TEXT, "result of the detector for its image", allowed=BOX_STATUSES),
        Column("flags", _FLAGS, "rules that apply", nullable=False),
    ),
)

DECISION_COLUMNS = (
    Column("processid", _TEXT, "specimen that the line is about", pattern=PROCESSID_PATTERN),
    Column("rank", _TEXT, "rank of the name that the line is about", allowed=RANKS),
    Column("name", _TEXT, "name that the line is about"),
    Column("group", _TEXT, "BIN, or barcode: and the process ID of a specimen that has the barcode"),
    Column("action", _TEXT, "what is decided"),
    Column("field", _TEXT, "rank, field, gate or rule that it concerns"),
    Column("value", _TEXT, "the new value"),
    Column("reason", _TEXT, "why, of a closed vocabulary"),
    Column("note", _TEXT, "why, in words"),
    Column("curator", _TEXT, "who decided"),
    Column("date", _TEXT, "when", unit="YYYY-MM-DD"),
    Column("evidence", _TEXT, "fingerprint of the evidence that the curator saw", pattern="^[0-9a-f]{16}$"),
)
"""Columns of a curators' file of decisions."""

DECISIONS = Table(
    "decisions",
    "a line of the curators' decisions",
    ("file", "line"),
    (
        Column("id", _TEXT, "16 hexadecimal digits of the line's content", nullable=False),
        Column("file", _TEXT, "name of the file", nullable=False),
        Column("line", pl.Int64(), "its first line", unit="1-based", nullable=False, minimum=2),
        *DECISION_COLUMNS,
        Column("problem", _TEXT, "why it does not apply; null if its form is right"),
    ),
)
DECISION_STATUSES = ("applied", "no_effect", "dormant", "unknown", "left_out")
DECISION_EFFECTS = Table(
    "decision_effects",
    "what became of a decision",
    ("id",),
    (
        DECISIONS["id"],
        Column(
            "status",
            _TEXT,
            "applied; no_effect: nothing had to change; dormant: what it is about is not accepted at present; unknown: "
            "no batch has it; left_out: it contradicts another line, or would break the labels",
            nullable=False,
            allowed=DECISION_STATUSES,
        ),
        Column("specimens", pl.Int64(), "number of specimens that it changed", nullable=False, minimum=0),
        Column("detail", _TEXT, "why it has not the effect that it asks for"),
    ),
)
DECISION_LOG = Table(
    "decision_log",
    "a line of the curators' decisions and what became of it",
    ("file", "line"),
    (
        *(column for column in DECISIONS.columns if column.name != "problem"),
        Column(
            "status",
            _TEXT,
            "as in decision_effects; or repeats: an earlier line says the same; noted: no stage has to apply it",
            nullable=False,
            allowed=(*DECISION_STATUSES, "repeats", "noted"),
        ),
        DECISION_EFFECTS["specimens"],
        DECISION_EFFECTS["detail"],
    ),
)

PROPOSAL_COLUMNS = (
    _PROCESSID,
    Column("reason", _TEXT, "what is wrong, of the vocabulary of decisions"),
    Column("field", _TEXT, "rank, field or box that a value is suggested for"),
    Column("value", _TEXT, "the suggested value; missing: the field should be blank"),
    Column("note", _TEXT, "what is wrong, in words"),
    Column("reporter", _TEXT, "who reported it"),
    Column("date", _TEXT, "when", unit="YYYY-MM-DD"),
)
"""Columns of a file of reports from users of the published data."""

PROPOSALS = Table(
    "proposals",
    "a line of the reports from users of the published data",
    ("file", "line"),
    (
        Column("id", _TEXT, "16 hexadecimal digits of the line's content", nullable=False),
        DECISIONS["file"],
        DECISIONS["line"],
        *(Column(one.name, one.dtype, one.meaning, unit=one.unit) for one in PROPOSAL_COLUMNS),
        Column(
            "status",
            _TEXT,
            "doubt: curators decide on it; unknown: no batch has the process ID; left_out: its form is wrong",
            nullable=False,
            allowed=("doubt", "unknown", "left_out"),
        ),
        Column("detail", _TEXT, "why it is no doubt"),
    ),
)

DOUBT_KINDS = (
    *("report", "image", "duplicate", "conflict", "typo", "species", "misplaced", "label", "place", "date", "barcode"),
    "missing",
)
DOUBTS = Table(
    "doubts",
    "something that a curator should look at, settled or not",
    ("id",),
    (
        Column("id", _TEXT, "16 hexadecimal digits of kind, rule and what it is about", nullable=False),
        Column("kind", _TEXT, "kind of doubt", nullable=False, allowed=DOUBT_KINDS),
        Column("rule", _TEXT, "rule or gate that raises it", nullable=False),
        *(column for column in DECISION_COLUMNS if column.name in {"processid", "rank", "name", "group"}),
        Column("members", _FLAGS, "process IDs of the group, sorted; null if it is about a specimen or a name"),
        Column("batch", _TEXT, "batch of the specimens, if they are of one"),
        Column(
            "evidence",
            _TEXT,
            "fingerprint of the facts that it rests on; of an image, the first digits of its sha256",
            nullable=False,
            pattern="^[0-9a-f]{16}$",
        ),
        Column("specimens", pl.Int64(), "number of specimens that it is about", nullable=False, minimum=0),
        Column("why", _TEXT, "what is specific of it"),
        Column("proposed", _TEXT, "name, coordinates, or field and value of a report, that would settle it"),
    ),
)

UNVERIFIED, VERIFIED, DISPUTED = VERIFICATION_STATUSES = ("unverified", "verified", "disputed")
_VERIFICATION_STATUS = Column(
    "verification_status",
    _TEXT,
    "what curators say of the labels: verified: a curator set or confirmed them; disputed: a doubt about them is open; "
    "unverified: neither (Darwin Core: identificationVerificationStatus)",
    nullable=False,
    allowed=VERIFICATION_STATUSES,
)
VERIFICATION = Table(
    "verification",
    "an accepted specimen whose labels are verified or disputed; all others are unverified",
    ("processid",),
    (_PROCESSID, _VERIFICATION_STATUS),
)

PARTITIONS = Table(
    "partitions",
    "a released specimen and its partition",
    ("processid",),
    (_PROCESSID, Column("split", _TEXT, "partition", nullable=False, allowed=SPLITS)),
)

PARTITION_MEMORY = Table(
    "partition_memory",
    "a specimen of this or an earlier release, with its partition and labels then: input of the next assignment",
    ("processid",),
    (
        _PROCESSID,
        PARTITIONS["split"],
        *_texts((("genus", "genus"), ("species", "species"))),
        CHECKED_BARCODES["dna_bin"],
        CHECKED_BARCODES["dna_barcode"],
    ),
)

PARTITION_MOVES = Table(
    "partition_moves",
    "a specimen whose partition differs from the one in the previous release",
    ("processid",),
    (
        _PROCESSID,
        Column("before", _TEXT, "partition before", nullable=False, allowed=SPLITS),
        Column("after", _TEXT, "partition now", nullable=False, allowed=SPLITS),
        Column("reason", _TEXT, "rule that moved it", nullable=False, allowed=MOVE_REASONS),
    ),
)

RELEASE_DIFF = Table(
    "release_diff",
    "a difference between two releases: a record, its partition, or one of its fields or images",
    ("processid", "kind", "field"),
    (
        _PROCESSID,
        Column("kind", _TEXT, "what happened", nullable=False, allowed=DIFF_KINDS),
        Column(
            "field", _TEXT, "column; package of an image; split of a record added, removed or moved", nullable=False
        ),
        Column("before", _TEXT, "value in the first release; sha256 of an image; missing is null"),
        Column("after", _TEXT, "value in the second release; sha256 of an image; missing is null"),
        Column("reason", _TEXT, "a rule, or a reason that docs/guide/releases.md lists", nullable=False),
    ),
)

_RELEASED = (
    _PROCESSID,
    Column("sampleid", _TEXT, "identifier of the sample, given by its owner"),
    Column("taxon", _TEXT, "label of the deepest labelled rank"),
    *(Column(rank, _TEXT, f"{rank}; missing is unlabelled") for rank in RANKS),
    Column("dna_bin", _TEXT, "Barcode Index Number", pattern=BIN_PATTERN),
    Column("dna_barcode", _TEXT, "COI-5P barcode", nullable=False, pattern="^[A-Z]+$"),
    Column("country", _TEXT, "country"),
    Column("province_state", _TEXT, "province or state"),
    Column("coord-lat", pl.Float64(), "latitude, WGS 84", unit="degree", minimum=-90, maximum=90),
    Column("coord-lon", pl.Float64(), "longitude, WGS 84", unit="degree", minimum=-180, maximum=180),
    Column("image_measurement_value", pl.Int64(), "organism pixels at 1024x768", unit="px", minimum=0),
    Column("area_fraction", pl.Float64(), "box area over image area", minimum=0, maximum=1),
    Column("scale_factor", pl.Float64(), "shorter box side over 256 px", minimum=0),
    CURATED["inferred_ranks"],
    Column("split", _TEXT, "partition", nullable=False, allowed=SPLITS),
    Column("index_bioscan_1M_insect", pl.Int64(), "index in BIOSCAN-1M", minimum=0),
    Column("chunk", _TEXT, "image subfolder, from md5(processid)", nullable=False, pattern="^[0-9a-f]{0,2}$"),
)

METADATA = Table("metadata", "a released specimen: the 23 columns of the CSV, in order", ("processid",), _RELEASED)

_EXTRA = (
    Column("dna_barcode_verbatim", _TEXT, "nucleotides as delivered by BOLD"),
    SPECIMENS["country_iso"],
    SPECIMENS["genus_name_type"],
    SPECIMENS["species_name_type"],
    SPECIMENS["identification_method"],
    *(CURATED[f"inferred_{rank}"] for rank in RANKS),
    SPECIMENS["image_status"],
    Column("confidence", pl.Float64(), "confidence of the box", minimum=0, maximum=1),
    SPECIMENS["measurement_source"],
    SPECIMENS["flags"],
    _VERIFICATION_STATUS,
    _BATCH,
    SPECIMENS["snapshot_date"],
)

METADATA_EXTENDED = Table(
    "metadata_extended",
    "a released specimen in Parquet: the 23 columns of the CSV, then additional ones",
    ("processid",),
    (*_RELEASED, *_EXTRA),
)

BBOX = Table(
    "bbox",
    "a released specimen's box",
    ("processid",),
    (
        _PROCESSID,
        *(
            BOXES[name]
            for name in (
                "width_original",
                "height_original",
                "x0",
                "y0",
                "x1",
                "y1",
                "scale_factor",
                "area_fraction",
            )
        ),
    ),
)

LABELS = Table(
    "labels",
    "a label of a rank, in labels/<rank>.csv; one that no specimen has any more stays, so that no index is used twice",
    ("index",),
    (
        Column(
            "index", pl.Int64(), "number of the label; the same in all releases that follow", nullable=False, minimum=0
        ),
        Column("label", _TEXT, "the label", nullable=False),
        Column(
            "parent_index",
            pl.Int64(),
            "index of its label one rank above; -1 for a phylum",
            nullable=False,
            minimum=-1,
        ),
        *(Column(split, pl.Int64(), f"specimens in {split}", nullable=False, minimum=0) for split in SPLITS),
    ),
)

LABEL_HIERARCHY = Table(
    "label_hierarchy",
    "a label that is no label's parent, with its lineage, in labels/hierarchy.csv",
    (),
    tuple(
        Column(f"{rank}_index", pl.Int64(), f"index of the {rank}; -1 is none", nullable=False, minimum=-1)
        for rank in RANKS
    ),
)

EVALUATION = Table(
    "evaluation",
    "a measurement of a benchmark on a release",
    ("benchmark", "task", "model", "queries", "keys", "rank", "subset", "metric"),
    (
        Column("benchmark", _TEXT, "benchmark", nullable=False, allowed=BENCHMARKS),
        Column("task", _TEXT, "what is asked, such as left_out_species", nullable=False),
        Column("model", _TEXT, "what answers, such as 6-mers", nullable=False),
        Column("queries", _TEXT, "partitions of the queries", nullable=False),
        Column("keys", _TEXT, "partitions of the references or of the training; empty without any", nullable=False),
        Column("rank", _TEXT, "rank of the label, or dna_bin", nullable=False, allowed=(*RANKS, "dna_bin")),
        Column("subset", _TEXT, "which of the queries count", nullable=False, allowed=EVALUATED_SUBSETS),
        Column("metric", _TEXT, "what is counted", nullable=False, allowed=EVALUATION_METRICS),
        Column("value", pl.Float64(), "the score; missing: not applicable, see note", minimum=-1, maximum=1),
        Column("low", pl.Float64(), "lower end of the 95 % interval, by bootstrap over queries", minimum=-1, maximum=1),
        Column(
            "high", pl.Float64(), "upper end of the 95 % interval, by bootstrap over queries", minimum=-1, maximum=1
        ),
        Column(
            "majority",
            pl.Float64(),
            "the score of always answering the commonest label of the keys",
            minimum=-1,
            maximum=1,
        ),
        Column("shuffled", pl.Float64(), "the score with the labels of the keys shuffled", minimum=-1, maximum=1),
        Column(
            "chance",
            pl.Float64(),
            "the score of answers that are drawn from the labels of the keys; of AMI, 0",
            minimum=0,
            maximum=1,
        ),
        Column("n", pl.Int64(), "queries that count", nullable=False, minimum=0),
        Column("classes", pl.Int64(), "labels that occur among them", nullable=False, minimum=0),
        Column("n_keys", pl.Int64(), "references, or rows of the training", nullable=False, minimum=0),
        Column(
            "cpu_seconds",
            pl.Float64(),
            "processor time of the model for this task",
            minimum=0,
        ),
        Column("seed", pl.Int64(), "seed of what is drawn", nullable=False, minimum=0),
        Column("note", _TEXT, "why there is no score, or how it was made"),
        Column("versions", _TEXT, "libraries that the score rests on", nullable=False),
        Column("release", _TEXT, "name and version of the release", nullable=False),
        Column("digest", _TEXT, "sha256 of its manifest.json", nullable=False, pattern="^[0-9a-f]{64}$"),
    ),
)
EVALUATION_DOUBTS = Table(
    "evaluation_doubts",
    "a specimen whose nearest neighbours all have another label",
    ("processid",),
    (
        _PROCESSID,
        Column("split", _TEXT, "partition", nullable=False, allowed=SPLITS),
        Column("rank", _TEXT, "the highest rank at which they do", nullable=False, allowed=RANKS),
        Column("label", _TEXT, "label of the specimen at this rank", nullable=False),
        Column("neighbours_say", _TEXT, "label that most of the neighbours have", nullable=False),
        Column("saying", pl.Int64(), "specimens among the neighbours with this label", nullable=False, minimum=1),
        Column("neighbours", pl.Int64(), "specimens among the neighbours with a label", nullable=False, minimum=1),
        Column(
            "distance",
            pl.Float64(),
            "to the nearest of them: differing columns over those that both barcodes have",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        Column("images", pl.Int64(), "nearest images with a label; missing: it has no image", minimum=0),
        Column("images_agreeing", pl.Int64(), "nearest images that have the label of the specimen", minimum=0),
        Column("images_saying", pl.Int64(), "nearest images that have the label of the neighbours", minimum=0),
    ),
)

EVALUATION_UNREAD = Table(
    "evaluation_unread",
    "a specimen whose image no benchmark could read",
    ("processid",),
    (_PROCESSID, Column("reason", _TEXT, "why", nullable=False)),
)

TABLES = (
    RECORDS,
    REJECTS,
    SET_ASIDE,
    IMAGE_INDEX,
    BOXES,
    CROPS,
    CHECKED_BARCODES,
    PLACEMENTS,
    BARCODES,
    BARCODE_IDS,
    CHECKED_GEOGRAPHY,
    NORMALISED_NAMES,
    SPECIMENS,
    CURATED,
    CHANGES,
    QUARANTINE,
    DECISIONS,
    DECISION_EFFECTS,
    DECISION_LOG,
    PROPOSALS,
    DOUBTS,
    VERIFICATION,
    PARTITIONS,
    PARTITION_MEMORY,
    PARTITION_MOVES,
    RELEASE_DIFF,
    METADATA,
    METADATA_EXTENDED,
    BBOX,
    LABELS,
    LABEL_HIERARCHY,
    EVALUATION,
    EVALUATION_DOUBTS,
    EVALUATION_UNREAD,
)


def data_dictionary(table: Table) -> str:
    """The table as a Markdown data dictionary, one line per column."""
    lines = ["| column | type | unit | missing | meaning |", "|---|---|---|---|---|"]
    for column in table.columns:
        meaning = column.meaning + (f" ({', '.join(column.allowed)})" if column.allowed else "")
        missing = "yes" if column.nullable else "no"
        lines.append(f"| `{column.name}` | {column.dtype} | {column.unit} | {missing} | {meaning} |")
    return "\n".join(lines)
