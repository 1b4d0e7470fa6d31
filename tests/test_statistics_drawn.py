"""What figures are drawn from."""

from hashlib import md5

import drawn_release
import polars as pl

from bioscan_etl import schema
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.drawn import PER_ORDER, ROWS, SETTINGS, SHOWN, Drawn, sample_of, shown_of, stated, stated_in


def test_figures_read_columns_of_a_release():
    assert {*ROWS, *SHOWN} <= set(schema.METADATA_EXTENDED.names())


def test_the_sample_has_a_barcode_and_the_most_labels_and_is_the_first_of_these():
    named = {"class": "Insecta", "order": "Diptera"}
    rows = [
        {"processid": "A"} | named | {"family": "F"},  # no barcode
        {"processid": "C", "dna_barcode": "ACG", "taxon": "c"} | named,
        {"processid": "B", "dna_barcode": "ACT", "taxon": "b"} | named,
        {"processid": "D", "dna_barcode": "AAA"},
    ]
    found = sample_of(drawn_release.metadata(rows).lazy())
    assert (found["processid"], found["taxon"], found["dna_barcode"]) == ("B", "b", "ACT")
    assert found.keys() == {*SHOWN, "dna_barcode", "path"}
    assert sample_of(drawn_release.metadata(rows[:1]).lazy()) is None


def pictured(count, order="Diptera", **more):
    return [
        {"processid": f"P{n}", "order": order, "area_fraction": 0.1, "split": "train", "chunk": "a"} | more
        for n in range(count)
    ]


def test_a_sample_with_an_image_goes_first():
    rows = [{"processid": "A", "dna_barcode": "ACG", "class": "Insecta", "order": "Diptera"}]
    rows.append({"processid": "B", "dna_barcode": "ACG", "area_fraction": 0.1, "split": "train", "chunk": "0"})
    found = sample_of(drawn_release.metadata(rows).lazy())
    assert (found["processid"], found["path"]) == ("B", "train/0/B.jpg")


def test_a_few_specimens_of_each_order_are_shown_by_the_hash_of_their_process_id():
    rows = [*pictured(20), {"processid": "X", "order": "Diptera"}]
    rows += [row | {"processid": f"Q{n}"} for n, row in enumerate(pictured(2, "Araneae"))]
    found = shown_of(drawn_release.metadata(rows).lazy())
    assert found["order"].to_list() == ["Araneae"] * 2 + ["Diptera"] * PER_ORDER
    digests = sorted((md5(f"P{n}".encode()).hexdigest(), f"P{n}") for n in range(20))
    assert found["processid"][2:].to_list() == [name for _, name in digests[:PER_ORDER]]
    assert found["path"][2] == f"train/a/{found['processid'][2]}.jpg"
    again = shown_of(drawn_release.metadata(rows[::-1]).lazy())
    assert again.equals(found)


def test_nothing_to_show_is_an_empty_table():
    found = shown_of(drawn_release.metadata([{"processid": "A"}]).lazy())
    assert found.is_empty()
    assert found.columns == [*SHOWN, "path"]


def test_a_caption_names_the_release_and_the_settings_that_matter():
    settings = Settings()
    values = stated(settings)
    assert list(values) == list(SETTINGS)
    assert stated_in(settings.model_dump(mode="json")).keys() == values.keys()
    assert stated_in({"splits": {"protocol": "stable"}, "images": "none"}) == {"splits.protocol": "stable"}
    drawn = Drawn(pl.DataFrame(), {}, source="bioscan5m v3", settings=values)
    said = drawn.about(("splits.protocol", "splits.keep_bins_together", "images.crop_aspect"))
    assert said == (
        "Data: bioscan5m v3. Settings: splits.protocol = bioscan-5m, splits.keep_bins_together = false, "
        "images.crop_aspect = 4:3."
    )
    assert Drawn(pl.DataFrame(), {}).about(("splits.protocol",)) == ""
