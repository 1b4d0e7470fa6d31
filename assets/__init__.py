"""The asset graph, made from the stage registry, and the training of the detector.

What a stage does lives in `bioscan_etl`; what Dagster needs to know about it lives here.
"""
