"""Cases 05, 07, 09 and 18 of `../shared/cases`, and one table in every layout and container."""

import csv
import gzip
import io
import json
import tarfile
import zipfile

import polars as pl
import pytest
from cases import release_of
from polars.testing import assert_frame_equal

import bioscan_etl
from bioscan_etl.records.extract import extract
from bioscan_etl.records.layouts import ALIASES, GENERATIONS, REQUIRED, recognise
from bioscan_etl.records.sources import RecordsFile, expand
from bioscan_etl.settings import RecordSettings
from bioscan_etl.vocabulary import RANKS

PROVENANCE = ("source_file", "source_line", "snapshot_date")


def raw_table(tmp_path, *locations, **chosen):
    """Counts and records of some locations, without where they come from."""
    files = [RecordsFile(file) for location in locations for file in expand(str(location))]
    counts = extract(files, "b", RecordSettings(**chosen), tmp_path / "extracted")
    records = pl.read_parquet(tmp_path / "extracted" / "records.parquet").drop(PROVENANCE)
    return counts, records.sort("processid")


@pytest.mark.parametrize(
    ("case", "other", "damage"),
    [
        ("05-json-lines-of-v4-names/records.jsonl", "05-json-lines-of-v4-names/same_rows.tsv", {}),
        ("07-excel-quoted-fields/records.tsv", "07-excel-quoted-fields/before_excel.tsv", {"quoted_fields": 3}),
        ("09-cr-only-line-ends/records.tsv", "07-excel-quoted-fields/before_excel.tsv", {"cr_line_ends": 3}),
    ],
)
def test_a_file_of_another_program_gives_the_same_records(shared_cases, tmp_path, case, other, damage):
    counts, records = raw_table(tmp_path, shared_cases / case)
    _, expected = raw_table(tmp_path, shared_cases / other)
    assert_frame_equal(records, expected)
    assert counts.sources[0].damage == damage
    assert counts.rows_read == records.height


def test_a_latin1_file_keeps_its_rows_and_letters(shared_cases, tmp_path):
    file = shared_cases / "18-latin1-file" / "records.tsv"
    for chosen in ({}, {"encoding": "latin-1"}):
        counts, records = raw_table(tmp_path, file, **chosen)
        assert counts.rows_read == records.height == 8
        assert counts.sources[0].damage == {"other_encoding": 8}
        assert "J. Müller" in records["collectors"].to_list()
        assert records["flags"].list.len().sum() == 0
    counts, records = raw_table(tmp_path, file, encoding="utf-8")
    assert counts.sources[0].damage == {"text_undecodable": 4}
    assert records.height == 8
    assert records["flags"].list.contains("TEXT_UNDECODABLE").sum() == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "file", "other"),
    [("05-json-lines-of-v4-names", "records.jsonl", "same_rows.tsv"), ("07-excel-quoted-fields", "records.tsv", None)],
)
def test_the_release_is_that_of_the_other_file(shared_cases, tmp_path, case, file, other):
    first = release_of(shared_cases, case, tmp_path / "first", file)
    second = release_of(shared_cases, case, tmp_path / "second", other or "before_excel.tsv")
    # A batch is named after its file.
    assert first.rows().drop("batch").equals(second.rows().drop("batch"))


def test_a_run_on_a_file_of_which_nothing_can_be_read_is_an_error(tmp_path):
    header = "\t".join([*REQUIRED])
    (tmp_path / "t.tsv").write_text(f"{header}\n" + "None\tCOI-5P\tACGT\tNone" + "\tA" * 7 + "\n")
    outcome = bioscan_etl.run(tmp_path / "out", records=[tmp_path / "t.tsv"])
    assert outcome.release is None
    assert "no_processid" in str(outcome.failed)


# One table, in every layout and container.

