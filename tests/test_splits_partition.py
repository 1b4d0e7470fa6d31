import polars as pl
import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.schema import PARTITION_MEMORY, PARTITION_MOVES, PARTITIONS
from bioscan_etl.settings import Settings, SplitSettings, load_settings
from bioscan_etl.splits.bioscan_5m import assign
from bioscan_etl.splits.partition import PROTOCOLS, partition, partition_onward

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


def test_the_protocols_by_name():
    assert list(PROTOCOLS) == ["bioscan-5m", "stable"]
    assert PROTOCOLS["stable"](TABLE).sort("processid").equals(partition(TABLE, STABLE))


def test_bins_are_used_where_they_are_to_be_kept_together():
    table = TABLE.with_columns(dna_bin=pl.lit("BOLD:AAA0001"))
    together = STABLE.model_copy(update={"keep_bins_together": True})
    assert set(partition(table, together)["split"]) == {"train"}
    assert partition(table, STABLE).equals(partition(TABLE, STABLE))
    with pytest.raises(SettingsError, match="column dna_bin"):
        partition(TABLE, together)


def test_the_published_protocol_cannot_keep_bins_together(tmp_path):
    assert Settings().splits.protocol == "bioscan-5m"
    (tmp_path / "s.toml").write_text("[splits]\nkeep_bins_together = true\n")
    with pytest.raises(SettingsError, match="keep_bins_together needs protocol stable"):
        load_settings(tmp_path / "s.toml")
    (tmp_path / "s.toml").write_text('[splits]\nprotocol = "stable"\nseed = 7\nkeep_bins_together = true\n')
    assert load_settings(tmp_path / "s.toml").splits.seed == 7
