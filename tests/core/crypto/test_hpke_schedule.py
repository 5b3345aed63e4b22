# SPDX-License-Identifier: Apache-2.0
"""The key schedule of the SM twin of HPKE, with the digests that RFC 9180 has.

The twin is RFC 9180 with other algorithms put in. These are the vectors of the RFC
(appendix A) for the same code, with the RFC's algorithms put in.
"""

import json

import cryptography_vectors
import pytest

from strongroom.core.crypto import x25519
from strongroom.core.crypto.aead import Aead, AesGcm, ChaCha20
from strongroom.core.crypto.hashing import SHA256, SHA512
from strongroom.core.crypto.hpke_sm import Schedule

_BASE, _X25519 = 0, 0x20
_KDFS = {1: SHA256, 3: SHA512}
_KEY_BYTES = {1: 16, 2: 32, 3: 32}
_AEADS: dict[int, type[Aead]] = {2: AesGcm, 3: ChaCha20}


def vectors() -> list[dict[str, object]]:
    """Return the vectors of mode base over X25519 that encrypt."""
    path = "HPKE/test-vectors.json"
    with cryptography_vectors.open_vector_file(path, "r") as file:
        return [
            each
            for each in json.load(file)
            if (each["mode"], each["kem_id"]) == (_BASE, _X25519)
            and each["aead_id"] in _KEY_BYTES
        ]


def schedule(vector: dict[str, object]) -> Schedule:
    """Return the schedule of a vector; its KEM has SHA-256 whatever follows."""
    kem, kdf, aead = (int(str(vector[n])) for n in ("kem_id", "kdf_id", "aead_id"))
    ids = [number.to_bytes(2, "big") for number in (kem, kdf, aead)]
    return Schedule(
        _KDFS[kdf], b"KEM" + ids[0], b"HPKE" + b"".join(ids), _KEY_BYTES[aead]
    )


@pytest.mark.parametrize(
    "vector", vectors(), ids=lambda v: f"kdf-{v['kdf_id']}-aead-{v['aead_id']}"
)
def test_rfc_9180_appendix_a(vector: dict[str, object]) -> None:
    sk, pk, enc, info = (
        bytes.fromhex(str(vector[name])) for name in ("skRm", "pkRm", "enc", "info")
    )
    own = schedule(vector)
    kem = Schedule(SHA256, own.kem, own.hpke, own.key_bytes)
    shared = kem.shared_secret(x25519.shared_secret(sk, enc), enc + pk)
    assert shared.hex() == vector["shared_secret"]
    key, nonce = own.key_and_nonce(shared, info)
    assert (key.hex(), nonce.hex()) == (vector["key"], vector["base_nonce"])
    cipher = _AEADS.get(int(str(vector["aead_id"])))
    if cipher is not None:
        assert isinstance(vector["encryptions"], list)
        first = {k: bytes.fromhex(v) for k, v in vector["encryptions"][0].items()}
        assert first["nonce"] == nonce
        assert cipher(key).encrypt(nonce, first["pt"], first["aad"]) == first["ct"]  # type: ignore[call-arg]


def test_there_are_as_many_vectors_as_ways_to_combine_them() -> None:
    combined = {(each["kdf_id"], each["aead_id"]) for each in vectors()}
    assert combined == {(kdf, aead) for kdf in _KDFS for aead in _KEY_BYTES}
