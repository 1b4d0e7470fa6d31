"""Great Expectations on the rows of the release, as users get them."""

from __future__ import annotations

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.rows import data_files
from bioscan_etl.release.versions import published
from bioscan_etl.stages.expectations import expect
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write the results, and the complete list of failing rows."""
    draft = work.release
    tree = published(draft.releases, draft.digest) or draft.tree
    files = [path for split in vocabulary.SPLITS for path in data_files(tree, split)]
    expect("release_expectations", work.out, [(schema.METADATA_EXTENDED, files)])
