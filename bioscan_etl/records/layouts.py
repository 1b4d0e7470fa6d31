"""The layouts of BOLD records, as data, and how one is recognised by its header.

Belongs here: which source column is which column of `schema.RECORDS`. A new alias is one line of `ALIASES`.
Does not belong here: reading rows (`read`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bioscan_etl.errors import SourceError
from bioscan_etl.schema import RECORDS
from bioscan_etl.vocabulary import RANKS

COI = "COI-5P"

ALIASES: tuple[tuple[str, str], ...] = (
    # Packages of 2023 and, for some names, of 5 April 2024.
    ("nucraw", "nuc"),
    ("gb_acs", "insdc_acs"),
    ("country", "country/ocean"),
    ("province", "province/state"),
    ("collection_date", "collection_date_end"),
    ("extrainfo", "short_note"),
    ("collection_note", "collection_notes"),
    ("associated_specimen", "associated_specimens"),
    ("recordset_code_arr", "bold_recordset_code_arr"),
    # The API of 2026.
    ("country.ocean", "country/ocean"),
    ("province.state", "province/state"),
    # The BIOSCAN working table.
    ("uri", "bin_uri"),
    # BOLD v3 and v4, combined specimen and sequence data.
    ("fieldnum", "fieldid"),
    ("catalognum", "museumid"),
    ("institution_storing", "inst"),
    *((f"{rank}_name", rank) for rank in (*RANKS, "subspecies")),
    ("identification_provided_by", "identified_by"),
    ("tax_note", "taxonomy_notes"),
    ("voucher_status", "voucher_type"),
    ("collectiondate_start", "collection_date_start"),
    ("collectiondate_end", "collection_date_end"),
    ("collectiontime", "collection_time"),
    ("lifestage", "life_stage"),
    ("province_state", "province/state"),
    ("exactsite", "site"),
    ("markercode", "marker_code"),
    ("genbank_accession", "insdc_acs"),
    ("nucleotides", "nuc"),
    # The phase releases of iBOL, 2010 to 2016.
    ("bin_guid", "bin_uri"),
    ("vouchertype", "voucher_type"),
    ("inst_reg", "inst"),
    *((f"{rank}_reg", rank) for rank in RANKS),
    ("taxonomist_reg", "identified_by"),
    ("collectiondate", "collection_date_end"),
    ("coordsource", "coord_source"),
    ("country_reg", "country/ocean"),
    ("province_reg", "province/state"),
    ("region_reg", "region"),
    ("sector_reg", "sector"),
    ("site_reg", "site"),
    ("fundingsrc", "funding_src"),
    ("seq_update", "sequence_upload_date"),
    ("accession", "insdc_acs"),
    ("genbank accession", "insdc_acs"),
)

COORD_PAIRS: tuple[tuple[str, str], ...] = (("coord-lat", "coord-lon"), ("lat", "lon"))
"""Pairs of latitude and longitude columns that make one `coord`, as `[lat, lon]`."""

REQUIRED = ("processid", "marker_code", "nuc", "bin_uri", *RANKS)
"""Columns that every known layout has and every specimen needs."""

SEQUENCE = ("marker_code", "nuc")
"""Columns of `REQUIRED` that a specimen table lacks: they are in a FASTA file beside it (`sequences`)."""

EXTRA = "extra:"
"""Prefix of the columns that no layout knows."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One kind of BOLD table.

    Attributes:
        name: what it is called.
        signature: the source columns that identify it.
        implied: the values that follow from its kind.
        is_latin: it was published as ISO 8859-1.
    """

    name: str
    signature: frozenset[str]
    implied: Mapping[str, str] = field(default_factory=dict)
    is_latin: bool = False


IBOL = "iBOL phase release"
SPECIMENS_ONLY = "BOLD v3/v4 specimens"
"""Name of the layout whose sequences are in a FASTA file."""

GENERATIONS: tuple[Generation, ...] = (
    # They are releases of the barcode marker; their process IDs end in it (`AAA001-10.COI-5P`).
    Generation(IBOL, frozenset({"nucraw", "bin_guid"}), {"marker_code": COI}, is_latin=True),
    Generation("BOLD v3/v4 combined", frozenset({"markercode", "nucleotides"})),
    # The working table contains only barcodes of the BIOSCAN programme, so it names no marker.
    Generation("BIOSCAN working table", frozenset({"nucraw", "uri"}), {"marker_code": COI}),
    Generation("BCDM API 2026", frozenset({"nuc", "country.ocean"})),
    Generation("BCDM 2025", frozenset({"nuc", "collection_date_start", "sovereign_inst"})),
    Generation("BCDM Jun-2024", frozenset({"nuc", "collection_date_start", "taxon_name"})),
    Generation("BCDM Apr-2024", frozenset({"nuc", "collection_date", "insdc_acs"})),
    Generation("BCDM 2023", frozenset({"nucraw", "collection_date"})),
    Generation("BCDM, other columns", frozenset()),
)

_CANONICAL = frozenset(RECORDS.names()) - {
    *("batch", "source_file", "source_line", "snapshot_date"),
    *("flags", "verbatim"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How the columns of one file map onto `schema.RECORDS`.

    Attributes:
        generation: name of the generation that was recognised.
        header: the file's column names, in order, outer blanks trimmed.
        targets: per source column its canonical name, or `extra:<name>`; the two halves of a split
            coordinate carry the names `coord-lat` and `coord-lon`.
        mapping: source name to canonical name, of the known columns.
        extra: source names of the unknown columns, which are kept as `extra:<name>`.
        implied: canonical columns that the file lacks but whose value follows from its kind.
        absent: canonical columns of BCDM 2025 that the file does not have.
    """

    generation: str
    header: tuple[str, ...]
    targets: tuple[str, ...]
    mapping: Mapping[str, str]
    extra: tuple[str, ...]
    implied: Mapping[str, str]
    absent: tuple[str, ...]

    @property
    def split_coordinate(self) -> bool:
        """Whether latitude and longitude are in two columns."""
        return "coord-lat" in self.targets

    @property
    def lacks_sequences(self) -> bool:
        """Whether it is a table of specimens whose sequences are in a FASTA file."""
        return self.generation == SPECIMENS_ONLY


