"""Defects of taxonomic labels, after the taxonomy spec, and names that only look like defects.

Belongs here: planting them in the groups that `bioscan_etl.demo.taxonomy` made for them.
"""

from __future__ import annotations

from bioscan_etl.demo.draft import Draft
from bioscan_etl.demo.taxonomy import epithet
from bioscan_etl.vocabulary import RANKS

_BELOW_GENUS = ("genus", "species")
_CIRCULAR = ("BIN Taxonomy Match (Aug 2022)", "BOLD ID Engine Manual (Aug 2022)", "Tree based identification")


def plant_names(draft: Draft) -> None:
    """Plant every defect of a label."""
    _plant_groups(draft)
    _plant_spellings(draft)
    _plant_lineages(draft)
    _plant_kept(draft)


def _swap_letters(word: str) -> str:
    """The word with its fourth letter from the end doubled: one edit away."""
    return f"{word[:-4]}{word[-4]}{word[-4:]}"


def _relabel(draft: Draft, specimen: int, species: str) -> None:
    draft.edit(specimen, "species", species)
    draft.edit(specimen, "identification", species)


def _other_species(draft: Draft, specimen: int) -> str:
    """A species of the same genus that the corpus has nowhere else."""
    genus = int(draft.taxonomy.genus_of_cluster[draft.cluster[specimen]])
    return f"{draft.value(specimen, 'genus')} {epithet(genus, 20)}"


def _plant_groups(draft: Draft) -> None:
    """Groups of one barcode: conflict, majority, gap, typo."""
    for members in draft.groups("conflict"):
        draft.free[members] = False
        for position, specimen in enumerate(int(member) for member in members):
            written = draft.value(specimen, "species")
            if position % 2:
                written = _other_species(draft, specimen)
                _relabel(draft, specimen, written)
            draft.note("barcode_conflict", specimen, "species", written, None)
            draft.note("barcode_several_species", specimen, "species", written)
    for members in draft.groups("majority"):
        draft.free[members] = False
        odd = int(members[0])
        expected = draft.value(odd, "species")
        written = _other_species(draft, odd)
        _relabel(draft, odd, written)
        draft.note("barcode_majority", odd, "species", written, expected)
        for specimen in members:
            draft.note("barcode_several_species", int(specimen), "species", draft.value(int(specimen), "species"))
    for members in draft.groups("inferred"):
        draft.free[members] = False
        for specimen, ranks in ((int(members[0]), ("species",)), (int(members[1]), _BELOW_GENUS)):
            for rank in ranks:
                expected = draft.value(specimen, rank)
                draft.plant("label_inferred", specimen, rank, "None", expected)
            deepest = RANKS[RANKS.index(ranks[0]) - 1]
            if draft.value(specimen, deepest) == "None":
                deepest = "family"
            draft.edit(specimen, "identification", draft.value(specimen, deepest))
            draft.edit(specimen, "identification_rank", deepest)
    for role, kind in (("typo", "name_typo"), ("malaise", "malaise_typo")):
        for members in draft.groups(role):
            draft.free[members] = False
            specimen = int(members[0])
            expected = draft.value(specimen, "species")
            written = _swap_letters(expected) if role == "typo" else expected.replace("Malaise", "Malaize")
            _relabel(draft, specimen, written)
            draft.note(kind, specimen, "species", written, expected)
            for member in members:
                draft.note("barcode_several_species", int(member), "species", draft.value(int(member), "species"))


