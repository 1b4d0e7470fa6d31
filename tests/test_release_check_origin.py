"""Which code made a release, against the code that is installed."""

from bioscan_etl.provenance.code import code_of
from bioscan_etl.release.check.installed import installed
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.manifest import BatchProvenance, CorpusProvenance, Manifest, Provenance, StageProvenance


def made_by(code):
    stage = CorpusProvenance(code=code, settings={})
    made = Provenance(batches={}, corpus={"curated_taxonomy": stage}, withdrawn={}, notes={}, settings_digest="0" * 64)
    return Manifest.model_construct(provenance=made)


def ours(manifest, *stages):
    return Origin.of(manifest, installed).computes(*stages)


def test_only_the_code_that_decides_values_counts():
    code = code_of("curated_taxonomy").as_dict()
    assert ours(made_by(code), "curated_taxonomy")
    other = code | {"libraries": {**code["libraries"], "polars": "1.0"}}
    assert ours(made_by(other), "curated_taxonomy")
    other = code | {"libraries": {**code["libraries"], "gbif-name-parser": "0.1"}}
    assert not ours(made_by(other), "curated_taxonomy")
    assert not ours(made_by(code | {"version": "0"}), "curated_taxonomy")
    assert not ours(made_by(code), "curated_taxonomy", "normalised_names")
    assert ours(Manifest.model_construct(provenance=None), "curated_taxonomy")


def test_every_batch_counts():
    stage = StageProvenance(code=code_of("specimen_boxes").as_dict(), content="0" * 64, extra={})
    old = stage.model_copy(update={"code": stage.code | {"version": "0"}})

    def made(*stages):
        batches = {
            f"b{number}": BatchProvenance(
                delivery="0" * 64, settings={}, stages={"specimen_boxes": one}, failed_checks=[]
            )
            for number, one in enumerate(stages)
        }
        given = Provenance(batches=batches, corpus={}, withdrawn={}, notes={}, settings_digest="0" * 64)
        return Manifest.model_construct(provenance=given)

    assert ours(made(stage, stage), "specimen_boxes")
    assert not ours(made(stage, old), "specimen_boxes")
    assert not Origin.of(made(stage), installed).is_ours("specimen_boxes")
