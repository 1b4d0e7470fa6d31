"""Specimens: which record and image are used for one, and the gates."""

import datetime as dt

import polars as pl
import pytest
from framed_barcodes import drawn
from pydantic import ValidationError

from bioscan_etl import schema
from bioscan_etl.barcodes.placement import place
from bioscan_etl.settings import Settings
from bioscan_etl.specimens.accepted import accepted
from bioscan_etl.specimens.assemble import BatchTables, assemble, choose_images, quarantine
from bioscan_etl.specimens.gates import gates

BARCODE = "ACGT" * 160


def rows(table, *given, **common):
    """Rows of a table: given values, else common ones, else a value that its dtype allows."""
    fill = {pl.List(pl.String): [], pl.Boolean(): False}
    filled = [
        {
            column.name: row.get(
                column.name,
                common.get(
                    column.name,
                    None if column.nullable else fill.get(column.dtype, column.allowed[0] if column.allowed else "x"),
                ),
            )
            for column in table.columns
        }
        for row in given
    ]
    return table.conform(pl.DataFrame(filled, schema=table.schema()))


@pytest.fixture
def write(tmp_path):
    """Writes the tables of one batch; records, boxes and barcodes per process ID."""

    def write_batch(batch, snapshot, processids, *, images=None, barcodes=None, names=None, flags=None, labels=None):
        folder = tmp_path / batch
        folder.mkdir()
        given = [{"processid": p} for p in processids]
        tables = {
            "records": rows(
                schema.RECORDS,
                *given,
                batch=batch,
                record_id="r",
                source_file=f"{batch}.tsv",
                snapshot_date=snapshot,
                nuc=BARCODE,
                marker_code="COI-5P",
            ),
            "set_aside": schema.SET_ASIDE.empty(),
            "rejects": schema.REJECTS.empty(),
            "barcodes": rows(
                schema.CHECKED_BARCODES,
                *[
                    g
                    | {
                        "dna_barcode": barcode,
                        "barcode": barcode,
                        "barcode_length": None if barcode is None else len(barcode),
                        "unambiguous_run": len(barcode or ""),
                        "flags": (flags or {}).get(g["processid"], []),
                    }
                    for g, barcode in ((g, (barcodes or {}).get(g["processid"], BARCODE)) for g in given)
                ],
                batch=batch,
            ),
            "geography": rows(schema.CHECKED_GEOGRAPHY, *given, batch=batch, country="Norway"),
            "names": rows(
                schema.NORMALISED_NAMES,
                *[
                    g | {"species": (names or {}).get(g["processid"])} | (labels or {}).get(g["processid"], {})
                    for g in given
                ],
                batch=batch,
                genus_name_type="NO_NAME",
                species_name_type="NO_NAME",
            ),
            "boxes": rows(
                schema.BOXES,
                *[{"processid": p, "status": status} for p, status in (images or {}).items()],
                batch=batch,
                detector="segmentation",
                image_file="i.jpg",
                sha256=batch,
            ),
        }
        tables["placements"] = place(tables["barcodes"]["barcode"].drop_nulls().unique().sort())
        paths = {}
        for name, frame in tables.items():
            paths[name] = folder / f"{name}.parquet"
            frame.write_parquet(paths[name])
        return BatchTables(batch=batch, **paths)

    return write_batch


OLD, NEW = dt.date(2023, 12, 18), dt.date(2025, 3, 1)


def test_the_later_snapshot_stands_whatever_the_order(write):
    older = write("z-older", OLD, ["A-1", "A-2"], images={"A-1": "detected"}, names={"A-1": "Aus bus"})
    newer = write("a-newer", NEW, ["A-1"], names={"A-1": "Aus cus"})
    for order in ([older, newer], [newer, older]):
        found = assemble(order, Settings())
        assert found.specimens.select("processid", "batch", "species").rows() == [
            ("A-1", "a-newer", "Aus cus"),
            ("A-2", "z-older", None),
        ]
        assert found.set_aside.select("processid", "batch", "reason", "kept_batch").rows() == [
            ("A-1", "z-older", "superseded", "a-newer")
        ]


