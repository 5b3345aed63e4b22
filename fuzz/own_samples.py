# SPDX-License-Identifier: Apache-2.0
"""Inputs of our own formats, made with keys that are no secret."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from fuzz.targets import SHARED
from strongroom.core.codec import cbor, cose, jws
from strongroom.core.codec.certificate import Certificate, issue
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.note import NoteKey
from strongroom.core.codec.sealed import DatasetHeader, Prefix
from strongroom.core.codec.tlog import Checkpoint, TilePath, encode_bundle
from strongroom.core.crypto import SigningKey, sm2, sm2der, sm2key, suite
from strongroom.core.rats import AppFacts, PlatformFacts, TrustVector
from strongroom.core.rats.ear_claims import (
    AttesterClaims,
    Ear,
    EarSubmodule,
    VerifierClaims,
)
from strongroom.core.rats.ear_codec import to_cbor, to_json
from strongroom.core.rats.reference_values import first_version, sign_references
from strongroom.core.rats.registers import REGISTERS, Event, Register, replay
from strongroom.hardware.simulated import abi as simulated
from strongroom.system.monitor.gate import COMMANDS
from strongroom.system.monitor.report import encode_app_evidence
from tests.services.pe_builder import Pe

_ROOT = Path(__file__).resolve().parents[1]
_NOW = 1_750_000_000
_SUITES = ("intl", "sm")


def _key(suite_id: str) -> SigningKey:
    row = suite(suite_id)
    return row.signing_key(bytes([1]) * row.sign_seed_bytes)


def platform_statements() -> Iterator[bytes]:
    """Yield the statement of a simulated platform."""
    for suite_id in _SUITES:
        digest = bytes(suite(suite_id).digest_bytes)
        events = (Event("event", digest),)
        value = replay(suite_id, events)
        facts = PlatformFacts(
            kind=simulated.KIND,
            suite_id=suite_id,
            device_id=bytes(32),
            firmware_svn=1,
            boot_count=1,
            debug=False,
            registers=tuple(
                Register(index, name, value, events)
                for index, name in enumerate(REGISTERS)
            ),
            monitor_key=_key(suite_id).public,
            nonce=bytes(32),
            issued_at=_NOW,
            locks=("seccomp",),
        )
        yield simulated.encode(facts)


def app_evidence() -> Iterator[bytes]:
    """Yield what a monitor says of an app."""
    for each in _SUITES:
        facts = AppFacts(
            enclave_id=bytes(32),
            measurement=bytes(suite(each).digest_bytes),
            signer=bytes(32),
            product="app",
            svn=1,
            suite_id=each,
            memory_bytes=1,
            threads=1,
            processes=0,
            debug=False,
            permissions=(),
            locks=("seccomp",),
            config=bytes(suite(each).digest_bytes),
            nonce=bytes(8),
            user_data=b"",
            issued_at=_NOW,
        )
        yield encode_app_evidence(_key(each), facts)


def ear_json() -> Iterator[bytes]:
    """Yield the claims of a result in JSON."""
    yield to_json(_ear())


def ear_cbor() -> Iterator[bytes]:
    """Yield the claims of a result in CBOR."""
    yield to_cbor(_ear())


def tokens() -> Iterator[bytes]:
    """Yield a result as a JWT of either suite."""
    yield from (jws.sign(_key(each), "text", to_json(_ear())) for each in _SUITES)


def envelopes() -> Iterator[bytes]:
    """Yield a COSE_Sign1 of either suite."""
    yield from (cose.sign1(_key(each), "text", b"payload") for each in _SUITES)


def sm2_ciphertexts() -> Iterator[bytes]:
    """Yield an SM2 ciphertext in DER, to a key that is no secret."""
    key = sm2key.public_key(sm2key.public_from_seed(bytes(sm2key.SEED_BYTES)))
    yield sm2der.to_der(sm2.encrypt(key, b"data"))


def certificates() -> Iterator[bytes]:
    """Yield a root of either suite."""
    for each in _SUITES:
        key = _key(each)
        public = PublicKey.of(key.public)
        yield issue(
            key, Certificate("a", "a", public, b"1", _NOW, _NOW, _NOW + 1, "root")
        )


def references() -> Iterator[bytes]:
    """Yield a signed set of reference values."""
    key = _key("intl")
    signer = PublicKey.of(key.public)
    yield sign_references(key, first_version("maker", signer, (), _NOW))


def policies() -> Iterator[bytes]:
    """Yield the policies that the manual shows."""
    text = (_ROOT / "docs" / "reference" / "policy.md").read_text("utf-8")
    yield from (
        each.encode() for each in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    )


def notes() -> Iterator[bytes]:
    """Yield signed checkpoints."""
    yield from (Checkpoint("log", 1, bytes(32)).sign(_key(each)) for each in _SUITES)


def note_keys() -> Iterator[bytes]:
    """Yield the keys of logs."""
    yield from (
        NoteKey("log", _key(each).public).to_text().encode() for each in _SUITES
    )


def tile_paths() -> Iterator[bytes]:
    """Yield paths of tiles."""
    for tile in (TilePath(None, 0), TilePath(0, 1234567), TilePath(1, 0, 7)):
        yield tile.path.encode()


def entries() -> Iterator[bytes]:
    """Yield a bundle of entries of a log."""
    yield encode_bundle([b"one", b"", b"two"])


def images() -> Iterator[bytes]:
    """Yield PE images."""
    yield Pe({".text": b"code", ".data": b""}).build()
    yield Pe({".text": b"code"}, plus=False, certificate=b"certificate").build()


def sealed_heads() -> Iterator[bytes]:
    """Yield the starts of sealed files."""
    for each in _SUITES:
        yield _description(each) + floe_header(each) + bytes(100)


def descriptions() -> Iterator[bytes]:
    """Yield the descriptions of sealed files."""
    yield from map(_description, _SUITES)


def floe_headers() -> Iterator[bytes]:
    """Yield the headers of ciphertexts."""
    yield from map(floe_header, _SUITES)


def floe_header(suite_id: str) -> bytes:
    """Return the header of a ciphertext, under a tag of zeros."""
    return suite(suite_id).floe_params + bytes(64)


def frames() -> Iterator[bytes]:
    """Yield a frame of each command, with the right fields."""
    for number, command in COMMANDS.items():
        fields = {
            name: each.least if each.type is int else each.type()
            for name, each in command.fields.items()
        }
        body = cbor.encode([number, 1, fields])
        yield len(body).to_bytes(4, "big") + body


def errors() -> Iterator[bytes]:
    """Yield a report of an error."""
    finding = dict.fromkeys(("rule", "owner", "expected", "got", "remedy"), "a")
    yield cbor.encode({"error": "refused", "message": "a", "findings": [finding]})


def journal() -> Iterator[bytes]:
    """Yield frames of a journal."""
    yield cbor.encode(["noted", {}])
    yield cbor.encode(["attempt-failed", {"task": "a", "attempt": 1}])


def vendor_answers() -> Iterator[bytes]:
    """Yield what vendors answer: as it is, certificates, reference measurements."""
    yield b'\2{"rim": "AAAA"}'
    for file in sorted(SHARED.glob("*/*/*.pem")):
        yield b"\1" + file.read_bytes()


def sources() -> Iterator[bytes]:
    """Yield a file of sources with every table."""
    yield b"""enabled = true
