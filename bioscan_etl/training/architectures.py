"""The networks that look at a window, by name: the refiner, its teacher, and the expert.

Belongs here: which architecture and which input each has. Does not belong here: the architectures (`refiner`,
`teacher`) and their training (`refine`).
"""

from __future__ import annotations

from bioscan_etl.extras import extras_named
from bioscan_etl.images.window import EXPERT_SIDE, INPUT_SIDE

with extras_named():
    from bioscan_etl.training.refiner import Refiner
    from bioscan_etl.training.teacher import Teacher

NETWORKS = {"refiner": (Refiner, INPUT_SIDE), "teacher": (Teacher, INPUT_SIDE), "expert": (Teacher, EXPERT_SIDE)}
"""Architecture of each network, and the side of its input in px."""
