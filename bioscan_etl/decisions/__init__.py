"""What curators decide: the record of it in a corpus, its words, and what becomes of each line.

Belongs here: the words of a decision, and reading and writing `OUTPUT/decisions/*.csv`. Does not belong here: what a
decision does to a label (`taxonomy.decided`), a gate or a place (`specimens.decided`).
"""