ROWS = [
    {
        "processid": f"AAA00{number}-20",
        "sampleid": f"S-0{number}",
        "museumid": ["M 1", None, "12"][number % 3],
        "marker_code": "COI-5P",
        "nuc": "ACGTTGCA" * 20 + "ACGT" * number,
        "bin_uri": "BOLD:AAA0001",
        **{rank: f"{rank.title()}a" for rank in RANKS[:6]},
        "species": ["Genusa alba", None, "Genusa sp. Málaga"][number % 3],
        "country/ocean": ["Namibia", "Norway", None][number % 3],
        "province/state": ["Khomas", "Trøndelag", None][number % 3],
        "coord": ["[53.59, -106.278]", None, "[-1.5, 20.25]"][number % 3],
        "collection_date_end": ["2020-02-28", None, "2019-07-01"][number % 3],
        "notes": ['6" net', "a, b; c", None][number % 3],
    }
    for number in range(6)
]
COLUMNS = list(ROWS[0])
_NAMED = {
    "BOLD v3/v4 combined": {
        **{rank: f"{rank}_name" for rank in RANKS},
        "museumid": "catalognum",
        "marker_code": "markercode",
        "nuc": "nucleotides",
        "country/ocean": "country",
        "province/state": "province_state",
        "coord": ("lat", "lon"),
        "collection_date_end": "collectiondate_end",
    },
    "iBOL phase release": {
        **{rank: f"{rank}_reg" for rank in RANKS},
        "bin_uri": "bin_guid",
        "nuc": "nucraw",
        "country/ocean": "country_reg",
        "province/state": "province_reg",
        "coord": ("lat", "lon"),
        "collection_date_end": "collectiondate",
    },
    "BIOSCAN working table": {
        "nuc": "nucraw",
        "bin_uri": "uri",
        "country/ocean": "country",
        "coord": ("coord-lat", "coord-lon"),
    },
    "BCDM API 2026": {"country/ocean": "country.ocean", "province/state": "province.state"},
    "BCDM 2025": {"+": ("collection_date_start", "sovereign_inst")},
    "BCDM Jun-2024": {"+": ("collection_date_start", "taxon_name")},
    "BCDM Apr-2024": {
        "province/state": "province",
        "collection_date_end": "collection_date",
        "+": ("insdc_acs",),
    },
    "BCDM 2023": {
        "nuc": "nucraw",
        "country/ocean": "country",
        "province/state": "province",
        "collection_date_end": "collection_date",
    },
    "BCDM, other columns": {},
}


def in_layout(generation):
    """The rows under the names of a layout."""
    names = _NAMED[generation]
    made = []
    for row in ROWS:
        named = {}
        for column, value in row.items():
            name = names.get(column, column)
            if isinstance(name, tuple):
                pair = value.strip("[]").split(", ") if value else (None, None)
                named |= dict(zip(name, pair, strict=True))
            else:
                named[name] = value
        made.append(named | dict.fromkeys(names.get("+", ()), "2019-01-01"))
    return made


