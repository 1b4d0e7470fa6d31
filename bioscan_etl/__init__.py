"""BOLD records and specimen images in, a checked BIOSCAN release out.

The library is plain Python over tables and images and imports no Dagster; the orchestration lives in
`assets/` and `sensors/` and is put together in `bioscan_etl.definitions`.
"""

__version__ = "0.1.0"