[[intel-pcs]]
url = "https://intel"
kinds = ["tdx"]
fmspc = ["00"]
ca = ["platform"]
[[amd-kds]]
url = "https://amd"
kinds = ["sev-snp"]
product = ["Milan"]
[[nvidia-rim]]
url = "https://nvidia"
kinds = ["nvidia-gpu"]
driver_rim = ["a"]
[[document]]
url = "https://maker"
role = "crl"
kinds = ["tpm2"]
"""


def app_outputs() -> Iterator[bytes]:
    """Yield results of apps: JSON, and tables with and without groups."""
    yield b'\0[{"a": "text", "n": 3}]'
    for columns in ({"a": ["text"], "n": [3]}, {"a": [["nested"]], "n": [3.5]}):
        table = pa.table(columns)
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        yield b"\1" + stream.getvalue()


def _description(suite_id: str) -> bytes:
    header = DatasetHeader(
        suite="intl" if suite_id == "intl" else "sm",
        name="a",
        media_type="text/csv",
        columns=("a",),
        rows=1,
        owner="0" * 64,
        created_at=_NOW,
    )
    return Prefix.of(header).raw


def _ear() -> Ear:
    vector = TrustVector(
        instance_identity=2,
        configuration=2,
        executables=2,
        file_system=0,
        hardware=2,
        runtime_opaque=2,
        storage_opaque=0,
        sourced_data=0,
    )
    submodule = EarSubmodule(
        vector=vector,
        policy_id="intl:00",
        attester=AttesterClaims(kind="tdx", measurements={"mr_td": "aa"}),
        verifier=VerifierClaims(owner="bank"),
    )
    return Ear(
        nonce=bytes(8),
        evidence_digest=bytes(32),
        issued_at=_NOW,
        expires_at=_NOW + 300,
        submodules={"cpu": submodule},
    )
