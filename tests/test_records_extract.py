import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import date

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SourceError
from bioscan_etl.records import extract as module
from bioscan_etl.records import scratch
from bioscan_etl.records.extract import extract
from bioscan_etl.records.sources import RecordsFile
from bioscan_etl.schema import RECORDS, REJECTS, SET_ASIDE
from bioscan_etl.settings import RecordSettings

_COLUMNS = """
processid marker_code nuc bin_uri phylum class order family subfamily genus species
sequence_upload_date
"""
COLUMNS = _COLUMNS.split()
PROVENANCE = ("batch", "source_file", "source_line", "snapshot_date", "flags", "verbatim")
SETTINGS = RecordSettings()
TABLES = ("records", "set_aside", "rejects")


def table(*rows, extra=()):
    """A TSV of (processid, marker, nuc[, upload date[, extra values…]]) rows; other fields are constant."""
    lines = ["\t".join([*COLUMNS, *extra])]
    for processid, marker, nuc, *more in rows:
        uploaded, *values = more or ["2020-01-01"]
        lines.append("\t".join([processid, marker, nuc, "None", *["A"] * 7, uploaded, *values]))
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def run(tmp_path):
    def run(sources, order=None, dates=None, **chosen):
        """Extract {name: bytes}; returns the counts and the three tables."""
        for name, data in sources.items():
            (tmp_path / name).write_bytes(data)
        files = [RecordsFile(str(tmp_path / name), (dates or {}).get(name)) for name in order or sources]
        counts = extract(files, "batch-1", SETTINGS.model_copy(update=chosen), tmp_path / "out")
        frames = [pl.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in TABLES]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
            f"{name}.parquet" for name in TABLES
        )
        return counts, *frames

    return run


def read_bytes(folder):
    return {name: (folder / f"{name}.parquet").read_bytes() for name in TABLES}


def test_one_row_per_process_id_and_the_rest_by_reason(run):
    rows = [
        ("B-1", "COI-5P", "ACGT"),
        ("A-1", "COI-5P", "ACGT--"),
        ("A-1", "COI-5P", "ACGTA"),
        ("A-1", "28S", "ACGTACGTACGT"),
        ("C-1", "28S", "ACGT"),
        ("../../x", "COI-5P", "ACGT"),
        ("D-1", "None", "ACGT"),
    ]
    counts, records, set_aside, rejects = run({"t.tsv": table(*rows) + b"too few\n"})
    assert records.schema == RECORDS.schema()
    assert set_aside.schema == SET_ASIDE.schema()
    assert rejects.schema == REJECTS.schema()
    assert records.select("processid", "nuc", "source_line").rows() == [("B-1", "ACGT", 2), ("A-1", "ACGTA", 4)]
    assert set_aside.select("processid", "source_line", "reason", "kept_batch", "kept_record_id").rows() == [
        ("A-1", 5, "other_marker", "batch-1", "A-1.COI-5P"),
        ("A-1", 3, "duplicate_marker_row", "batch-1", "A-1.COI-5P"),
        ("C-1", 6, "other_marker", None, None),
        ("D-1", 8, "other_marker", None, None),
    ]
    assert rejects.select("source_line", "reason").rows() == [(7, "unsafe_processid"), (9, "field_count")]
    assert counts.as_dict() == {
        "rows_read": 8,
        "records": 2,
        "set_aside": {"other_marker": 3, "duplicate_marker_row": 1, "superseded": 0},
        "rejected": {
            "field_count": 1,
            "no_processid": 0,
            "unsafe_processid": 1,
            "undecodable": 0,
            "not_json": 0,
            "truncated_file": 0,
            "no_specimen": 0,
        },
        "sources": [
            {
                "name": "t.tsv",
                "layout": "BCDM, other columns",
                "snapshot_date": "2020-01-01",
                "rows_read": 8,
                "extra": [],
                "absent": [name for name in RECORDS.names() if name not in (*COLUMNS, *PROVENANCE)],
                "damage": {},
                "refused": None,
            }
        ],
    }
    assert counts.layouts == {"t.tsv": "BCDM, other columns"}
    assert json.dumps(counts.as_dict())


@pytest.mark.parametrize(
    ("sequences", "best"),
    [
        (["ACGT", "ACGTA"], 1),
        (["ACGT----", "ACGTA"], 1),
        (["ACGTN", "ACGTA"], 1),
        (["acgta", "ACGTN"], 0),
        (["ACGTA", "ACGTA"], 0),
        (["None", "A"], 1),
    ],
)
def test_the_best_sequence_stands(run, sequences, best):
    _, records, _, _ = run({"t.tsv": table(*(("A-1", "COI-5P", nuc) for nuc in sequences))})
    assert records["source_line"].item() == best + 2


