"""What only the publisher can vouch for: the signature of a release, and the published sum of its manifest."""

import hashlib
import json
import shutil
import subprocess
import sys

import pytest
from release_corpus import GROWN, corpus
from resealed import copied, put, sealed

import bioscan_etl
from bioscan_etl.cli import main
from bioscan_etl.errors import LakeError, SettingsError
from bioscan_etl.extras import MissingExtraError
from bioscan_etl.release.check import Vouched, check
from bioscan_etl.release.manifest import MANIFEST, SIGNATURE, read_head, walk, write_manifest
from bioscan_etl.release.signature import read_signers, read_signing_key
from bioscan_etl.settings import ReleaseSettings, Settings

SMALL = {"image_packages": (), "hdf5_packages": (), "forms": ("splits", "datapackage")}


def made_key(path):
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen: apt-get install openssh-client")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return made_key(tmp_path_factory.mktemp("key") / "private-key")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return made_key(tmp_path_factory.mktemp("other") / "other-key")


@pytest.fixture(scope="module")
def releases(tmp_path_factory, key):
    """v1 is not signed, v2 is; both hold the same."""
    folder = tmp_path_factory.mktemp("releases")
    made = corpus(tmp_path_factory.mktemp("lake"))
    for digest, path in (("1", ""), ("2", str(key))):
        made.build(folder, Settings(release=ReleaseSettings(**SMALL, signing_key=path), splits=GROWN), digest * 64)
    return folder


@pytest.fixture(scope="module")
def signed(releases):
    return releases / "v2"


def signers(key):
    return Vouched(read_signers(key.with_suffix(".pub")))


def words(found):
    return [f"{fault.file}: {fault.fault}" for fault in found]


def test_a_signed_release_has_no_fault(releases, signed, key):
    assert check(signed) == []
    assert check(signed, vouched=signers(key)) == []
    assert SIGNATURE in set(walk(signed))
    assert SIGNATURE in (signed / "README.md").read_text()
    assert SIGNATURE not in (releases / "v1" / "README.md").read_text()
    assert "signature" not in read_head(releases / "v1")


def test_the_path_of_the_key_is_in_no_file_of_the_release(signed, key):
    for name in walk(signed):
        content = (signed / name).read_bytes()
        assert key.name.encode() not in content, name
        assert b"PRIVATE KEY" not in content, name


def test_the_key_makes_no_output_stale(key):
    plain, with_key = (Settings(release=ReleaseSettings(**SMALL, signing_key=path)) for path in ("", str(key)))
    assert plain.digest() == with_key.digest()
    assert plain.values(["release.*"]) == with_key.values(["release.*"])


def test_the_same_release_has_the_same_signature(signed, key):
    assert (signed / SIGNATURE).read_text() == read_signing_key(key).sign(signed / MANIFEST)


def test_what_is_changed_and_sealed_is_found_by_the_signature_alone(signed, tmp_path, key):
    """A change that all of the release agrees with, as of a value that nothing else follows from."""
    root = copied(signed, tmp_path)
    head = read_head(root)
    files = json.loads((root / MANIFEST).read_text())["files"]
    head["inputs"][0]["sha256"] = "f" * 64
    (root / MANIFEST).unlink()
    write_manifest(root, head, files)
    assert words(check(root)) == [f"{SIGNATURE}: is not of this {MANIFEST}: it was changed after it was signed"]
    assert check(root, vouched=signers(key)) == check(root)


def test_a_release_signed_anew_is_not_that_of_the_publisher(signed, tmp_path, key, other):
    root = copied(signed, tmp_path)
    head = read_head(root)
    files = json.loads((root / MANIFEST).read_text())["files"]
    head["signature"]["public_key"] = read_signing_key(other).public
    (root / MANIFEST).unlink()
    write_manifest(root, head, files)
    put(root / SIGNATURE, read_signing_key(other).sign(root / MANIFEST).encode())
    assert check(root) == []
    [fault] = check(root, vouched=signers(key))
    assert fault.file == SIGNATURE
    assert "the given ones are SHA256:" in fault.fault
    put(root / SIGNATURE, read_signing_key(key).sign(root / MANIFEST).encode())
    assert any("not of the one in manifest.json" in fault for fault in words(check(root)))


