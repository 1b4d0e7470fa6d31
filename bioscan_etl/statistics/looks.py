"""The look of each taxon in all figures: one colour, and one hatch and marker beside it.

Belongs here: colours, hatches and markers by name. Does not belong here: drawing.

A look depends on the name alone, so an order looks the same in every figure of every release. The commonest insect
orders have a colour of their own. Others share the colours with another hatch and marker. The eight colours differ
pairwise by at least 25 (CIE 1976 ΔE), for normal sight and under simulated deuteranopia and protanopia; a test holds
this. Nothing rests on the colour alone.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

COLOURS = ("#2f6f5e", "#e8a62a", "#3091e7", "#e77e59", "#754990", "#86cbe8", "#6a471a", "#f2a3a2")
"""Colours of groups, the same on light and on dark ground."""
DARK_COLOURS = frozenset({"#2f6f5e", "#754990", "#6a471a"})
"""Those of them on which light letters are read; on the others, dark ones are."""
HATCHES = ("", "///", ".", "\\\\\\", "xx", "||", "--", "++")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


class Look(NamedTuple):
    """How a group is drawn: colour of its area, hatch of matplotlib on it, marker of its points."""

    colour: str
    hatch: str
    marker: str


_COMMON = {
    "class": ("Insecta", "Arachnida", "Collembola", "Malacostraca", "Diplopoda", "Chilopoda", "Symphyla", "Diplura"),
    "order": (
        *("Diptera", "Hymenoptera", "Hemiptera", "Lepidoptera", "Coleoptera", "Psocodea", "Thysanoptera"),
        "Trichoptera",
    ),
}
_OTHERS = {
    "order": (
        *("Amphipoda", "Araneae", "Archaeognatha", "Blattodea", "Decapoda", "Dermaptera", "Embioptera"),
        *("Entomobryomorpha", "Ephemeroptera", "Geophilomorpha", "Isopoda", "Ixodida", "Julida", "Lithobiomorpha"),
        *("Mantodea", "Mecoptera", "Megaloptera", "Mesostigmata", "Neelipleona", "Neuroptera", "Odonata", "Opiliones"),
        *("Orthoptera", "Phasmatodea", "Plecoptera", "Poduromorpha", "Polydesmida", "Polyxenida", "Pseudoscorpiones"),
        *("Raphidioptera", "Sarcoptiformes", "Scorpiones", "Siphonaptera", "Strepsiptera", "Symphypleona"),
        *("Trombidiformes", "Zoraptera", "Zygentoma"),
    )
}
_SHARED = len(COLOURS) * (len(HATCHES) - 1)
"""Looks besides those of the common names."""


def look(name: str, rank: str = "order") -> Look:
    """The look of a taxon.

    Args:
        name: its name. Names that this module does not list take a look by their hash, which another may have, too.
        rank: class or order; at other ranks every look is by hash.

    Example:
        >>> look("Diptera")
        Look(colour='#2f6f5e', hatch='', marker='o')
    """
    common, others = _COMMON.get(rank, ()), _OTHERS.get(rank, ())
    if name in common:
        place = common.index(name)
        return Look(COLOURS[place], HATCHES[place], MARKERS[place])
    if name in others:
        place = others.index(name)
    else:
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % _SHARED
    colour = place % len(COLOURS)
    second = (colour + 1 + place // len(COLOURS)) % len(HATCHES)
    return Look(COLOURS[colour], HATCHES[second], MARKERS[second])