def as_tsv(rows):
    lines = ["\t".join(rows[0]), *("\t".join(value or "None" for value in row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def as_csv(rows, encoding="utf-8", **kind):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), **kind)
    writer.writeheader()
    writer.writerows({name: value or "" for name, value in row.items()} for row in rows)
    return text.getvalue().encode(encoding)


def as_json(rows):
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def as_sparse_json(rows):
    """As the API writes it: without keys of missing values."""
    return as_json([{name: value for name, value in row.items() if value is not None} for row in rows])


def as_parquet(rows):
    stream = io.BytesIO()
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(stream)
    return stream.getvalue()


def as_typed_parquet(rows):
    """Coordinates as lists, dates as dates, texts as categories."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    typed = []
    for name in frame.columns:
        value = pl.col(name)
        if name == "coord":
            numbers = value.str.strip_chars("[]").str.split(", ").list.eval(pl.element().cast(pl.Float64))
            value = pl.when(value.is_null()).then(pl.lit([None, None], pl.List(pl.Float64))).otherwise(numbers)
        elif name in {"lat", "lon", "coord-lat", "coord-lon"}:
            value = value.cast(pl.Float64)
        elif name.startswith(("collection_date", "collectiondate")):
            value = value.cast(pl.String).str.to_datetime("%Y-%m-%d")
        elif "phylum" in name:
            value = value.cast(pl.Categorical)
        typed.append(value.alias(name))
    stream = io.BytesIO()
    frame.select(typed).write_parquet(stream)
    return stream.getvalue()


def zipped(name, data):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"folder/{name}", data)
    return stream.getvalue()


def tarred(name, data, mode="w"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        member = tarfile.TarInfo(f"folder/{name}")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


TEXTS = {
    "t.tsv": as_tsv,
    "crlf.tsv": lambda rows: as_tsv(rows).replace(b"\n", b"\r\n"),
    "cr.tsv": lambda rows: as_tsv(rows).replace(b"\n", b"\r"),
    "bom.tsv": lambda rows: b"\xef\xbb\xbf" + as_tsv(rows),
    "utf16.tsv": lambda rows: as_tsv(rows).decode().encode("utf-16"),
    "latin1.tsv": lambda rows: as_tsv(rows).decode().encode("latin-1"),
    "excel.tsv": lambda rows: as_csv(rows, dialect="excel-tab"),
    "quoted.tsv": lambda rows: as_csv(rows, delimiter="\t", quoting=csv.QUOTE_ALL),
    "semicolon.tsv": lambda rows: as_csv(rows, delimiter=";"),
    "comma.tsv": lambda rows: b"sep=,\r\n" + as_csv(rows),
    "t.jsonl": as_json,
    "sparse.jsonl": as_sparse_json,
    "t.parquet": as_parquet,
    "typed.parquet": as_typed_parquet,
}
CONTAINERS = {
    "plain": lambda name, data: (name, data),
    "gz": lambda name, data: (f"{name}.gz", gzip.compress(data)),
    "zip": lambda name, data: ("t.zip", zipped(name, data)),
    "tar": lambda name, data: ("t.tar", tarred(name, data)),
    "tar.gz": lambda name, data: ("t.tar.gz", tarred(name, data, "w:gz")),
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The raw table of each layout from its plain TSV: the same values wherever the layout has the column."""
    folder = tmp_path_factory.mktemp("expected")
    found = {}
    for generation in _NAMED:
        (folder / "t.tsv").write_bytes(as_tsv(in_layout(generation)))
        counts, found[generation] = raw_table(folder, folder / "t.tsv")
        assert counts.layouts == {"t.tsv": generation}
        assert found[generation].select(COLUMNS).rows(named=True) == ROWS
    return found


def test_every_layout_is_in_the_table():
    assert set(_NAMED) == {kind.name for kind in GENERATIONS}
    for generation in _NAMED:
        assert recognise(list(in_layout(generation)[0])).generation == generation
    assert len({source for source, _ in ALIASES}) == len(ALIASES)


ALWAYS = {"BOLD v3/v4 combined", "BCDM 2025"}, {"t.tsv", "t.jsonl", "sparse.jsonl", "typed.parquet"}
PAIRS = [
    pytest.param(generation, name, marks=() if generation in ALWAYS[0] or name in ALWAYS[1] else pytest.mark.slow)
    for generation in _NAMED
    for name in TEXTS
]


@pytest.mark.parametrize(("generation", "name"), PAIRS)
def test_every_layout_in_every_format_gives_the_same_table(tmp_path, expected, generation, name):
    rows = in_layout(generation)
    (tmp_path / name).write_bytes(TEXTS[name](rows))
    counts, records = raw_table(tmp_path, tmp_path / name)
    assert counts.layouts[name] == generation or name == "sparse.jsonl"
    assert_frame_equal(records, expected[generation], check_column_order=False)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", ["t.tsv", "excel.tsv", "t.jsonl", "t.parquet"])
def test_every_format_in_every_container_gives_the_same_table(tmp_path, expected, container, name):
    generation = "BOLD v3/v4 combined"
    file, data = CONTAINERS[container](name, TEXTS[name](in_layout(generation)))
    (tmp_path / "delivery").mkdir()
    (tmp_path / "delivery" / file).write_bytes(data)
    for location in (tmp_path / "delivery" / file, tmp_path / "delivery"):
        _, records = raw_table(tmp_path, location)
        assert_frame_equal(records, expected[generation])


@pytest.mark.parametrize("name", ["t.tsv", "t.jsonl", "t.parquet"])
def test_the_web_gives_the_same_table(tmp_path, expected, web_folder, name):
    generation = "BOLD v3/v4 combined"
    (tmp_path / name).write_bytes(TEXTS[name](in_layout(generation)))
    _, records = raw_table(tmp_path, f"{web_folder(tmp_path)}/{name}")
    assert_frame_equal(records, expected[generation])


def test_s3_gives_the_same_table(tmp_path, expected, s3):
    generation = "BOLD v3/v4 combined"
    for name in ("t.tsv", "t.jsonl", "t.parquet"):
        s3.put_object(Bucket="deliveries", Key=f"{name}/{name}", Body=TEXTS[name](in_layout(generation)))
        for location in (f"s3://deliveries/{name}/{name}", f"s3://deliveries/{name}/"):
            _, records = raw_table(tmp_path, location)
            assert_frame_equal(records, expected[generation])
