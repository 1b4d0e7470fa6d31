"""BOLD records in any layout, read into one raw table with rejects and set-aside rows.

Belongs here: recognising a file's layout, streaming its rows, choosing the row that stands for a specimen.
Does not belong here: what a value means; names, barcodes and places are judged by their own stages.
"""
