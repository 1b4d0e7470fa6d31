"""Specimen batches as Dagster partitions.

A batch is a delivery of 10,000 to 100,000 specimens, not a plate: each run costs seconds, and the UI slows
down past 10,000 keys (spec: orchestration).
"""

import dagster as dg

specimen_batches = dg.DynamicPartitionsDefinition(name="specimen_batches")
