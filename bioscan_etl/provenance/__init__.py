"""The code that outputs were made by.

Belongs here: finding the code of a stage (`closure`). Does not belong here: its use (the lake stores it in manifests
and decides whether an output must be made again).
"""
