"""What an output was made from and by.

Belongs here: the code that a stage consists of (`closure`). Does not belong here: what is done with that (the lake
keeps it in manifests and decides whether an output is made again).
"""