def _plant_spellings(draft: Draft) -> None:
    named = draft.role("seen")
    dark = draft.role("dark")
    has_genus = (draft.specimens["genus"] != "None").to_numpy()
    words = ("Unknown", "unidentified", "n/a", "undetermined", "not identified")
    # Of records that have no species anyway, so the word is all there is to see.
    for number, specimen in enumerate(draft.take(len(words) * draft.rate, dark, some=True)):
        draft.plant("null_word", specimen, "species", words[number % len(words)], None)
    for rank in ("order", "genus", "species"):
        for specimen in draft.take(draft.rate, named):
            expected = draft.value(specimen, rank)
            draft.plant("name_case", specimen, rank, expected.upper(), expected)
    for author in ("Walker, 1856", "(Osten, 1871)"):
        for specimen in draft.take(draft.rate, named):
            expected = draft.value(specimen, "species")
            draft.plant("name_authorship", specimen, "species", f"{expected} {author}", expected)
    for rank in ("family", "species"):
        for specimen in draft.take(draft.rate, named):
            expected = draft.value(specimen, rank)
            draft.plant("name_whitespace", specimen, rank, f"  {expected.replace(' ', '  ')} ", expected)
    for members in draft.groups("decomposed"):
        draft.free[members] = False
        for specimen in (int(member) for member in members):
            expected = draft.value(specimen, "species")
            draft.plant("name_decomposed", specimen, "species", expected.replace("\u00eb", "e\u0308"), expected)
    for number, specimen in enumerate(draft.take(len(_CIRCULAR) * draft.rate, named, some=True)):
        method = _CIRCULAR[number % len(_CIRCULAR)]
        draft.plant("identification_circular", specimen, "identification_method", method)
    for kind, form in (("hybrid_name", "{genus} {one} \u00d7 {genus} {two}"), ("doubtful_name", "{genus} ?{one}")):
        for specimen in draft.take(draft.rate, draft.alone & has_genus):
            genus = int(draft.taxonomy.genus_of_cluster[draft.cluster[specimen]])
            name = draft.value(specimen, "genus")
            written = form.format(genus=name, one=epithet(genus, 21), two=epithet(genus, 22))
            draft.plant(kind, specimen, "species", written)


def _plant_lineages(draft: Draft) -> None:
    named = draft.role("seen")
    common = (draft.taxonomy.clusters["size"] >= 8).to_numpy()[draft.cluster]
    families = draft.specimens["family"].unique().sort().to_list()
    # Beside an equal barcode two families would be a conflict, and a missing one inferred, before lineages are seen to.
    for specimen in draft.take(draft.rate, named & common & draft.own_barcode):
        expected = draft.value(specimen, "family")
        other = next(family for family in families if family not in {expected, "None"})
        draft.plant("lineage_repaired", specimen, "family", other, expected)
    for specimen in draft.take(draft.rate, named & common & draft.own_barcode):
        draft.plant("lineage_filled", specimen, "family", "None", draft.value(specimen, "family"))
        draft.edit(specimen, "subfamily", "None")


def _plant_kept(draft: Draft) -> None:
    """Names that must stay unchanged, and the filler of undivided families."""
    for role, kind in (
        ("similar_a", "similar_names"),
        ("similar_b", "similar_names"),
        ("homonym_a", "homonym"),
        ("homonym_b", "homonym"),
    ):
        for members in draft.groups(role):
            field = "genus" if kind == "homonym" else "species"
            for specimen in (int(member) for member in members):
                draft.note(kind, specimen, field, draft.value(specimen, field), draft.value(specimen, field))
    for members in draft.groups("candidate"):
        largest = draft.groups("seen")[0]
        draft.free[members] = False
        specimen = int(members[0])
        right = draft.value(int(largest[0]), "species")
        for rank in RANKS:
            draft.edit(specimen, rank, draft.value(int(largest[0]), rank))
        written = _swap_letters(right)
        _relabel(draft, specimen, written)
        draft.note("typo_candidate", specimen, "species", written, written)
    forms = draft.taxonomy.clusters["form"].to_list()
    for specimen, cluster in enumerate(draft.cluster):
        form = forms[cluster]

        if form is not None and draft.free[specimen]:
            field = "genus" if form == "placeholder_genus" else "species"
            name = draft.value(specimen, field)
            draft.note(form, specimen, field, name, name)
    undivided = (draft.specimens["genus"] != "None") & (draft.specimens["subfamily"] == "None")
    for specimen in undivided.arg_true().to_list():
        draft.note("unassigned_filler", specimen, "subfamily", "None", f"unassigned {draft.value(specimen, 'family')}")
