"""BOLD records in any layout, read into one raw table with rejects and set-aside rows.

Belongs here: recognising a file's layout, streaming its rows, selecting one row per specimen.
Does not belong here: the meaning of values; other stages check names, barcodes and places.
"""
