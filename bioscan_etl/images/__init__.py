"""Specimen images: index the files, find the specimen, measure it, judge the image, cut the crops.

Belongs here: everything between a file of a source and the rows of `image_index`, `boxes` and `crops`.
Does not belong here: how crops are laid out in a release, and training of a detector (`bioscan_etl.training`).
"""
