"""What users should know: the numbers are the release's, the terms those of Croissant RAI."""

from test_release_forms_prov import MADE

from bioscan_etl.release.forms._rai import responsible_use
from bioscan_etl.release.manifest import Counts
from bioscan_etl.settings import ReleaseSettings

COUNTS = Counts(
    splits={"pretrain": 5, "train": 4, "key_unseen": 2, "test_unseen": 1},
    images={},
    boxes=10,
    changes=7,
    quarantined={},
    set_aside={},
    rejected={},
)
# Terms of the RAI vocabulary, version 1.0, that are used.
TERMS = {
    *("dataCollection", "dataCollectionType", "dataCollectionRawData", "dataCollectionMissingData"),
    *("dataPreprocessingProtocol", "dataImputationProtocol", "dataManipulationProtocol", "dataAnnotationProtocol"),
    *("machineAnnotationTools", "dataBiases", "dataLimitations", "dataUseCases", "personalSensitiveInformation"),
    *("dataSocialImpact", "dataReleaseMaintenancePlan"),
}


def test_the_terms_are_of_the_vocabulary():
    assert {name.removeprefix("rai:") for name in responsible_use(COUNTS, ReleaseSettings(), MADE)} == TERMS


def test_the_numbers_are_those_of_the_release():
    found = responsible_use(COUNTS, ReleaseSettings(citation="Cite me"), None)
    assert found["rai:dataCollectionMissingData"].startswith("2 of 12 specimens have no image")
    assert "before and after: 7 changes" in found["rai:dataManipulationProtocol"]
    assert found["rai:dataUseCases"][0] == "Training: the partitions pretrain and train, 9 specimens."
    assert "3 specimens" in found["rai:dataUseCases"][2]
    assert found["rai:dataReleaseMaintenancePlan"].endswith("Cite me")


def test_the_code_that_found_the_boxes_is_named_where_it_is_known():
    assert "rai:machineAnnotationTools" not in responsible_use(COUNTS, ReleaseSettings(), None)
    tools = responsible_use(COUNTS, ReleaseSettings(), MADE)["rai:machineAnnotationTools"]
    assert tools == [f"bioscan-etl, stage specimen_boxes, code {version}" for version in (3, 4)]