def test_a_records_only_update_keeps_the_image_of_the_earlier_delivery(write):
    older = write("older", OLD, ["A-1"], images={"A-1": "detected"})
    newer = write("newer", NEW, ["A-1"])
    row = assemble([older, newer], Settings()).specimens.row(0, named=True)
    assert (row["batch"], row["image_batch"], row["image_status"], row["gates"]) == ("newer", "older", "detected", [])


def test_an_image_of_the_own_batch_comes_first(write):
    older = write("older", OLD, ["A-1"], images={"A-1": "detected"})
    newer = write("newer", NEW, ["A-1"], images={"A-1": "empty"})
    assert assemble([older, newer], Settings()).specimens["image_batch"].to_list() == ["newer"]


def test_of_several_foreign_images_the_latest_snapshot_wins():
    boxes = pl.concat(
        [
            rows(schema.BOXES, {"processid": p, "batch": b}, detector="d", image_file="i", status="detected")
            for p, b in (("A-1", "x"), ("A-1", "y"), ("B-1", "x"))
        ]
    )
    kept = pl.DataFrame(
        {"processid": ["A-1", "B-1", "C-1"], "batch": ["z", "x", "y"], "snapshot_date": [NEW, OLD, NEW]}
    )
    chosen = choose_images(boxes, kept)
    assert chosen.select("processid", "batch").rows() == [("A-1", "y"), ("B-1", "x")]


def test_each_gate_holds_what_it_names_and_lets_the_rest_through(write):
    batch = write(
        "b",
        OLD,
        ["A-1", "A-2", "A-3", "A-4", "A-5"],
        images={"A-1": "detected", "A-2": "empty", "A-3": "detected", "A-4": "detected"},
        barcodes={"A-3": None, "A-4": "ACGT" * 20},
    )
    found = assemble([batch], Settings()).specimens
    held = dict(found.select("processid", "gates").iter_rows())
    assert held == {
        "A-1": [],
        "A-2": ["IMAGE_STATUS"],
        "A-3": ["NO_BARCODE"],
        "A-4": ["BARCODE_RUN_TOO_SHORT"],
        "A-5": ["NO_IMAGE"],
    }
    assert accepted(found)["processid"].to_list() == ["A-1"]
    assert quarantine(found)["processid"].to_list() == ["A-2", "A-3", "A-4", "A-5"]


BAT = {"phylum": "Chordata", "class": "Mammalia"}
FLY = {"phylum": "Arthropoda", "class": "Insecta"}
OTHER = "TTAA" * 150


def test_what_the_dataset_is_not_about_is_held(write):
    batch = write(
        "b",
        OLD,
        ["A-1", "A-2", "A-3", "A-4", "A-5"],
        images=dict.fromkeys(["A-1", "A-2", "A-3", "A-4", "A-5"], "detected"),
        labels={"A-1": BAT, "A-3": FLY, "A-4": FLY},
        barcodes={"A-4": OTHER, "A-5": OTHER},
    )
    found = assemble([batch], Settings()).specimens
    # A-2 has no label and the barcode of the bat, A-3 a label that contradicts it, A-5 neither.
    assert dict(found.select("processid", "gates").iter_rows()) == {
        "A-1": ["OUT_OF_SCOPE"],
        "A-2": ["OUT_OF_SCOPE"],
        "A-3": [],
        "A-4": [],
        "A-5": [],
    }
    flagged = found.filter(pl.col("flags").list.contains("BARCODE_OUT_OF_SCOPE"))
    assert flagged["processid"].to_list() == ["A-2", "A-3"]


def test_the_scope_is_a_setting_of_any_rank(write):
    batch = write("b", OLD, ["A-1", "A-2"], images=dict.fromkeys(["A-1", "A-2"], "detected"), labels={"A-1": BAT})
    for scope, held in (({}, []), ({"class": ["Mammalia"]}, []), ({"class": ["Insecta", "Arachnida"]}, ["A-1", "A-2"])):
        settings = Settings.model_validate({"gates": {"scope": scope}})
        assert quarantine(assemble([batch], settings).specimens)["processid"].to_list() == held


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ({"scope": {"kingdom": ["Animalia"]}}, "scope"),
        ({"scope": {"phylum": []}}, "no taxon"),
        ({"image_flags": ["X"]}, "X"),
    ],
)
def test_gates_that_name_nothing_are_refused(gates, message):
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate({"gates": gates})