def generation_of(names: Collection[str]) -> Generation:
    """The generation whose signature the column names have."""
    return next(kind for kind in GENERATIONS if kind.signature <= set(names))


def recognise(header: Sequence[str], source: str = "the file", required: Sequence[str] = REQUIRED) -> Layout:
    """Recognise a table by its column names.

    A canonical name takes precedence over an alias, an earlier alias over a later one. A second column for the same
    name, or an unknown column, is kept as `extra:<name>`, a second one of that name as `extra:<name>.2`.

    Args:
        header: the column names in order.
        source: what to call the file in an error.
        required: canonical columns without which the layout is unknown. A table with all but those of `SEQUENCE`, or
            all but the sequence, is one of specimens, whose sequences are in a FASTA file.

    Raises:
        SourceError: a required column is missing, so the layout is unknown; names file and columns.
    """
    names = tuple(name.strip() for name in header)
    generation = generation_of(names)
    claims = _claims(names)
    claimed = set(claims.values())
    missing = [name for name in required if name not in claimed and name not in generation.implied]
    if missing and "nuc" not in claimed and set(missing) <= set(SEQUENCE):
        generation, missing = Generation(SPECIMENS_ONLY, frozenset()), []
    if missing:
        aliases = {name: [source for source, target in ALIASES if target == name] for name in missing}
        wanted = ", ".join(f"{name} (or {' or '.join(aliases[name])})" if aliases[name] else name for name in missing)
        shown = f"{len(names)} columns, the first {names[0][:40]!r}"
        raise SourceError(f"{source} has an unknown layout ({shown}): missing {wanted}; is it a tab-separated table?")
    targets, extra, seen = [], [], set(claimed)
    numbers: dict[str, int] = {}  # the last one of each name: a damaged header has thousands of columns of one name
    for position, name in enumerate(names):
        target = claims.get(position)
        if target is None:
            extra.append(name)
            target = stem = f"{EXTRA}{name or f'column {position + 1}'}"
            number = numbers.get(stem, 1)
            while target in seen:
                number += 1
                target = f"{stem}.{number}"
            numbers[stem] = number
            seen.add(target)
        targets.append(target)
    halves = {"coord-lat": "coord", "coord-lon": "coord"}
    mapping = {names[position]: halves.get(target, target) for position, target in claims.items()}
    known = {*mapping.values(), *generation.implied}
    absent = tuple(name for name in RECORDS.names() if name in _CANONICAL and name not in known)
    return Layout(
        generation=generation.name,
        header=names,
        targets=tuple(targets),
        mapping=MappingProxyType(mapping),
        extra=tuple(extra),
        implied=MappingProxyType(dict(generation.implied)),
        absent=absent,
    )


def extend(layout: Layout, late: Sequence[str]) -> Layout:
    """Add columns that occur only later in a table, as in JSON Lines.

    A canonical name or an alias fills its canonical column if the first lines did not; any other becomes
    `extra:<name>`. So the mapping of a late column depends only on its name and the first layout, not on other late
    columns. Two late columns may have the same target: `jsonlines` joins their values.

    Args:
        layout: the layout of the first lines of the table.
        late: names that are missing there.
    """
    filled = {*layout.mapping.values(), *layout.implied}
    names = sorted(late)
    if "coord" not in filled:
        # Half a coordinate is none: its other half may be in another block.
        names = sorted({*names, *(half for pair in COORD_PAIRS for half in pair if set(pair) & set(late))})
    targets = {name: target for name in names if (target := _TARGETS.get(name)) and _filled(target) not in filled}
    known = {name: _filled(target) for name, target in targets.items()}
    return replace(
        layout,
        header=(*layout.header, *names),
        targets=(*layout.targets, *(targets.get(name, f"{EXTRA}{name}") for name in names)),
        mapping=MappingProxyType({**layout.mapping, **known}),
        extra=(*layout.extra, *(name for name in names if name not in known)),
        absent=tuple(name for name in layout.absent if name not in known.values()),
    )


def _filled(target: str) -> str:
    """The column of `schema.RECORDS` that a target fills."""
    return "coord" if target in {"coord-lat", "coord-lon"} else target


_TARGETS: Mapping[str, str] = MappingProxyType(
    {
        **{name: half for pair in COORD_PAIRS for name, half in zip(pair, ("coord-lat", "coord-lon"), strict=True)},
        **dict(reversed(ALIASES)),
        **{name: name for name in sorted(_CANONICAL)},
    }
)
"""The canonical column of each known column name, in any layout."""


def _claims(names: Sequence[str]) -> dict[int, str]:
    """Position of a source column to the canonical column it fills, each filled once."""
    first: dict[str, int] = {}
    for position, name in enumerate(names):
        first.setdefault(name, position)
    claims: dict[int, str] = {}
    taken: set[str] = set()
    for source, target in (*((name, name) for name in sorted(_CANONICAL)), *ALIASES):
        if source in first and target not in taken:
            claims[first[source]] = target
            taken.add(target)
    if "coord" not in taken:
        for latitude, longitude in COORD_PAIRS:
            if latitude in first and longitude in first:
                claims[first[latitude]], claims[first[longitude]] = "coord-lat", "coord-lon"
                break
    return dict(sorted(claims.items()))
