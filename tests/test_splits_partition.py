import polars as pl
import pytest

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.schema import PARTITION_MEMORY, PARTITION_MOVES, PARTITIONS
from bioscan_etl.settings import Settings, SplitSettings, load_settings
from bioscan_etl.splits.bioscan_5m import assign
from bioscan_etl.splits.partition import PROTOCOLS, partition, partition_onward, split_table

ROWS = [
    *[("Atta", "Atta cephalotes", barcode) for barcode in "ABBBCCCC"],
    *[("Atta", "Atta sp. 1", barcode) for barcode in "DEEEFFFF"],
    (None, None, "NCN"),
    ("1e5", "true", "0012"),
    ("Atta", None, None),
]
TABLE = pl.DataFrame(
    [(f"P{(7 * i) % 19:02}-20", *row) for i, row in enumerate(ROWS)],
    schema=["processid", "genus", "species", "dna_barcode"],
    orient="row",
)


def test_partitions_come_in_the_order_of_process_ids():
    splits = partition(TABLE, SplitSettings())
    PARTITIONS.check(splits)
    assert splits["processid"].to_list() == sorted(TABLE["processid"])
    assert partition(TABLE.reverse().with_columns(other=pl.lit(1)), SplitSettings()).equals(splits)
    assert splits.equals(assign(TABLE).sort("processid"))


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
    returned = split_table(path, tmp_path / output, "bioscan-5m")
    written = (pl.read_parquet if output.endswith("parquet") else pl.read_csv)(tmp_path / output)
    assert written.equals(assign(TABLE))
    assert returned.equals(written)


def test_everything_is_text_and_empty_is_missing(tmp_path):
    text = 'species,dna_barcode,processid,genus\n,AC,1,Atta\n12,AC,2,true\n,,3,\n"","GG",4,"x, y"\n'
    (tmp_path / "t.csv").write_text(text)
    split_table(tmp_path / "t.csv", tmp_path / "out.csv", "bioscan-5m")
    assert (
        tmp_path / "out.csv"
    ).read_text() == "processid,split\n1,pretrain\n2,other_heldout\n3,pretrain\n4,pretrain\n"
    frame = pl.DataFrame({"processid": [1, 2], "genus": ["", "Atta"], "species": ["", None], "dna_barcode": ["", ""]})
    frame.with_columns(pl.col("genus").cast(pl.Categorical)).write_parquet(tmp_path / "t.parquet")
    split_table(tmp_path / "t.parquet", tmp_path / "out.parquet", "bioscan-5m")
    assert pl.read_parquet(tmp_path / "out.parquet").rows() == [("1", "pretrain"), ("2", "pretrain")]


def test_a_header_alone_gives_a_header_alone(tmp_path):
    TABLE.clear().write_csv(tmp_path / "t.csv")
    split_table(tmp_path / "t.csv", tmp_path / "out.csv", "bioscan-5m")
    assert (tmp_path / "out.csv").read_text() == "processid,split\n"


def test_missing_columns_are_named(tmp_path):
    TABLE.drop("genus", "species").write_csv(tmp_path / "t.csv")
    with pytest.raises(SourceError, match=r"t\.csv has no column genus, species; a table needs processid, genus"):
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", "bioscan-5m")
    TABLE.drop("dna_barcode").write_parquet(tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="has no column dna_barcode"):
        split_table(tmp_path / "t.parquet", tmp_path / "out.csv", "bioscan-5m")
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
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", "bioscan-5m")
    assert str(tmp_path / "t.csv") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.csv").exists()


def test_absent_files_and_folders(tmp_path):
    with pytest.raises(SourceError, match=r"none\.csv cannot be read"):
        split_table(tmp_path / "none.csv", tmp_path / "out.csv", "bioscan-5m")
    with pytest.raises(SourceError, match="cannot be read"):
        split_table(tmp_path, tmp_path / "out.csv", "bioscan-5m")


def test_protocol_and_output_are_checked_first(tmp_path):
    with pytest.raises(SettingsError, match="no protocol 'mine'; choose one of bioscan-5m, stable"):
        split_table(tmp_path / "none.csv", tmp_path / "out.csv", "mine")
    with pytest.raises(SettingsError, match=r"neither \.csv nor \.parquet"):
        split_table(tmp_path / "none.csv", tmp_path / "out.txt", "bioscan-5m")


def test_a_failed_write_leaves_nothing(tmp_path):
    TABLE.write_csv(tmp_path / "t.csv")
    (tmp_path / "out.csv").mkdir()
    (tmp_path / "out.csv" / "kept").touch()
    with pytest.raises(OSError, match=r"out\.csv"):
        split_table(tmp_path / "t.csv", tmp_path / "out.csv", "bioscan-5m")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "t.csv"]


STABLE = SplitSettings(protocol="stable")


def test_the_stable_protocol_goes_on_from_its_own_memory():
    first = partition_onward(TABLE.head(12), STABLE, None)
    PARTITIONS.check(first.partitions)
    PARTITION_MOVES.check(first.moves)
    PARTITION_MEMORY.check(first.memory)
    assert first.partitions.equals(partition(TABLE.head(12), STABLE))
    described = TABLE.reverse().with_columns(pl.col("species").replace("Atta sp. 1", "Atta nova"))
    second = partition_onward(described, STABLE, first.memory.lazy())
    moved = first.partitions.join(second.partitions, on="processid").filter(pl.col("split") != pl.col("split_right"))
    assert second.moves["processid"].to_list() == moved["processid"].to_list()
    assert set(second.moves["reason"]) == {"MOVED_SPECIES_DESCRIBED"}
    assert second.memory["processid"].to_list() == sorted(TABLE["processid"])


def test_the_published_protocol_looks_at_no_earlier_release():
    first = partition_onward(TABLE.head(12), SplitSettings(), None)
    second = partition_onward(TABLE, SplitSettings(), first.memory)
    assert second.partitions.equals(partition(TABLE, SplitSettings()))
    assert second.moves.is_empty()


def test_bins_are_used_where_they_are_to_be_kept_together():
    table = TABLE.with_columns(dna_bin=pl.lit("BOLD:AAA0001"))
    together = STABLE.model_copy(update={"keep_bins_together": True})
    assert set(partition(table, together)["split"]) == {"train"}
    assert partition(table, STABLE).equals(partition(TABLE, STABLE))
    with pytest.raises(SettingsError, match="column dna_bin"):
        partition(TABLE, together)


def test_files_by_the_stable_protocol(tmp_path):
    assert list(PROTOCOLS) == ["bioscan-5m", "stable"]
    TABLE.write_csv(tmp_path / "t.csv")
    written = split_table(tmp_path / "t.csv", tmp_path / "out.csv", "stable")
    assert written["processid"].to_list() == TABLE["processid"].to_list()
    assert written.sort("processid").equals(partition(TABLE, STABLE))


def test_the_published_protocol_cannot_keep_bins_together(tmp_path):
    assert Settings().splits.protocol == "bioscan-5m"
    (tmp_path / "s.toml").write_text("[splits]\nkeep_bins_together = true\n")
    with pytest.raises(SettingsError, match="keep_bins_together needs protocol stable"):
        load_settings(tmp_path / "s.toml")
    (tmp_path / "s.toml").write_text('[splits]\nprotocol = "stable"\nseed = 7\nkeep_bins_together = true\n')
    assert load_settings(tmp_path / "s.toml").splits.seed == 7