def test_an_image_that_shows_nothing_is_held_and_the_flags_are_a_setting(write):
    processids = [f"A-{number:02}" for number in range(14)]
    batch = write("b", OLD, processids, images=dict.fromkeys(processids, "detected"))
    boxes = pl.read_parquet(batch.boxes, glob=False).with_columns(
        sha256="processid",
        exposure=pl.when(pl.col("processid") == "A-03").then(12.0).otherwise(190.0),
        image_measurement_value=pl.when(pl.col("processid") == "A-05").then(0).otherwise(900).cast(pl.Int64),
    )
    boxes.write_parquet(batch.boxes)
    held = quarantine(assemble([batch], Settings()).specimens)
    assert held.select("processid", "gates", "flags").rows() == [
        ("A-03", ["IMAGE_FLAG"], ["BRIGHTNESS_OUTLIER"]),
        ("A-05", ["IMAGE_FLAG"], ["NO_ORGANISM_PIXELS"]),
    ]
    released = Settings.model_validate({"gates": {"image_flags": []}})
    assert quarantine(assemble([batch], released).specimens).is_empty()
    kept = assemble([batch], Settings.model_validate({"gates": {"require_image": False}})).specimens
    assert kept.filter(pl.col("image_batch").is_null())["processid"].to_list() == ["A-03", "A-05"]


def test_where_no_image_is_required_an_unaccepted_one_is_not_released(write):
    settings = Settings.model_validate({"gates": {"require_image": False}})
    batch = write("b", OLD, ["A-1", "A-2"], images={"A-1": "empty"})
    found = accepted(assemble([batch], settings).specimens)
    assert found.select("processid", "image_status", "image_batch").rows() == [
        ("A-1", "empty", None),
        ("A-2", None, None),
    ]


def test_gates_are_settings():
    assert [gate.meta.output_name() for gate in gates(Settings())] == [
        "NO_IMAGE",
        "IMAGE_STATUS",
        "IMAGE_FLAG",
        "OUT_OF_SCOPE",
        "NO_BARCODE",
        "BARCODE_RUN_TOO_SHORT",
    ]
    chosen = Settings.model_validate({"gates": {"require_image": False, "require_bin": True, "scope": {}}})
    assert [gate.meta.output_name() for gate in gates(chosen)] == ["NO_BARCODE", "BARCODE_RUN_TOO_SHORT", "NO_BIN"]


def test_flags_of_all_stages_meet_sorted_and_once(write):
    batch = write("b", OLD, ["A-1"], images={"A-1": "detected"}, flags={"A-1": ["Z_FLAG", "A_FLAG"]})
    assert assemble([batch], Settings()).specimens["flags"].to_list() == [["A_FLAG", "Z_FLAG"]]


def test_a_fragment_under_another_species_is_flagged_across_batches(write):
    whole, other = drawn(2)
    first = write("a", OLD, ["A-1", "A-3"], barcodes={"A-1": whole, "A-3": other}, names={"A-1": "Aus bus"})
    second = write("b", OLD, ["A-2", "A-4"], barcodes={"A-2": whole[150:], "A-4": whole}, names={"A-2": "Aus cus"})
    found = assemble([first, second], Settings()).specimens
    flagged = found.filter(pl.col("flags").list.contains("BARCODE_SEVERAL_SPECIES"))
    assert flagged["processid"].to_list() == ["A-1", "A-2", "A-4"]
    stricter = Settings.model_validate({"barcodes": {"min_shared_columns": 600}})
    assert assemble([first, second], stricter).specimens["flags"].explode().drop_nulls().is_empty()


def test_no_batches_is_an_empty_corpus():
    found = assemble([], Settings())
    assert found.specimens.equals(schema.SPECIMENS.empty())
    assert found.set_aside.height == found.rejects.height == 0


def test_specimens_are_the_same_read_lazily_and_in_memory(write, tmp_path):
    found = assemble([write("b", OLD, ["A-1", "A-2", "A-3"], images={"A-2": "detected"})], Settings())
    found.lazy().sink_parquet(tmp_path / "specimens.parquet")
    assert pl.read_parquet(tmp_path / "specimens.parquet").equals(found.specimens)
    held = quarantine(pl.scan_parquet(tmp_path / "specimens.parquet"))
    assert held["processid"].to_list() == ["A-1", "A-3"]
    assert accepted(found.lazy()).collect()["processid"].to_list() == ["A-2"]
