# SPDX-License-Identifier: Apache-2.0
"""Our own formats, and what people write for us."""

from types import MappingProxyType

from fuzz.targets import Target

_CODEC, _RATS = "strongroom.core.codec", "strongroom.core.rats"
_SERVICE = "strongroom.services.attestation"
_HERE, _MADE = "fuzz.formats", "fuzz.own_samples"
_K = 1 << 10

OWN: MappingProxyType[str, Target] = MappingProxyType(
    {
        "foreign-cbor": Target(
            f"{_CODEC}.foreign_cbor:decode",
            ("nitro/*/document*", "arm-cca/*/token.cbor"),
            "CBOR",
            16 * _K,
        ),
        "foreign-cose": Target(
            f"{_CODEC}.foreign_cose:ForeignSign1.of",
            ("nitro/*/document*",),
            max_len=16 * _K,
            through=f"{_HERE}:foreign_sign1",
        ),
        "cbor": Target(
            f"{_CODEC}.cbor:decode", max_len=4 * _K, samples=f"{_MADE}:ear_cbor"
        ),
        "storage-node": Target(
            "strongroom.services.storage.nodes:Node.parse", max_len=4 * _K
        ),
        "served-http": Target(
            "strongroom.application.runtime.http:HttpTalk.feed",
            max_len=4 * _K,
            through="fuzz.served:talk",
            samples="fuzz.served:requests",
        ),
        "served-json": Target(
            "strongroom.application.runtime.door:json_values",
            max_len=4 * _K,
            samples="fuzz.served:values",
        ),
        "cose": Target(
            f"{_CODEC}.cose:Sign1.parse", max_len=4 * _K, samples=f"{_MADE}:envelopes"
        ),
        "certificate": Target(
            f"{_CODEC}.certificate:SignedCertificate.parse",
            max_len=4 * _K,
            samples=f"{_MADE}:certificates",
        ),
        "jws": Target(
            f"{_CODEC}.jws:Jws.parse", max_len=8 * _K, samples=f"{_MADE}:tokens"
        ),
        "sm2-ciphertext": Target(
            "strongroom.core.crypto.sm2der:from_der",
            max_len=_K,
            samples=f"{_MADE}:sm2_ciphertexts",
        ),
        "base64url": Target(f"{_CODEC}.jws:decode_base64url", max_len=_K),
        "base64": Target(
            f"{_CODEC}.note:decode_base64", max_len=_K, through=f"{_HERE}:base64_text"
        ),
        "ear-json": Target(
            f"{_RATS}.ear_codec:from_json", max_len=8 * _K, samples=f"{_MADE}:ear_json"
        ),
        "ear-cbor": Target(
            f"{_RATS}.ear_codec:from_cbor", max_len=8 * _K, samples=f"{_MADE}:ear_cbor"
        ),
        "reference-values": Target(
            f"{_RATS}.reference_values:open_references",
            max_len=8 * _K,
            samples=f"{_MADE}:references",
        ),
        "platform-statement": Target(
            "strongroom.hardware.simulated.abi:decode",
            max_len=4 * _K,
            samples=f"{_MADE}:platform_statements",
        ),
        "app-evidence": Target(
            "strongroom.system.monitor.report:peek_nonce",
            max_len=4 * _K,
            samples=f"{_MADE}:app_evidence",
        ),
        "records": Target(
            f"{_CODEC}.record:Record.from_bytes",
            max_len=8 * _K,
            through="fuzz.records:read_record",
            samples="fuzz.records:examples",
        ),
        "journal-event": Target(
            "strongroom.application.broker.events:read_event",
            max_len=8 * _K,
            through=f"{_HERE}:journal_event",
            samples=f"{_MADE}:journal",
        ),
        "error-report": Target(
            "strongroom.errors:error_from_value",
            max_len=4 * _K,
            through=f"{_HERE}:error_report",
            samples=f"{_MADE}:errors",
        ),
        "gate-frame": Target(
            "strongroom.system.monitor.gate:recv_frame",
            max_len=16 * _K,
            through=f"{_HERE}:gate_frame",
            samples=f"{_MADE}:frames",
        ),
        "checkpoint": Target(
            f"{_CODEC}.note:Note.parse",
            max_len=4 * _K,
            through=f"{_HERE}:checkpoint",
            samples=f"{_MADE}:notes",
        ),
        "note-key": Target(
            f"{_CODEC}.note:NoteKey.parse",
            max_len=_K,
            through=f"{_HERE}:note_key",
            samples=f"{_MADE}:note_keys",
        ),
        "tile-path": Target(
            f"{_CODEC}.tlog:TilePath.parse",
            max_len=16 * _K,
            through=f"{_HERE}:tile_path",
            samples=f"{_MADE}:tile_paths",
        ),
        "entry-bundle": Target(
            f"{_CODEC}.tlog:decode_bundle", max_len=4 * _K, samples=f"{_MADE}:entries"
        ),
        "sealed-file": Target(
            "strongroom.services.sealing.files:read_head",
            max_len=4 * _K,
            through=f"{_HERE}:sealed_head",
            samples=f"{_MADE}:sealed_heads",
        ),
        "sealed-description": Target(
            f"{_CODEC}.sealed:Prefix.parse",
            max_len=4 * _K,
            samples=f"{_MADE}:descriptions",
        ),
        "floe-header": Target(
            f"{_CODEC}.floe:Header.parse", max_len=256, samples=f"{_MADE}:floe_headers"
        ),
        "pe-image": Target(
            f"{_SERVICE}.pe:PeImage.parse", max_len=8 * _K, samples=f"{_MADE}:images"
        ),
        "policy-file": Target(
            f"{_SERVICE}.policy_file:read_policy",
            max_len=16 * _K,
            samples=f"{_MADE}:policies",
        ),
        "app-output": Target(
            "strongroom.application.runtime.output:check_output",
            max_len=8 * _K,
            through=f"{_HERE}:app_output",
            samples=f"{_MADE}:app_outputs",
        ),
        "sources-file": Target(
            "strongroom.client.endorsement_sources:read_wanted",
            max_len=8 * _K,
            through=f"{_HERE}:sources_file",
            samples=f"{_MADE}:sources",
        ),
        "case-file": Target(
            "strongroom.cli.cases:read_case",
            ("*/*/case.json",),
            max_len=8 * _K,
            through=f"{_HERE}:case_file",
        ),
    }
)
