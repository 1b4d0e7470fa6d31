"""Expectations on the tables, the gates, the ledger that must add up, and the curators' report."""
