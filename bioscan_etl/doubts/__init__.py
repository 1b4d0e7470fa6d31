"""What a curator should look at: every doubt with its evidence, and whether it is settled.

Belongs here: which rules are worth a look, finding the doubts in the tables of the corpus, and their state. Does not
belong here: the rules themselves, the decisions (`bioscan_etl.decisions`), and the pages (`bioscan_etl.desk`).
"""
