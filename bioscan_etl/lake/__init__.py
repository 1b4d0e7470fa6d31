"""The lake: all outputs of the stages, what they were made from, and which of them are current.

    OUTPUT/settings.toml                     the settings of the corpus (`lake.corpus`)
    OUTPUT/landing/<batch>/batch.json        the marker of a landed batch (`bioscan_etl.landing`)
    OUTPUT/lake/format.json                  the version of this layout
    OUTPUT/lake/outputs/<stage>/<batch>/<fingerprint>/
                                             files, then manifest.json: an output is complete when it has a manifest
    OUTPUT/lake/batches/<batch>.json         the record of a batch: which of its outputs are current (`lake.record`)
    OUTPUT/lake/current.json                 which outputs of the corpus' stages are current (`lake.current`)
    OUTPUT/lake/pins/<digest>.json           the batches that a corpus run reads (`lake.pins`)
    OUTPUT/lake/corpus.json                  what the last corpus run was made from
    OUTPUT/lake/failures/                    why a batch or the corpus could not be made (`lake.failures`)
    OUTPUT/withdrawn/<batch>.json            batches that a curator has withdrawn (`lake.withdrawals`)
    OUTPUT/releases/<version>/               what users download

The manifests are authoritative: Dagster's database can be lost without harm. An output's path is its fingerprint, which
covers the stage's code, data files, settings and inputs, so different outputs never overwrite each other. An output
becomes current by replacing one small file. No folder of the lake is renamed. Only `lake.locks` takes locks.
"""

from bioscan_etl.lake.store import CORPUS, Draft, Lake, Output, digest

__all__ = ["CORPUS", "Draft", "Lake", "Output", "digest"]
