# SPDX-License-Identifier: Apache-2.0
"""Data bound to what an app is: sealed here, opened by the same app alone (SEAL).

A sealed blob says in the clear what it is bound to, so that whoever may not open it
learns why. The key is the monitor's to give (`bound_key`); this room never keeps it.
"""

from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec import cbor
from strongroom.core.codec.binding import MAX_APPROVAL_BYTES, Binding
from strongroom.core.codec.bundle import VerifiedBundle
from strongroom.core.codec.record import Record
from strongroom.core.crypto import Aead, suite
from strongroom.core.rats import ServiceGate
from strongroom.errors import LimitReached, Malformed, Refused, Tampered

MAX_SEALED_BYTES = 12 << 20
SALT_BYTES = 32

_INFO = b"strongroom/sealed-data/v1\0"
_LABEL = "data"


@dataclass(frozen=True, kw_only=True)
class SealedData(Record):
    """A sealed blob as it was read.

    Attributes:
        suite: of the app that sealed.
        binding: what opens it.
        device: the device that sealed it, as its evidence names it.
        booted: digest of the registers of its boot.
        salt: makes the key of this blob one of its own.
        ciphertext: of the data, with its tag.
    """

    TYPE = "strongroom/sealed-data/v1"

    suite: str
    binding: Binding
    device: bytes
    booted: bytes
    salt: bytes
    ciphertext: bytes

    def __post_init__(self) -> None:
        if len(self.salt) != SALT_BYTES:
            message = f"a sealed blob has a salt of {SALT_BYTES} bytes"
            raise Malformed(message)

    def head(self, associated_data: bytes) -> bytes:
        """Return what is authenticated beside the data: all but the ciphertext."""
        value = {**self.to_value(), "ciphertext": b""}
        return cbor.encode([value, associated_data])


class Sealer:
    """Seals and opens for one app in its enclave (IF-14, IF-15)."""

    def __init__(self, gate: ServiceGate, bundle: VerifiedBundle) -> None:
        """Take the app's gate and its bundle, as the monitor measured it."""
        self._gate, self._bundle = gate, bundle
        self._suite = suite(bundle.manifest.suite)

    def seal(
        self,
        data: bytes,
        policy: Literal["measurement", "signer"] = "measurement",
        associated_data: bytes = b"",
    ) -> bytes:
        """Return `data` sealed to this app (IF-14).

        Args:
            data: at most 12 MiB.
            policy: "measurement" binds to this very app; "signer" to every app of
                its signer and name with its security version or a higher one.
            associated_data: authenticated, not stored; `unseal` must be given it.

        Raises:
            LimitReached: too much at once.
        """
        if len(data) > MAX_SEALED_BYTES:
            message = f"at most {MAX_SEALED_BYTES} bytes are sealed at once"
            raise LimitReached(message)
        names, manifest = self._gate.platform(), self._bundle.manifest
        blob = SealedData(
            suite=manifest.suite,
            binding=Binding(
                policy=policy,
                measurement=self._bundle.measurement,
                signer=names.signer,
                product=manifest.name,
                svn=manifest.svn,
            ),
            device=names.device_id,
            booted=names.booted,
            salt=self._gate.random(SALT_BYTES),
            ciphertext=b"",
        )
        aead, nonce = self._aead(blob, b"")
        sealed = aead.encrypt(nonce, data, blob.head(associated_data))
        return cbor.encode({**blob.to_value(), "ciphertext": sealed})

    def unseal(
        self, sealed: bytes, associated_data: bytes = b"", approval: bytes = b""
    ) -> bytes:
        """Return the data of a sealed blob (IF-15).

        1. It was sealed on this device, under the software that runs now.
        2. The monitor gives this app the key (signer, product, version, measurement).
        3. Nothing of it was changed.

        Args:
            sealed: from `seal`.
            associated_data: as it was given to `seal`.
            approval: of an upgrade, signed by the signer of both apps.

        Raises:
            Malformed: no sealed blob.
            Refused: `seal.device`, `seal.boot`, `seal.signer`, `seal.product`,
                `seal.svn`, `seal.measurement`.
            Tampered: `seal.data`.
        """
        blob = SealedData.from_bytes(sealed)
        if blob.suite != self._suite.id or len(approval) > MAX_APPROVAL_BYTES:
            message = f"a blob of suite {blob.suite}, or an approval of another size"
            raise Malformed(message)
        names = self._gate.platform()
        _same("device", blob.device, names.device_id, "Open it on that device.")
        _same("boot", blob.booted, names.booted, _BOOT)
        aead, nonce = self._aead(blob, approval)
        try:
            return aead.decrypt(nonce, blob.ciphertext, blob.head(associated_data))
        except Tampered as error:
            raise Tampered.because(
                rule="seal.data",
                owner="sealing",
                expected="sealed data as it was returned, with its associated data",
                got="altered data, or other associated data",
                remedy="Get the blob again from where it was stored.",
            ) from error

    def _aead(self, blob: SealedData, approval: bytes) -> tuple[Aead, bytes]:
        """Return the cipher of one blob, whose key is for one message."""
        row = self._suite
        with self._gate.bound_key(blob.binding, approval, _LABEL) as root:
            key = row.hkdf(
                root.view, salt=blob.salt, info=_INFO, length=row.aead_key_bytes
            )
        return row.aead(key), bytes(row.nonce_bytes)


def _same(what: str, wanted: bytes, got: bytes, remedy: str) -> None:
    if wanted != got:
        raise Refused.because(
            rule=f"seal.{what}",
            owner="sealing",
            expected=f"{what} {wanted.hex()[:16]}, where it was sealed",
            got=got.hex()[:16],
            remedy=remedy,
        )


_BOOT = "Boot the software that sealed it; after an update, seal the data again there."
