"""Signatures of releases, made and verified here and by `ssh-keygen`, the tool that defines the format."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.release.signature import (
    NAMESPACE,
    fingerprint,
    public_key,
    read_signature,
    read_signers,
    read_signing_key,
)

WHO = "releases@example.org"


def keygen(*words, **options):
    """Run ssh-keygen; the tests are skipped without it, which CI does not allow."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen: apt-get install openssh-client")
    return subprocess.run(["ssh-keygen", *map(str, words)], check=False, capture_output=True, **options)


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """The path of a private key; its public one is beside it."""
    path = tmp_path_factory.mktemp("keys") / "key"
    assert keygen("-q", "-t", "ed25519", "-N", "", "-C", "publisher", "-f", path).returncode == 0
    return path


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(b'{"format": "bioscan-release"}\n' * 1000)
    return path


def verified(document, signature, key):
    """What ssh-keygen says of a signature."""
    allowed = document.with_name("allowed")
    allowed.write_text(f'{WHO} namespaces="{NAMESPACE}" {key.with_suffix(".pub").read_text()}')
    words = ("-Y", "verify", "-f", allowed, "-I", WHO, "-n", NAMESPACE, "-s", signature)
    return keygen(*words, input=document.read_bytes())


def test_ssh_keygen_verifies_what_is_signed_here(key, document):
    signature = document.with_name("manifest.json.sig")
    signature.write_text(read_signing_key(key).sign(document))
    done = verified(document, signature, key)
    assert done.returncode == 0, done.stderr
    document.write_bytes(document.read_bytes() + b"\n")
    assert verified(document, signature, key).returncode != 0


def test_what_ssh_keygen_signs_is_verified_here(key, document):
    keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, document)
    signature = document.with_name("manifest.json.sig")
    # Ed25519 and the format leave no choice: both sign with the same bytes.
    assert signature.read_text() == read_signing_key(key).sign(document)
    found = read_signature(signature)
    assert found.is_of(document)
    assert [found.public] == list(read_signers(key.with_suffix(".pub")))
    document.write_bytes(b"{}")
    assert not found.is_of(document)


def test_a_fingerprint_is_that_of_ssh_keygen(key):
    shown = keygen("-l", "-f", key.with_suffix(".pub")).stdout.decode().split()[1]
    assert fingerprint(read_signing_key(key).public) == shown


def test_a_signature_for_another_purpose_is_none(key, document):
    keygen("-Y", "sign", "-f", key, "-n", "file", document)
    with pytest.raises(ValueError, match="of the namespace b'file'"):
        read_signature(document.with_name("manifest.json.sig"))


def test_a_file_of_allowed_signers_is_read(key, tmp_path):
    public = key.with_suffix(".pub").read_text().strip()
    path = tmp_path / "allowed"
    path.write_text(f'# ours\n\n{WHO} {public}\nme namespaces="git" {public[:-20]}x\nyou ssh-rsa AAAA\n')
    assert read_signers(path) == (" ".join(public.split()[:2]),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no public key"),
        ("ssh-rsa AAAA me\n", "has no public key"),
        ("ssh-ed25519 AAAA me\n", "line 1 of .* is no ssh-ed25519 key"),
        ("me cert-authority ssh-ed25519 AAAA\n", "options that are not supported: cert-authority"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_of_signers_that_is_none_is_refused(tmp_path, content, words):
    path = tmp_path / "signers"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourceError, match=words):
        read_signers(path)
    with pytest.raises(SourceError, match="cannot be read"):
        read_signers(tmp_path / "absent")


def test_a_key_that_cannot_sign_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"absent of release.signing_key cannot be read.*ssh-keygen -t ed25519"):
        read_signing_key(tmp_path / "absent")
    for name, words, why in (
        ("rsa", ("-t", "rsa", "-b", "2048", "-N", ""), "is no Ed25519 key"),
        ("locked", ("-t", "ed25519", "-N", "secret"), "has a passphrase"),
    ):
        assert keygen("-q", *words, "-f", tmp_path / name).returncode == 0
        with pytest.raises(SettingsError, match=why):
            read_signing_key(tmp_path / name)
    (tmp_path / "text").write_text("no key")
    with pytest.raises(SettingsError, match="is no private key of OpenSSH"):
        read_signing_key(tmp_path / "text")


@given(st.data())
def test_a_damaged_signature_is_refused_or_does_not_verify(key, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    document, path = folder / "manifest.json", folder / "manifest.json.sig"
    document.write_bytes(b"{}")
    content = bytearray(read_signing_key(key).sign(document).encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    path.write_bytes(content)
    path.with_name("whole").write_text(read_signing_key(key).sign(document))
    whole = read_signature(path.with_name("whole"))
    try:
        found = read_signature(path)
    except ValueError:
        return
    # A blank for a line end, say, leaves the signature what it is.
    assert found == whole or not found.is_of(document)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_signature(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "manifest.json.sig"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_signature(path)


@pytest.mark.parametrize("text", ["", "ssh-rsa AAAA", "ssh-ed25519 !", "ssh-ed25519 AAAA", "ssh-ed25519"])
def test_a_public_key_is_one_or_refused(text):
    with pytest.raises(ValueError, match=r"."):
        public_key(text)
