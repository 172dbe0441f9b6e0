"""Sealing secrets with AES-256-GCM: a key for each tenant, made from one that never leaves the data folder.

Who may open what is the business of the operations. No plaintext is kept, and none is in an error.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eigenpal.sandbox.ids import derived_id

ALGORITHM = "aes-256-gcm"
KEY_BYTES = 32
NONCE_BYTES = 12  # what GCM is made for; other lengths are hashed down to it
TAG_BYTES = 16


class Foreign(Exception):
    """The secret was sealed with a key that this tenant does not have."""


class Tampered(Exception):
    """The secret is not the one that was sealed for this place and name."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a secret is sealed for; it opens for nothing else."""

    tenant: str
    source_path: str
    name: str


class Vault:
    """Seals and opens secrets.

    Args:
        key: The master key, 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, place: Place, plaintext: str) -> dict[str, str]:
        """Return a secret in its sealed form.

        Args:
            place: What it is for.
            plaintext: The secret.
        """
        # Imported here: only who seals secrets waits for it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key, nonce = self._tenant_key(place.tenant), secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), _associated(place))
        parts = {"nonce": nonce, "ciphertext": sealed[:-TAG_BYTES], "tag": sealed[-TAG_BYTES:]}
        return {"algorithm": ALGORITHM, "keyId": _key_id(key)} | {
            name: base64.b64encode(data).decode() for name, data in parts.items()
        }

    def open(self, place: Place, encrypted: Mapping[str, str]) -> str:
        """Return the text of a sealed secret.

        Args:
            place: What it was sealed for.
            encrypted: The sealed form.

        Raises:
            Foreign: Another key sealed it.
            Tampered: It was changed, or sealed for another place.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._tenant_key(place.tenant)
        if encrypted["keyId"] != _key_id(key):
            raise Foreign
        try:
            nonce, ciphertext, tag = (
                base64.b64decode(encrypted[name], validate=True) for name in ("nonce", "ciphertext", "tag")
            )
        except (binascii.Error, ValueError):
            raise Tampered from None
        if encrypted["algorithm"] != ALGORITHM or len(nonce) != NONCE_BYTES or len(tag) != TAG_BYTES:
            raise Tampered
        try:
            return AESGCM(key).decrypt(nonce, ciphertext + tag, _associated(place)).decode()
        except InvalidTag:
            raise Tampered from None

    def sign(self, purpose: str, text: str) -> str:
        """Return what only this data folder can have written under a text, in hex.

        Args:
            purpose: What the text is for; a signature is good for nothing else.
            text: The text.
        """
        key = hmac.digest(self._key, b"eigenpal sandbox signatures\0" + purpose.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()

    def _tenant_key(self, tenant: str) -> bytes:
        return hmac.digest(self._key, b"eigenpal sandbox secrets\0" + tenant.encode(), "sha256")

    def __repr__(self) -> str:
        return "<Vault>"


def open_vault(file: Path) -> Vault:
    """Return the vault whose key a file holds; the file is made when it isn't there, for its owner only.

    Args:
        file: Where the key is.

    Raises:
        ValueError: The file holds something else.
        OSError: The file can't be read or made.
    """
    if not file.exists():
        draft = file.with_name(f"{file.name}.new")
        draft.unlink(missing_ok=True)  # left by a process that was killed on this line
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(secrets.token_bytes(KEY_BYTES))
            target.flush()
            os.fsync(target.fileno())  # what it seals may outlive everything else in the folder
        draft.replace(file)
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{file} does not hold the key of a sandbox's secrets; without it they can't be opened.")
    file.chmod(0o600)  # a copied folder may have lost it
    return Vault(key)


def _associated(place: Place) -> bytes:
    return json.dumps([place.tenant, place.source_path, place.name]).encode()


def _key_id(key: bytes) -> str:
    return derived_id("key", key.hex())
