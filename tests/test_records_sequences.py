import io
import zipfile

import polars as pl
import pytest

from bioscan_etl.errors import SourceError
from bioscan_etl.records.extract import extract
from bioscan_etl.records.inspect import inspect
from bioscan_etl.records.sequences import LAYOUT, read_fasta
from bioscan_etl.records.sources import RecordsFile, expand
from bioscan_etl.settings import RecordSettings
from bioscan_etl.vocabulary import RANKS

HEADER = "\t".join(["processid", "sampleid", "bin_uri", *(f"{rank}_name" for rank in RANKS), "lat", "lon"])
SPECIMENS = (
    "\n".join([HEADER, *(f"AAA00{n}-20\tS{n}\tBOLD:AAA0001" + "\tA" * 7 + "\t1.5\t2" for n in (1, 2, 3))]) + "\n"
)
FASTA = """>AAA001-20|Aedes vexans|COI-5P|JN123456
ACGT
ACGT
>AAA001-20|Aedes vexans|28S|JN123457
GGGG
>AAA001-20|Aedes vexans|COI-5P
ACG
>AAA002-20|Aedes vexans|COI-5P
AC--GTN
>AAA009-20|Aedes vexans|COI-5P
ACGT
"""


def check(counts, folder):
    assert counts.rows_read == 3 + 3
    assert counts.records == 3
    assert counts.set_aside == {"other_marker": 1, "duplicate_marker_row": 1, "superseded": 0}
    assert {reason: number for reason, number in counts.rejected.items() if number} == {"no_specimen": 1}
    records = pl.read_parquet(folder / "records.parquet").sort("processid")
    assert records.select("processid", "nuc", "insdc_acs", "coord", "species", "record_id").rows() == [
        ("AAA001-20", "ACGTACGT", "JN123456", "[1.5, 2]", "A", "AAA001-20.COI-5P"),
        ("AAA002-20", "AC--GTN", None, "[1.5, 2]", "A", "AAA002-20.COI-5P"),
        ("AAA003-20", None, None, "[1.5, 2]", "A", "AAA003-20.COI-5P"),
    ]
    rejects = pl.read_parquet(folder / "rejects.parquet")
    assert rejects.select("source_line", "reason", "raw_text").row(0) == (
        10,
        "no_specimen",
        ">AAA009-20|Aedes vexans|COI-5P",
    )


@pytest.mark.parametrize("names", [("a.tsv", "b.fas"), ("b.tsv", "a.fasta")])
def test_a_folder_and_an_archive_of_specimens_and_sequences(tmp_path, names):
    folder = tmp_path / "delivery"
    folder.mkdir()
    for name, data in zip(names, (SPECIMENS, FASTA), strict=True):
        (folder / name).write_text(data)
    files = [RecordsFile(file) for file in expand(str(folder))]
    assert inspect(files[names.index("b.fas") if "b.fas" in names else 0]) is LAYOUT
    check(extract(files, "b", RecordSettings(), tmp_path / "out"), tmp_path / "out")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(names):
            archive.write(folder / name, name)
    (tmp_path / "t.zip").write_bytes(stream.getvalue())
    file = RecordsFile(str(tmp_path / "t.zip"))
    assert inspect(file).lacks_sequences
    check(extract([file], "b", RecordSettings(), tmp_path / "zip"), tmp_path / "zip")


def test_one_without_the_other_is_an_error(tmp_path):
    (tmp_path / "t.tsv").write_text(SPECIMENS)
    (tmp_path / "t.fas").write_text(FASTA)
    with pytest.raises(SourceError, match="specimens without sequences"):
        extract([RecordsFile(str(tmp_path / "t.tsv"))], "b", RecordSettings(), tmp_path / "out")
    with pytest.raises(SourceError, match="sequences without a table"):
        extract([RecordsFile(str(tmp_path / "t.fas"))], "b", RecordSettings(), tmp_path / "out")


def test_headers():
    text = ">A-1.COI-5P\nAC\n\nGT\r\n>A-2|x|y|COI-5P|AB123456.1\n>A-3|x\nAC"
    found = read_fasta(iter([text.encode()]), "COI-5P", "t")
    assert found.select("source_line", "processid", "marker_code", "nuc", "insdc_acs").rows() == [
        (1, "A-1", "COI-5P", "ACGT", None),
        (5, "A-2", "COI-5P", None, "AB123456.1"),
        (6, "A-3", "COI-5P", "AC", None),
    ]
