"""Versions in the order of their numbers, and the pointer to the last one."""

import pytest

from bioscan_etl.errors import LakeError
from bioscan_etl.release.manifest import write_manifest
from bioscan_etl.release.versions import latest, next_version, point_latest, published, versions


def test_versions_are_ordered_by_number(tmp_path):
    assert (versions(tmp_path), next_version(tmp_path), latest(tmp_path)) == ([], "v1", None)
    for name in ("v2", "v10", "v1", "v03", "vx", "notes"):
        (tmp_path / name).mkdir()
    assert [path.name for path in versions(tmp_path)] == ["v1", "v2", "v10"]
    assert next_version(tmp_path) == "v11"


def test_latest_is_a_relative_link_that_moves(tmp_path):
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        point_latest(tmp_path, tmp_path / name)
        assert latest(tmp_path) == tmp_path / name
    assert str((tmp_path / "latest").readlink()) == "v2"


def test_only_the_last_version_counts_as_published(tmp_path):
    assert published(tmp_path, "a") is None
    for name, digest in (("v1", "a"), ("v2", "b")):
        (tmp_path / name).mkdir()
        write_manifest(tmp_path / name, {"format": "bioscan-release", "inputs_digest": digest}, [])
    assert published(tmp_path, "a") is None
    assert published(tmp_path, "b") == tmp_path / "v2"
    (tmp_path / "v2" / "manifest.json").write_text("{}")
    with pytest.raises(LakeError, match=r"v2 has a damaged manifest\.json"):
        published(tmp_path, "b")
