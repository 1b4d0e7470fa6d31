"""The progress of a stage, reported to Dagster while the asset runs."""

import dagster as dg

from bioscan_etl.assets.factory import observed

PARTITIONS = dg.StaticPartitionsDefinition(["b1"])


def test_progress_becomes_observations_of_the_asset() -> None:
    reports: list[tuple] = []

    @dg.asset(partitions_def=PARTITIONS)
    def boxes(context: dg.AssetExecutionContext) -> None:
        tell = observed(context, lambda *report: reports.append(report))
        tell("images", 0, 1000)
        for done in range(50, 1001, 50):
            tell("images", done - 1, 1000)
            tell("images", done, 1000)
        tell("images", 1000, 1000)

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([boxes], partition_key="b1", instance=instance)
        seen = [event.asset_observation_data.asset_observation for event in result.get_asset_observation_events()]
    assert len(reports) == 42
    assert 15 <= len(seen) <= 25
    assert {one.partition for one in seen} == {"b1"}
    done = [one.metadata["done"].value for one in seen]
    assert done == sorted(done)
    assert (done[-1], seen[-1].metadata["total"].value) == (1000, 1000)