def test_the_later_snapshot_wins_whatever_its_sequence_and_the_order(run):
    new, old = table(("A-1", "COI-5P", "AC")), table(("A-1", "COI-5P", "ACGT"))
    sources = {"BOLD_Public.21-Jun-2024.tsv": new, "BOLD_Public.18-Dec-2023.tsv": old}
    for order in (list(sources), list(sources)[::-1]):
        _, records, set_aside, _ = run(sources, order)
        assert records.select("nuc", "snapshot_date").row(0) == ("AC", date(2024, 6, 21))
        assert set_aside.select("reason", "snapshot_date").row(0) == ("superseded", date(2023, 12, 18))


def test_where_the_snapshot_date_comes_from(run, tmp_path):
    body = table(("A-1", "COI-5P", "AC", "28-Feb-2019"), ("A-2", "COI-5P", "AC", "2018-01-01"))
    name = "BOLD_Public.21-Jun-2024.tsv"
    given_date = {name: date(2025, 2, 3)}

    def found(*arguments, **options):
        return run(*arguments, **options)[1]["snapshot_date"][0]

    assert found({"t.tsv": body}) == date(2019, 2, 28)
    assert found({name: body}) == date(2024, 6, 21)
    descriptor = {"name": "bold_public.01-jul-2024", "resources": [{"path": name}]}
    (tmp_path / "datapackage.json").write_text(json.dumps(descriptor))
    assert found({name: body}) == date(2024, 7, 1)
    assert found({name: body}, dates=given_date) == date(2025, 2, 3)


def test_descriptor_inside_an_archive(run):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("data/a.tsv", table(("A-1", "COI-5P", "AC")))
        archive.writestr("data/datapackage.json", json.dumps({"name": "bold_public.05-apr-2024"}))
    counts, records, _, _ = run({"a.zip": stream.getvalue()})
    assert records.select("source_file", "snapshot_date").row(0) == ("data/a.tsv", date(2024, 4, 5))
    assert counts.sources[0].name == "data/a.tsv"


def test_unknown_columns_of_all_files_are_kept(run):
    one = table(("A-1", "COI-5P", "AC", "2020-01-01", "happy", "x"), extra=("mood", "batch"))
    two = table(("A-2", "COI-5P", "AC", "2020-01-01", "None"), extra=("age",))
    for order in (["1.tsv", "2.tsv"], ["2.tsv", "1.tsv"]):
        _, records, _, _ = run({"1.tsv": one, "2.tsv": two}, order)
        assert records.columns == [*RECORDS.names(), "extra:age", "extra:batch", "extra:mood"]
        assert records["extra:mood"].to_list() == ["happy", None]
        assert records["batch"].to_list() == ["batch-1"] * 2


