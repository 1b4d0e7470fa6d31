"""The asset graph: one module per stage, named as the stage.

Each asset reads its inputs, calls one library function, writes one output and reports counts. What a stage
does lives in `bioscan_etl`; what Dagster needs to know about it lives here.
"""
