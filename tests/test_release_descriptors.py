"""What both descriptors state about a release's files."""

from bioscan_etl.release.descriptors import described, license_address, media_type, semantic_version, summary
from bioscan_etl.release.manifest import Sums
from bioscan_etl.settings import ReleaseSettings

SETTINGS = ReleaseSettings()


def sums(*paths):
    return [Sums(path=path, size=1, sha256="a" * 64, md5="b" * 32) for path in paths]


def test_loose_images_and_the_report_are_not_described_one_by_one():
    found = sums("report/index.html", "data/x.parquet", "bioscan5m/images/cropped/train/0/A-1.jpg", "a.csv")
    assert [one.path for one in described(found, SETTINGS)] == ["a.csv", "data/x.parquet"]


def test_the_box_file_is_comma_separated_whatever_its_name():
    assert media_type("BIOSCAN_5M_Insect_bbox.tsv") == "text/csv"
    assert media_type("BIOSCAN_5M_Insect_bbox.tab.tsv") == "text/tab-separated-values"
    assert media_type("data/x.parquet") == "application/x-parquet"
    assert media_type("data/x.unknown") == "application/octet-stream"


def test_words_and_addresses():
    assert license_address(SETTINGS) == "https://creativecommons.org/licenses/by/3.0/"
    assert license_address(ReleaseSettings(image_license="mine")) == "mine"
    assert semantic_version("v12") == "12.0.0"
    assert "release v2: 5 specimens" in summary(SETTINGS, "v2", 5, 4)
