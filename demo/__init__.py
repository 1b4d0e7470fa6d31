"""A synthetic corpus with planted defects and a truth table, so that every rule can be checked against its own defects.

Nothing here comes from real records or images; `bioscan_etl.demo.corpus.write_demo` is the way in.
"""
