"""The stages of the graph.

`registry` declares them, once. `situation` finds what one would be made from, `run` makes it, `examine` compares its
counts with settings, and `commit` makes a batch current. Each other module is one stage and named as it: its function
`build` and, where needed, `extra`, the inputs that are no output of a stage.
"""
