"""Tables in files: partitions in row order, onward from an earlier assignment, and what is no table."""

import polars as pl
import pytest
from splits_growth import RELEASES, growing_corpus, release

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.cli import main
from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.schema import PARTITION_MEMORY, PARTITION_MOVES
from bioscan_etl.settings import SplitSettings, with_protocol
from bioscan_etl.splits.bioscan_5m import assign
from bioscan_etl.splits.files import split_table
from bioscan_etl.splits.partition import partition_onward

PUBLISHED, STABLE = SplitSettings(), SplitSettings(protocol="stable")
ROWS = [
    *[("Atta", "Atta cephalotes", barcode) for barcode in ("AA", *["AC"] * 3, *["C"] * 4)],
    *[("Atta", "Atta sp. 1", barcode) for barcode in ("GA", *["GC"] * 3, *["GG"] * 4)],
    (None, None, "NCN"),
    ("1e5", "true", "0012"),
    ("Atta", None, None),
]
TABLE = pl.DataFrame(
    [(f"P{(7 * i) % 19:02}-20", *row) for i, row in enumerate(ROWS)],
    schema=["processid", "genus", "species", "dna_barcode"],
    orient="row",
)
AS_BASES = {letter: f"{'ACGT'[n // 4]}{'ACGT'[n % 4]}" for n, letter in enumerate("0123456789VU")}
IDENTITIES = TABLE.with_columns(dna_barcode=barcode_identity(pl.col("dna_barcode")))


@pytest.mark.parametrize("source", ["table.csv", "table.parquet", "table.csv.gz", "table"])
@pytest.mark.parametrize("output", ["out.csv", "out.parquet", "new/folder/out.csv"])
def test_files_keep_the_order_of_rows(tmp_path, source, output):
    path = tmp_path / source
    if source.endswith(".parquet"):
        TABLE.with_columns(extra=pl.lit(1)).write_parquet(path)
    elif source.endswith(".gz"):
        import gzip

        path.write_bytes(gzip.compress(TABLE.write_csv().encode()))
    else:
        TABLE.with_columns(extra=pl.lit(1)).write_csv(path)
    returned = split_table(path, tmp_path / output, PUBLISHED).partitions
    written = (pl.read_parquet if output.endswith("parquet") else pl.read_csv)(tmp_path / output)
    assert written.equals(assign(IDENTITIES))
    assert returned.equals(written)


def test_everything_is_text_and_empty_is_missing(tmp_path):
    text = 'species,dna_barcode,processid,genus\n,AC,1,Atta\n12,AC,2,true\n,,3,\n"","GG",4,"x, y"\n'
    (tmp_path / "t.csv").write_text(text)
    split_table(tmp_path / "t.csv", tmp_path / "out.csv", PUBLISHED)
    assert (
        tmp_path / "out.csv"
    ).read_text() == "processid,split\n1,pretrain\n2,other_heldout\n3,pretrain\n4,pretrain\n"
    frame = pl.DataFrame({"processid": [1, 2], "genus": ["", "Atta"], "species": ["", None], "dna_barcode": ["", ""]})
    frame.with_columns(pl.col("genus").cast(pl.Categorical)).write_parquet(tmp_path / "t.parquet")
    split_table(tmp_path / "t.parquet", tmp_path / "out.parquet", PUBLISHED)
    assert pl.read_parquet(tmp_path / "out.parquet").rows() == [("1", "pretrain"), ("2", "pretrain")]


def test_a_header_alone_gives_a_header_alone(tmp_path):
    TABLE.clear().write_csv(tmp_path / "t.csv")
    split_table(tmp_path / "t.csv", tmp_path / "out.csv", PUBLISHED)
    assert (tmp_path / "out.csv").read_text() == "processid,split\n"


