"""The stages of the pipeline.

`registry` declares them. `situation` finds the inputs of a stage, `run` makes it, `examine` compares its
counts with settings, and `commit` makes a batch current. Each other module is one stage and has its name: it has a
function `build` and, if needed, `extra` for inputs that are not outputs of stages.
"""
