"""Is a release the one that its publisher vouches for?

Belongs here: the signature of the manifest, and its published sum. All other evidence is in the release itself, so that
whoever changes all of it consistently leaves no trace; only these two come from outside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bioscan_etl.extras import MissingExtraError
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.manifest import MANIFEST, SIGNATURE, Manifest
from bioscan_etl.release.signature import fingerprint, read_signature


@dataclass(frozen=True, slots=True)
class Vouched:
    """What the caller knows of a release from elsewhere.

    Attributes:
        signers: public keys, `ssh-ed25519 AAAA…`; one of them must have signed it. None: no key is known.
        sha256: of manifest.json, as it was published; empty: not known.
    """

    signers: Sequence[str] = ()
    sha256: str = ""


def check_sum(root: Path, vouched: Vouched) -> Iterator[Fault]:
    """The manifest has the published sum; a manifest that cannot be read has one, too."""
    if vouched.sha256 and is_plain(root, MANIFEST):
        with (root / MANIFEST).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != vouched.sha256.lower():
            yield Fault(MANIFEST, None, f"has the sha256 {found}, the published one is {vouched.sha256.lower()}")


def check(root: Path, manifest: Manifest, vouched: Vouched) -> Iterator[Fault]:
    """A release that says that it is signed is, by the key that it names and, if keys are given, by one of them.

    Raises:
        MissingExtraError: keys are given, and the library that verifies is not installed.
    """
    stated = manifest.signature
    if stated is None:
        if (root / SIGNATURE).exists() or (root / SIGNATURE).is_symlink():
            yield Fault(SIGNATURE, None, f"is here, though {MANIFEST} does not say that the release is signed")
        if vouched.signers:
            yield Fault(SIGNATURE, None, "the release is not signed, so none of the given keys vouches for it")
        return
    if not is_plain(root, SIGNATURE):
        yield Fault(SIGNATURE, None, f"is missing, or no plain file; {MANIFEST} says that the release is signed")
        return
    try:
        signature = read_signature(root / SIGNATURE)
    except (OSError, ValueError) as error:
        yield Fault(SIGNATURE, None, f"is no signature of a release: {error}")
        return
    if signature.public != stated.public_key:
        yield Fault(SIGNATURE, None, f"is of the key {fingerprint(signature.public)}, not of the one in {MANIFEST}")
    if vouched.signers and signature.public not in vouched.signers:
        given = ", ".join(fingerprint(key) for key in vouched.signers)
        yield Fault(SIGNATURE, None, f"is of the key {fingerprint(signature.public)}; the given ones are {given}")
    try:
        valid = signature.is_of(root / MANIFEST)
    except MissingExtraError:
        # Without a key from outside the signature proves nothing that the sums do not: whoever makes all sums anew
        # signs anew, too.
        if vouched.signers:
            raise
        return
    if not valid:
        yield Fault(SIGNATURE, None, f"is not of this {MANIFEST}: it was changed after it was signed")
