"""The signature of a release: SSHSIG over manifest.json, with an Ed25519 key, as `ssh-keygen -Y sign` makes it.

The manifest holds the sums of all other files, so that its signature covers them. `ssh-keygen -Y verify` verifies it
without this package. Belongs here: keys, signing and verifying. Does not belong here: whether a release must be signed
(`release.check.signature`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.extras import extras_named

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "sshsig"
NAMESPACE = "bioscan-release"
"""What the signature is for: one made for another purpose is not accepted (`ssh-keygen -Y verify -n`)."""
KEY_TYPE = "ssh-ed25519"

_MAGIC = b"SSHSIG"
_VERSION = 1
_HASH = "sha512"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_LARGEST = 1 << 16  # bytes of a key or a signature; ours have some 300
_HOW = "make one with: ssh-keygen -t ed25519 -N '' -f FILE"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key.

    Attributes:
        public: its public key, `ssh-ed25519 AAAA…`.
    """

    public: str
    _private: Ed25519PrivateKey

    def sign(self, path: Path) -> str:
        """The signature of a file; the same file and key give the same text."""
        signature = self._private.sign(_signed(path))
        blob = _MAGIC + struct.pack(">I", _VERSION)
        blob += _text(key_bytes(self.public)) + _text(NAMESPACE.encode()) + _text(b"") + _text(_HASH.encode())
        blob += _text(_text(KEY_TYPE.encode()) + _text(signature))
        return "\n".join([_BEGIN, *textwrap.wrap(base64.b64encode(blob).decode(), 70), _END, ""])


def read_signing_key(path: Path) -> SigningKey:
    """Read a private key: Ed25519, OpenSSH format, without a passphrase.

    Raises:
        SettingsError: it cannot be read, or is no such key.
    """
    with extras_named():
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise SettingsError(f"the key {path} of release.signing_key cannot be read: {error.strerror}; {_HOW}") from None
    try:
        private = serialization.load_ssh_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError(
            f"{path}, given as release.signing_key, is no private key of OpenSSH, or has a passphrase; {_HOW}"
        ) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsError(f"{path}, given as release.signing_key, is no Ed25519 key; {_HOW}")
    encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return SigningKey(private.public_key().public_bytes(encoding, form).decode(), private)


def read_signers(path: Path) -> tuple[str, ...]:
    """The public keys of a file, each as `ssh-ed25519 AAAA…`.

    Args:
        path: a public key (`key.pub`), or a list of allowed signers as `ssh-keygen -Y verify -f` reads it.

    Raises:
        SourceError: it cannot be read, or has no Ed25519 key.
    """
    try:
        with path.expanduser().open("rb") as stream:
            lines = stream.read(_LARGEST).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"the file of signers {path} cannot be read: {error}; give the file key.pub") from None
    found = tuple(dict.fromkeys(_keys(path, lines)))
    if not found:
        raise SourceError(f"{path} has no public key that begins with {KEY_TYPE}; give the file key.pub of the signer")
    return found


def _keys(path: Path, lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#") or KEY_TYPE not in words[:-1]:
            continue
        place = words.index(KEY_TYPE)
        options = words[1:place]
        # A namespace is the only option that does not need the time, which a release does not state.
        if place > 2 or any(not option.startswith("namespaces=") for option in options):
            raise SourceError(f"line {number} of {path} has options that are not supported: {' '.join(options)}")
        if options and NAMESPACE not in options[0].partition("=")[2].strip('"').split(","):
            continue
        key = f"{KEY_TYPE} {words[place + 1]}"
        try:
            public_key(key)
        except ValueError:
            raise SourceError(f"line {number} of {path} is no {KEY_TYPE} key") from None
        yield key


def public_key(text: str) -> bytes:
    """The 32 bytes of a public key `ssh-ed25519 AAAA…`.

    Raises:
        ValueError: it is none.
    """
    reader = _Reader(key_bytes(text))
    if reader.text() != KEY_TYPE.encode() or len(found := reader.text()) != 32 or reader.rest:
        raise ValueError(f"no {KEY_TYPE} key")
    return found


def key_bytes(text: str) -> bytes:
    """A public key as SSH sends it.

    Raises:
        ValueError: it is none.
    """
    kind, _, encoded = text.partition(" ")
    if kind != KEY_TYPE:
        raise ValueError(f"no {KEY_TYPE} key")
    return base64.b64decode(encoded, validate=True)


def fingerprint(key: str) -> str:
    """A public key as `ssh-keygen -l` shows it.

    Raises:
        ValueError: it is none.
    """
    digest = base64.b64encode(hashlib.sha256(key_bytes(key)).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was read, and is not verified yet.

    Attributes:
        public: the key that is to have made it, `ssh-ed25519 AAAA…`.
        value: the 64 bytes.
    """

    public: str
    value: bytes

    def is_of(self, path: Path) -> bool:
        """Whether its key signed a file.

        Raises:
            MissingExtraError: the library that verifies is not installed.
        """
        with extras_named():
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        try:
            Ed25519PublicKey.from_public_bytes(public_key(self.public)).verify(self.value, _signed(path))
        except InvalidSignature:
            return False
        return True


def read_signature(path: Path) -> Signature:
    """Read a signature file, which may be hostile.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no signature of this namespace by an Ed25519 key; the message says what it is.
    """
    with path.open("rb") as stream:
        content = stream.read(_LARGEST)
    lines = content.decode("ascii").split()
    begin, end = _BEGIN.split(), _END.split()
    if lines[: len(begin)] != begin or lines[-len(end) :] != end:
        raise ValueError("it is no SSH signature")
    try:
        blob = base64.b64decode("".join(lines[len(begin) : -len(end)]), validate=True)
    except binascii.Error:
        raise ValueError("it is no SSH signature") from None
    if not blob.startswith(_MAGIC + struct.pack(">I", _VERSION)):
        raise ValueError("it is no SSH signature of version 1")
    reader = _Reader(blob[len(_MAGIC) + 4 :])
    key, namespace, reserved, algorithm, signature = (reader.text() for _ in range(5))
    if reader.rest or reserved:
        raise ValueError("it has more bytes than a signature")
    if namespace != NAMESPACE.encode():
        raise ValueError(f"it is of the namespace {namespace[:60]!r}, not {NAMESPACE!r}")
    if algorithm != _HASH.encode():
        raise ValueError(f"it is of the hash {algorithm[:60]!r}, not {_HASH!r}")
    public = f"{KEY_TYPE} {base64.b64encode(key).decode()}"
    public_key(public)
    inner = _Reader(signature)
    if inner.text() != KEY_TYPE.encode() or len(value := inner.text()) != 64 or inner.rest:
        raise ValueError(f"it is no {KEY_TYPE} signature")
    return Signature(public, value)


def _signed(path: Path) -> bytes:
    """What the key signs for a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, _HASH).digest()
    return _MAGIC + _text(NAMESPACE.encode()) + _text(b"") + _text(_HASH.encode()) + _text(digest)


def _text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


class _Reader:
    """Texts of SSH's format: a length of four bytes, then as many bytes."""

    def __init__(self, blob: bytes) -> None:
        self.rest = blob

    def text(self) -> bytes:
        """The next text.

        Raises:
            ValueError: the bytes end before it does.
        """
        size = int.from_bytes(self.rest[:4], "big")
        if len(self.rest) < 4 + size:
            raise ValueError("it is cut")
        found, self.rest = self.rest[4 : 4 + size], self.rest[4 + size :]
        return found
