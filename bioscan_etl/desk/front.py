"""The first page: batches with what became of them, releases, what the next run does, and what decisions did.

Belongs here: its JSON. Does not belong here: the counts of doubts, which the browser makes of the worklist.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bioscan_etl.decisions.standing import standing
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.desk.counted import lines_by_status, rows_by_batch
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.overview import survey_corpus


def front(corpus: Corpus) -> dict[str, Any]:
    """Everything on the first page but the doubts; what cannot be read is named in `problems`."""
    found: dict[str, Any] = {"problems": [], "batches": [], "releases": [], "next_run": None}
    try:
        survey = survey_corpus(corpus.lake, corpus.settings)
        found |= {
            "batches": [asdict(one) for one in survey.batches],
            "folders": survey.folders,
            "releases": [asdict(one) for one in reversed(survey.releases)],
            "next_run": asdict(survey.next_run),
        }
    except (BioscanError, OSError) as error:
        found["problems"].append(sentence(error))
    counts = rows_by_batch(corpus) if corpus.has_run() else {}
    for batch in found["batches"]:
        batch["counts"] = counts.get(batch["batch"], {})
    found |= _decided(corpus)
    return found


def _decided(corpus: Corpus) -> dict[str, Any]:
    """What became of the decisions, newest first."""
    stands = standing(corpus.lake, corpus.reader)
    return {**lines_by_status(stands.lines), "refused": stands.refused.to_dicts(), "taken_away": stands.taken_away}