def test_missing_columns_are_named(tmp_path):
    TABLE.drop("genus", "species").write_csv(tmp_path / "t.csv")
    with pytest.raises(SourceError, match=r"t\.csv has no column genus, species; a table needs processid, genus"):
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", PUBLISHED)
    TABLE.drop("dna_barcode").write_parquet(tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="has no column dna_barcode"):
        split_table(tmp_path / "t.parquet", tmp_path / "out.csv", PUBLISHED)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"processid,genus,species,dna_barcode\nA,b\nC,d,e,f,g,h\n",
        b"processid,genus,species,dna_barcode\n\xff\xfe,\xff,\xff,\xff\n",
        b"PAR1 is not enough",
        b"\x00\x01\x02\x03",
        b"\x1f\x8b\x08\x00broken",
    ],
)
def test_files_that_are_no_table_are_one_line(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", PUBLISHED)
    assert str(tmp_path / "t.csv") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.csv").exists()


def test_absent_files_and_folders(tmp_path):
    with pytest.raises(SourceError, match=r"none\.csv cannot be read"):
        split_table(tmp_path / "none.csv", tmp_path / "out.csv", PUBLISHED)
    with pytest.raises(SourceError, match="cannot be read"):
        split_table(tmp_path, tmp_path / "out.csv", PUBLISHED)


def test_a_failed_write_leaves_nothing(tmp_path):
    TABLE.write_csv(tmp_path / "t.csv")
    (tmp_path / "out.csv").mkdir()
    (tmp_path / "out.csv" / "kept").touch()
    with pytest.raises(OSError, match=r"out\.csv"):
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", PUBLISHED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "t.csv"]


def test_outputs_are_checked_first(tmp_path):
    with pytest.raises(SettingsError, match=r"neither \.csv nor \.parquet"):
        split_table(tmp_path / "none.csv", tmp_path / "out.txt", PUBLISHED)
    with pytest.raises(SettingsError, match="written twice"):
        split_table(tmp_path / "none.csv", tmp_path / "out.csv", STABLE, moves=tmp_path / "out.csv")
    for name in ("earlier", "moves", "memory"):
        with pytest.raises(SettingsError, match="need protocol stable"):
            split_table(tmp_path / "none.csv", tmp_path / "out.csv", PUBLISHED, **{name: tmp_path / "x.csv"})
    with pytest.raises(SettingsError, match="protocol mine"):
        with_protocol(PUBLISHED, "mine")
    with pytest.raises(SettingsError, match="keep_bins_together needs protocol stable"):
        with_protocol(SplitSettings(protocol="stable", keep_bins_together=True), "bioscan-5m")


@pytest.mark.parametrize("protocol", ["bioscan-5m", "stable"])
def test_barcodes_are_the_same_that_are_so_in_the_pipeline(tmp_path, protocol):
    """Case, gaps, ambiguity codes and N at the ends tell no two barcodes apart, and no letters are no barcode."""
    spellings = ("ACGNACGT", "ACGRACGT", "acgyacgt", "NNACG-ACGTN", "--ACGKACGT")
    rows = [("Atta", "Atta cephalotes", f"{'ACGT'[number % 4]}{'ACGT'[number // 4]}") for number in range(12)]
    rows += [("Atta", "Atta cephalotes", spelling) for spelling in spellings]
    rows += [(None, None, text) for text in ("N", "nn", "--", "RY")]
    table = pl.DataFrame(
        [(f"P{number:02}", *row) for number, row in enumerate(rows)], schema=TABLE.columns, orient="row"
    )
    table.write_csv(tmp_path / "t.csv")
    done = split_table(tmp_path / "t.csv", tmp_path / "out.csv", SplitSettings(protocol=protocol))
    assert set(done.table["dna_barcode"][12:17]) == {"ACGNACGT"}
    assert done.partitions["split"][12:17].n_unique() == 1
    assert done.table["dna_barcode"][17:].null_count() == 4
    table.with_columns(dna_barcode=barcode_identity(pl.col("dna_barcode"))).write_csv(tmp_path / "i.csv")
    again = split_table(tmp_path / "i.csv", tmp_path / "out.csv", SplitSettings(protocol=protocol))
    assert again.partitions.equals(done.partitions)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_lead_onward_as_the_lake_does(tmp_path, ending):
    """Three releases of a growing corpus by files, in arrival order, against the function that the lake calls."""
    corpus, memory = growing_corpus(5, 150), None
    before = None
    for number in (0, 4, RELEASES - 1):
        table = release(corpus, number, relabel=True).with_columns(pl.col("dna_barcode").str.replace_many(AS_BASES))
        files = {name: tmp_path / f"{name}-{number}.{ending}" for name in ("table", "out", "moves", "memory")}
        (table.write_csv if ending == "csv" else table.write_parquet)(files["table"])
        done = split_table(
            files["table"], files["out"], STABLE, earlier=before, moves=files["moves"], memory=files["memory"]
        )
        expected = partition_onward(table, STABLE, memory)
        assert done.partitions["processid"].equals(table["processid"])
        assert done.partitions.sort("processid").equals(expected.partitions)
        read = (lambda path: pl.read_csv(path, infer_schema=False)) if ending == "csv" else pl.read_parquet
        assert read(files["moves"]).equals(expected.moves)
        # Without BINs kept together they are not read, and so not remembered.
        assert read(files["memory"]).drop("dna_bin").equals(expected.memory.drop("dna_bin"))
        assert read(files["out"]).equals(done.partitions)
        memory, before = expected.memory, files["memory"]
    assert expected.moves.height > 0
    PARTITION_MEMORY.check(expected.memory)


def test_a_memory_may_be_replaced_in_place(tmp_path):
    table, memory = tmp_path / "t.csv", tmp_path / "memory.parquet"
    TABLE.head(12).write_csv(table)
    split_table(table, tmp_path / "out.csv", STABLE, memory=memory)
    TABLE.write_csv(table)
    split_table(table, tmp_path / "out.csv", STABLE, earlier=memory, memory=memory)
    assert pl.read_parquet(memory)["processid"].to_list() == sorted(TABLE["processid"])


def test_bins_are_read_where_they_are_kept_together(tmp_path):
    together = SplitSettings(protocol="stable", keep_bins_together=True)
    TABLE.write_csv(tmp_path / "t.csv")
    with pytest.raises(SourceError, match="has no column dna_bin"):
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", together)
    TABLE.with_columns(dna_bin=pl.lit("BOLD:AAA0001")).write_csv(tmp_path / "t.csv")
    done = split_table(tmp_path / "t.csv", tmp_path / "out.csv", together, memory=tmp_path / "m.csv")
    assert set(done.partitions["split"]) == {"train"}
    assert set(pl.read_csv(tmp_path / "m.csv")["dna_bin"]) == {"BOLD:AAA0001"}


def test_what_is_no_earlier_assignment_is_one_line(tmp_path):
    TABLE.write_csv(tmp_path / "t.csv")
    good = TABLE.with_columns(split=pl.lit("train"))
    for name, frame, says in (
        ("short.csv", good.drop("genus", "split"), "has no column genus, split"),
        ("twice.parquet", pl.concat([good, good.head(1)]), "more than one row"),
        ("odd.csv", good.with_columns(split=pl.lit("training")), "no partition of"),
    ):
        (frame.write_csv if name.endswith("csv") else frame.write_parquet)(tmp_path / name)
        with pytest.raises(SourceError, match=says) as caught:
            split_table(tmp_path / "t.csv", tmp_path / "out.csv", STABLE, earlier=tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match=r"none\.csv cannot be read"):
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", STABLE, earlier=tmp_path / "none.csv")
    pl.concat([TABLE, TABLE.head(1)]).write_csv(tmp_path / "t.csv")
    with pytest.raises(SourceError, match="more than one row of P00-20"):
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", STABLE)
    assert not (tmp_path / "out.csv").exists()


def test_the_command_shows_targets_classes_and_moves(tmp_path, capsys):
    table, memory = tmp_path / "t.csv", tmp_path / "memory.csv"
    TABLE.write_csv(table)
    arguments = ["split", str(table), "--protocol", "stable", "--output", str(tmp_path / "out.csv")]
    assert main([*arguments, "--memory", str(memory)]) == 0
    told = capsys.readouterr().out
    assert "by partition" in told
    assert "by records of a species" in told
    assert "8-19" in told
    assert "moved" not in told
    TABLE.with_columns(pl.col("species").replace("Atta sp. 1", "Atta nova")).write_csv(table)
    assert main([*arguments, "--earlier", str(memory), "--moves", str(tmp_path / "moves.csv")]) == 0
    assert "MOVED_SPECIES_DESCRIBED" in capsys.readouterr().out
    moves = pl.read_csv(tmp_path / "moves.csv")
    assert moves.columns == PARTITION_MOVES.names()
    assert set(moves["reason"]) == {"MOVED_SPECIES_DESCRIBED"}
    settings = tmp_path / "s.toml"
    settings.write_text('[splits]\nprotocol = "stable"\nseed = 3\n')
    plain = ["split", str(table), "--output", str(tmp_path / "out.csv")]
    assert main([*plain, "--settings", str(settings)]) == 0
    assert "protocol stable" in capsys.readouterr().out
    assert main(plain) == 0
    assert "protocol bioscan-5m" in capsys.readouterr().out


def test_the_command_tells_what_is_not_sound(tmp_path, capsys):
    """One barcode with two labels: the published protocol is followed to the letter, and the checks tell."""
    rows = [(f"A{n}", "Aus", "Aus bus", "ACGT" + "A" * (n // 2)) for n in range(40)]
    rows += [(f"B{n}", "Aus", f"Aus sp. {n % 2}MAL", "ACGT" + "A" * (n // 2)) for n in range(40)]
    frame = pl.DataFrame(rows, schema=["processid", "genus", "species", "dna_barcode"], orient="row")
    frame.write_csv(tmp_path / "t.csv")
    assert main(["split", str(tmp_path / "t.csv"), "--output", str(tmp_path / "out.csv")]) == 0
    assert "BARCODE_IN_TWO_PARTITIONS: " in capsys.readouterr().out


def test_a_frame_is_split_as_its_file_is(tmp_path):
    TABLE.write_csv(tmp_path / "t.csv")
    of_file = split_table(tmp_path / "t.csv", tmp_path / "out.csv", STABLE, memory=tmp_path / "m.parquet")
    of_frame = split_table(TABLE, None, STABLE)
    assert of_frame.partitions.equals(of_file.partitions)
    assert of_frame.memory.equals(pl.read_parquet(tmp_path / "m.parquet"))
    onward = split_table(TABLE, None, STABLE, earlier=of_frame.memory)
    assert onward.partitions.equals(of_frame.partitions)
    assert onward.moves.is_empty()
    assert split_table(TABLE, None, PUBLISHED).memory is None
    with pytest.raises(SourceError, match="the table has more than one row of P"):
        split_table(pl.concat([TABLE, TABLE]), None, STABLE)
    with pytest.raises(SourceError, match="the table has no column split"):
        split_table(TABLE, None, STABLE, earlier=TABLE)
