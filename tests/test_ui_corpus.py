"""A corpus runs unattended: a real `bioscan-etl ui` process over an empty folder, with nothing clicked."""

import json

import pytest
from ui_process import deliver, head, ui, until

from bioscan_etl.cli import main
from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.lake.record import find_record
from bioscan_etl.release.check import check
from bioscan_etl.schema import BCDM
from bioscan_etl.stages.registry import BATCH_STAGES
from bioscan_etl.state import survey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PACE = "[automation]\ntick_seconds = 5\nsettle_minutes = 0\nretry_minutes = 0.1\n"


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deliveries")
    assert main(["demo", "--output", str(folder), "--specimens", "40"]) == 0
    return folder / "landing"


def test_the_day_runs_by_itself(tmp_path, deliveries):
    output = tmp_path / "out"
    output.mkdir()
    (output / "settings.toml").write_text(PACE)
    names = sorted(path.name for path in deliveries.iterdir() if (path / "batch.json").is_file())
    assert len(names) == 3
    lake = Lake(output)
    inbox = output / "landing"
    latest = output / "releases" / "latest"
    with ui(output) as running:
        # Three plain folders become a release.
        for name in names:
            deliver(deliveries / name, inbox, name)
        until(
            lambda: latest.exists() and len(head(output, "latest")["provenance"]["batches"]) == 3,
            420, running, "three folders are no release",
        )  # fmt: skip
        first = latest.resolve().name

        # A fourth, broken one fails alone, with its sentence.
        header = ["processid", *(column.name for column in BCDM)]
        row = dict.fromkeys(header, "None") | {
            "processid": "FOURTH001-24",
            "marker_code": "COI-5P",
            "nuc": "ACGT" * 160,
        }
        good = "\t".join(header) + "\n" + "\t".join(row.values()) + "\n"
        (inbox / "fourth").mkdir()
        broken = inbox / "fourth" / "fourth.tsv"
        broken.write_text(good + "one field only\n" * 20)
        (inbox / "fourth" / "DONE").touch()
        until(
            lambda: any("few_rows_rejected" in one for one in running.skip_reasons("new_batches")),
            180, running, "the broken batch is not named",
        )  # fmt: skip
        states = {one.name: one.status for one in survey(lake, read_settings(lake))}
        assert states == {**dict.fromkeys(names, "current"), "fourth": "failed"}
        assert latest.resolve().name == first

        # Mended, it goes in.
        broken.write_text(good)
        (inbox / "fourth" / "DONE").unlink()
        (inbox / "fourth" / "DONE").touch()
        until(
            lambda: "fourth" in head(output, "latest")["provenance"]["batches"],
            300, running, "the mended batch is in no release",
        )  # fmt: skip

        # A changed setting makes exactly the stale stages anew, and the next release says so.
        before = {name: find_record(lake, name) for name in [*names, "fourth"]}
        second = latest.resolve().name
        (output / "settings.toml").write_text(PACE + "[barcodes]\nmin_length = 640\n")
        until(lambda: latest.resolve().name != second, 420, running, "the changed setting makes no release")
    after = {name: find_record(lake, name) for name in before}
    changed = {
        stage
        for name in before
        for stage in BATCH_STAGES
        if before[name].stages[stage].fingerprint != after[name].stages[stage].fingerprint
    }
    # The demo has barcodes below 640 bp: they get another flag, which the expectations read.
    assert changed == {"checked_barcodes", "batch_expectations"}
    made = head(output, "latest")
    assert made["settings"]["barcodes"]["min_length"] == 640
    assert all(one["settings"]["barcodes.min_length"] == 640 for one in made["provenance"]["batches"].values())
    assert check(latest, images="all") == []


def test_more_broken_batches_than_a_tick_takes_do_not_hide_a_good_one(tmp_path, monkeypatch):
    """Two ticks of the sensor, with every run that they ask for really executed."""
    import dagster as dg

    from bioscan_etl import landing
    from bioscan_etl.definitions import build_defs
    from bioscan_etl.definitions.running import open_instance
    from bioscan_etl.progress import silent
    from bioscan_etl.resources import CorpusResource
    from bioscan_etl.sensors.new_batches import new_batches_sensor
    from bioscan_etl.sensors.releases import settled_sensor

    most = 8
    monkeypatch.setattr("bioscan_etl.sensors.new_batches.MOST_REQUESTS", most)
    lake = Lake(tmp_path / "out")
    lake.root.mkdir()
    (lake.root / "settings.toml").write_text(PACE + "[gates]\nrequire_image = false\n")
    header = ["processid", *(column.name for column in BCDM)]
    good = dict.fromkeys(header, "None") | {"processid": "A-1", "marker_code": "COI-5P", "nuc": "ACGT" * 160}
    for number in range(most + 1):
        path = tmp_path / f"broken-{number:02}.tsv"
        path.write_text("\t".join(header) + "\n")
        landing.register(lake, path.stem, [str(path)])
        path.write_text("not what landed")
    path = tmp_path / "z-good.tsv"
    path.write_text("\t".join(header) + "\n" + "\t".join(good.values()) + "\n")
    landing.register(lake, "z-good", [str(path)])

    corpus = CorpusResource(str(lake.root))
    definitions = build_defs(corpus, silent)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    automation = corpus.settings().automation

    def tick(sensor, instance):
        with dg.build_sensor_context(instance=instance, resources={"corpus": corpus}) as context:
            return sensor(context)

    with open_instance(lake) as instance:
        for asked in (most, 2):
            found = tick(new_batches_sensor(automation), instance)
            assert len(found.run_requests) == asked
            for request in found.run_requests:
                instance.add_dynamic_partitions("specimen_batches", [request.partition_key])
                definitions.resolve_job_def("ingest_batch").execute_in_process(
                    instance=instance, partition_key=request.partition_key, tags=request.tags, raise_on_error=False,
                    run_config=quiet,
                )  # fmt: skip
        request = tick(settled_sensor(automation), instance)
        assert (
            definitions.resolve_job_def("curate_and_release")
            .execute_in_process(instance=instance, tags=request.tags, run_config=quiet)
            .success
        )
        listed = tick(new_batches_sensor(automation), instance).skip_message
    made = json.loads((lake.releases / "latest" / "manifest.json").read_text())["provenance"]
    assert set(made["batches"]) == {"z-good"}
    assert len(made["notes"]) == most + 1
    assert all("has changed since batch" in note for note in made["notes"].values())
    assert listed.count("has changed since batch") == most + 1
