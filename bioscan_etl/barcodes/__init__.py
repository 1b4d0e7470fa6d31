"""Checks of the DNA barcodes: letters, length, reading frame, BIN, and conflicts over the corpus."""
