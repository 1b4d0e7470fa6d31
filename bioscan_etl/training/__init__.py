"""Training of the detector: what it learns from, how it learns, how it is measured, and which one is promoted.

Belongs here: the scripts that train, calibrate and measure (`python -m bioscan_etl.training.train`), and the logic that
the Dagster assets of the training call. Does not belong here: finding specimens with a trained detector
(`bioscan_etl.images`), and the assets themselves (`bioscan_etl.assets.detector`, `bioscan_etl.assets.promotion`).

No other part of the library imports this package. Its modules `export`, `exported`, `refine`, `refiner`, `teacher` and
`train` define networks of torch, so importing them needs the extra `train`; the others run without torch.
"""