def test_a_cut_file_keeps_the_rows_before_and_rejects_the_rest_as_one(run):
    data = gzip.compress(table(*((f"A-{number * 7919}", "COI-5P", "ACGT") for number in range(5000))))
    counts, records, _, rejects = run({"t.tsv.gz": data[: len(data) // 2]})
    assert 1000 < records.height < 4000
    assert records["source_line"].sort().to_list() == list(range(2, records.height + 2))
    assert rejects.select("reason", "source_line").rows() == [("truncated_file", records.height + 2)]
    assert "ends early" in rejects["detail"].item()
    assert counts.rows_read == records.height + 1


def test_an_archive_cut_between_its_tables(run):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tsv", table(("A-1", "COI-5P", "AC")))
        first = archive.getinfo("a.tsv").file_size and stream.tell()
        archive.writestr("b.tsv", table(("A-2", "COI-5P", "AC")))
    counts, records, _, rejects = run({"a.zip": stream.getvalue()[: first + 10]})
    assert records["processid"].to_list() == ["A-1"]
    assert rejects["reason"].to_list() == ["truncated_file"]
    assert counts.rows_read == 2


def test_no_rows_of_the_marker(run):
    counts, records, set_aside, rejects = run({"t.tsv": table(("A-1", "28S", "AC"))})
    assert (records.height, set_aside.height, rejects.height) == (0, 1, 0)
    assert records.schema == RECORDS.schema()
    assert counts.rows_read == 1


def test_a_delivery_without_records_gives_empty_tables(tmp_path):
    assert extract([], "batch-1", SETTINGS, tmp_path).rows_read == 0
    assert [pl.read_parquet(tmp_path / f"{name}.parquet").height for name in TABLES] == [0, 0, 0]


def test_the_marker_is_a_setting(run):
    _, records, _, _ = run({"t.tsv": table(("A-1", "28S", "AC"), ("A-1", "COI-5P", "AC"))}, marker="28S")
    assert records["marker_code"].to_list() == ["28S"]


def test_an_unusable_file_leaves_nothing_behind(tmp_path, run):
    counts, *_ = run({"t.tsv": table(("A-1", "COI-5P", "AC"))})
    before = read_bytes(tmp_path / "out")
    (tmp_path / "odd.tsv").write_bytes(b"a\tb\n1\t2\n")
    files = [RecordsFile(str(tmp_path / name)) for name in ("t.tsv", "odd.tsv")]
    with pytest.raises(SourceError, match=r"odd\.tsv has an unknown layout"):
        extract(files, "b", SETTINGS, tmp_path / "out")
    assert read_bytes(tmp_path / "out") == before
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert counts.records == 1


def test_progress_is_told(tmp_path):
    (tmp_path / "t.tsv").write_bytes(table(("A-1", "COI-5P", "AC")))
    told = []
    extract(
        [RecordsFile(str(tmp_path / "t.tsv"))],
        "b",
        SETTINGS,
        tmp_path / "out",
        lambda stage, done, total=None: told.append((stage, done, total)),
    )
    assert told[-1] == ("records", 1, None)


def test_rows_on_disk_give_the_same_bytes(run, tmp_path, monkeypatch):
    rows = [
        (f"A-{number * 7919 % 3001}", "COI-5P" if number % 5 else "28S", "ACGT" * (number % 4))
        for number in range(4000)
    ]
    sources = {f"{part}.tsv": table(*rows[part::3], extra=()) + b"bad\n" * 400 for part in range(3)}
    run(sources, chunk_bytes=1 << 16)
    expected = read_bytes(tmp_path / "out")
    monkeypatch.setattr(scratch, "HELD_BYTES", 1 << 11)
    monkeypatch.setattr(module, "CONTESTED_ROWS", 700)
    spilled = []
    write = pl.DataFrame.write_parquet
    monkeypatch.setattr(
        pl.DataFrame, "write_parquet", lambda self, path, **kw: spilled.append(path) or write(self, path, **kw)
    )
    run(sources, ["2.tsv", "0.tsv", "1.tsv"], chunk_bytes=1 << 16)
    for kind in ("rows", "others", "bad"):
        assert sum(f"{kind}-" in str(path) for path in spilled) > 2
    assert read_bytes(tmp_path / "out") == expected


fields = st.tuples(
    st.sampled_from(["A-1", "A-2", "A-3", "None", "../x"]),
    st.sampled_from(["COI-5P", "28S", "None"]),
    st.sampled_from(["ACGT", "AC--", "ACNN", "None"]),
)


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.lists(fields, max_size=6), min_size=1, max_size=4), st.binary(max_size=30), st.randoms())
def test_any_rows_in_any_order_balance_and_give_the_same_bytes(tmp_path_factory, tables, noise, random):
    folder = tmp_path_factory.mktemp("any")
    files = []
    for number, rows in enumerate(tables):
        path = folder / f"{number}.tsv"
        path.write_bytes(table(*rows) + noise)
        files.append(RecordsFile(str(path), random.choice([None, date(2024, 1, 1)])))
    counts = extract(files, "b", SETTINGS, folder / "one")
    random.shuffle(files)
    assert extract(files, "b", SETTINGS, folder / "two") == counts
    assert read_bytes(folder / "one") == read_bytes(folder / "two")
    fit = {processid for rows in tables for processid, marker, _ in rows if marker == "COI-5P" and processid[0] == "A"}
    assert counts.records >= len(fit)


def test_real_files_together(shared_data, tmp_path):
    names = ["BOLD_Public.18-Dec-2023.head.tsv", "BOLD_Public.21-Jun-2024.NL.tsv", "chironominae_norway_2025.tsv"]
    files = [RecordsFile(str(shared_data / "bold" / name)) for name in names]
    counts = extract(files, "b", SETTINGS, tmp_path / "one")
    assert (counts.rows_read, counts.records) == (3520, 3121)
    assert counts.set_aside == {"other_marker": 358, "duplicate_marker_row": 0, "superseded": 41}
    assert sum(counts.rejected.values()) == 0
    assert list(counts.layouts.values()) == ["BCDM 2023", "BCDM Jun-2024", "BCDM 2025"]
    records = pl.read_parquet(tmp_path / "one" / "records.parquet")
    assert records.filter(pl.col("source_file") == names[2])["country_iso"].unique().to_list() == ["NO"]
    assert records.equals(records.sort("snapshot_date", "source_line"))
    assert records["processid"].n_unique() == 3121
    set_aside = pl.read_parquet(tmp_path / "one" / "set_aside.parquet")
    assert set_aside.filter(pl.col("reason") == "superseded")["source_file"].unique().to_list() == [names[0]]

    code = (
        "import sys; from pathlib import Path; from bioscan_etl.records.extract import extract\n"
        "from bioscan_etl.records.sources import RecordsFile; from bioscan_etl.settings import RecordSettings\n"
        "extract([RecordsFile(f) for f in sys.argv[2:]], 'b', RecordSettings(chunk_bytes=1 << 16), Path(sys.argv[1]))"
    )
    for threads in ("1", "2"):
        out = tmp_path / threads
        subprocess.run(
            [sys.executable, "-c", code, str(out), *(file.location for file in files[::-1])],
            check=True,
            env={**os.environ, "POLARS_MAX_THREADS": threads},
        )
        assert read_bytes(out) == read_bytes(tmp_path / "one")


def test_the_scratch_folder_of_a_killed_run_is_cleared(run, tmp_path):
    (tmp_path / "out" / module._SCRATCH).mkdir(parents=True)
    (tmp_path / "out" / module._SCRATCH / "run-0.parquet").write_bytes(b"half")
    counts, *_ = run({"t.tsv": table(("A-1", "COI-5P", "AC"))})
    assert counts.records == 1


def test_s3_and_a_folder_give_the_same_bytes(s3, run, tmp_path):
    """All but the descriptor beside: the name says the snapshot."""
    data = table(("A-1", "COI-5P", "AC"), ("A-2", "28S", "AC"), ("NA", "COI-5P", "AC"))
    name = "BOLD_Public.21-Jun-2024.tsv"
    counts, *_ = run({name: data})
    s3.put_object(Bucket="deliveries", Key=f"records/{name}", Body=data)
    again = extract([RecordsFile(f"s3://deliveries/records/{name}")], "batch-1", SETTINGS, tmp_path / "s3")
    assert again == counts
    assert counts.rejected["unsafe_processid"] == 1
    assert read_bytes(tmp_path / "s3") == read_bytes(tmp_path / "out")


def test_a_web_address_gives_the_same_bytes(run, tmp_path, web_folder):
    data = gzip.compress(table(*((f"A-{number * 7919}", "COI-5P", "ACGT" * 50) for number in range(5000))))
    name = "BOLD_Public.21-Jun-2024.tsv.gz"
    counts, *_ = run({name: data})
    address = web_folder(tmp_path) + f"/{name}?token=x"
    again = extract([RecordsFile(address)], "batch-1", SETTINGS, tmp_path / "web")
    assert again == counts
    assert read_bytes(tmp_path / "web") == read_bytes(tmp_path / "out")


def test_the_descriptor_beside_a_web_address_is_read(run, tmp_path, web_folder):
    (tmp_path / "t.tsv").write_bytes(table(("A-1", "COI-5P", "AC")))
    descriptor = {"name": "bold_public.01-jul-2024", "resources": [{"path": "t.tsv"}]}
    (tmp_path / "datapackage.json").write_text(json.dumps(descriptor))
    address = web_folder(tmp_path) + "/t.tsv?format=tsv"
    counts = extract([RecordsFile(address)], "b", SETTINGS, tmp_path / "web")
    assert counts.sources[0].snapshot_date == date(2024, 7, 1)


def test_a_batch_of_two_formats_and_layouts(run):
    rows = [
        {"processid": "A-1", "marker_code": "COI-5P", "nuc": "ACGT", "bin_uri": None, "coord": [1.5, 2]},
        {"processid": "B-1", "marker_code": "28S", "nuc": "ACGT", "bin_uri": None},
    ]
    text = "\n".join(json.dumps(row) for row in rows).encode()
    counts, records, set_aside, _ = run(
        {"1.tsv": table(("A-2", "COI-5P", "AC"), ("B-1", "COI-5P", "A")), "2.jsonl": text}
    )
    assert (counts.rows_read, counts.records) == (4, 3)
    assert records["processid"].sort().to_list() == ["A-1", "A-2", "B-1"]
    assert records.filter(pl.col("processid") == "A-1")["coord"].item() == "[1.5, 2]"
    assert set_aside.select("reason", "kept_record_id").row(0) == ("other_marker", "B-1.COI-5P")


def test_process_ids_of_one_hash_are_told_apart(run, monkeypatch):
    monkeypatch.setattr(
        pl.Expr, "hash", lambda self: pl.lit(7, pl.UInt64) + pl.lit(0, pl.UInt64) * self.str.len_bytes()
    )
    _, records, set_aside, _ = run({"t.tsv": table(*((f"A-{n % 5}", "COI-5P", "A" * n) for n in range(1, 12)))})
    assert records.select("processid", "source_line").sort("processid").rows() == [
        ("A-0", 11),
        ("A-1", 12),
        ("A-2", 8),
        ("A-3", 9),
        ("A-4", 10),
    ]
    assert set_aside.height == 6