def test_a_signature_that_was_taken_away_is_missed(releases, signed, tmp_path, key):
    root = copied(signed, tmp_path)
    (root / SIGNATURE).unlink()
    assert words(check(root)) == [
        f"{SIGNATURE}: is missing, or no plain file; {MANIFEST} says that the release is signed"
    ]
    put(root / SIGNATURE, b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")
    assert "is no signature of a release" in words(check(root))[0]
    assert "the release is not signed" in words(check(releases / "v1", vouched=signers(key)))[0]


def test_a_signature_that_the_manifest_does_not_name_is_a_fault(releases, signed, tmp_path):
    root = copied(releases / "v1", tmp_path)
    shutil.copy(signed / SIGNATURE, root / SIGNATURE)
    assert words(check(root)) == [f"{SIGNATURE}: is here, though {MANIFEST} does not say that the release is signed"]


def test_the_published_sum(releases, tmp_path, capsys):
    release = releases / "v1"
    published = hashlib.sha256((release / MANIFEST).read_bytes()).hexdigest()
    assert check(release, vouched=Vouched(sha256=published.upper())) == []
    root = copied(release, tmp_path)
    put(root / "README.md", (root / "README.md").read_bytes().replace(b"| val | 2 |", b"| val | 3 |"))
    assert "the published one is" in words(check(sealed(root), vouched=Vouched(sha256=published)))[0]
    assert main(["check", str(release), "--manifest-sha256", published]) == 0
    assert main(["check", str(release), "--manifest-sha256", "0" * 64]) == 1
    assert main(["check", str(release), "--manifest-sha256", "12"]) == 2
    assert "is no sha256" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="64 hex digits"):
        bioscan_etl.check(release, manifest_sha256="12")


def test_the_command_checks_the_signers(releases, signed, key, other, capsys):
    assert main(["check", str(signed), "--signers", str(key.with_suffix(".pub"))]) == 0
    assert main(["check", str(signed), "--signers", str(other.with_suffix(".pub"))]) == 1
    assert main(["check", str(releases / "v1"), "--signers", str(key.with_suffix(".pub"))]) == 1
    assert main(["check", str(signed), "--signers", str(key)]) == 2
    assert "has no public key" in capsys.readouterr().err


def test_without_the_library_a_key_that_is_given_is_asked_for(signed, key, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    assert check(signed) == []
    with pytest.raises(MissingExtraError, match=r"pip install 'bioscan-etl\[signatures\]'"):
        check(signed, vouched=signers(key))


def test_a_key_that_cannot_be_used_stops_the_release(tmp_path):
    settings = Settings(release=ReleaseSettings(**SMALL, signing_key=str(tmp_path / "absent")), splits=GROWN)
    with pytest.raises(SettingsError, match=r"release.signing_key cannot be read"):
        corpus(tmp_path / "lake").build(tmp_path / "releases", settings)
    assert not (tmp_path / "releases" / "v1").exists()


def test_a_mirror_refuses_a_signed_release_without_its_signature(signed, tmp_path):
    from bioscan_etl.release.ship.mirror import publish_to_s3

    root = copied(signed, tmp_path)
    (root / SIGNATURE).unlink()
    with pytest.raises(LakeError, match="is no release"):
        publish_to_s3(root, "s3://bucket/sets")


@pytest.mark.slow
def test_a_mirror_carries_the_signature(signed, key, s3, tmp_path):
    from bioscan_etl.release.ship.mirror import download, publish_to_s3

    done = publish_to_s3(signed, "s3://deliveries/signed")
    assert done.files == len(list(walk(signed)))
    fetched = download("s3://deliveries/signed/latest", tmp_path)
    assert check(fetched, vouched=signers(key)) == []
    assert publish_to_s3(signed, "s3://deliveries/signed").sent == 0
