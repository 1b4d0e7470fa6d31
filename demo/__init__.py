"""A synthetic corpus with planted defects and a truth table, so every rule can be asked whether it found its own.

Nothing here comes from real records or images; `bioscan_etl.demo.corpus.write_demo` is the way in.
"""
