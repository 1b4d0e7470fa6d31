"""The desk: pages on which curators see every doubt with its evidence, and decide.

Belongs here: what the pages show, the server, and the pages themselves (`static/`: plain ES modules, no build step).
Does not belong here: doubts (`bioscan_etl.doubts`), decisions (`bioscan_etl.decisions`).

Tabulator 6 and AG Grid community were weighed for the worklist: both are larger than all of these pages together, and
each draws cells by formatters of its own, from which hostile labels would have to be kept. A list that draws the rows
in view needs 100 lines.
"""
