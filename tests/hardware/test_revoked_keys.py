# SPDX-License-Identifier: Apache-2.0
"""Keys that a verifier has revoked: refused wherever evidence of any kind has them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.core.crypto.foreign import ForeignKey, ForeignSm2Key
from strongroom.core.rats import HardwareEvidence, Trust
from strongroom.errors import Untrusted
from strongroom.hardware.dcap.quote import Quote
from strongroom.hardware.registry import HARDWARE
from strongroom.services.attestation.hardware import verify_hardware
from tests.hardware.arm_cca import forge as cca
from tests.hardware.az_snp_vtpm import forge as az_snp
from tests.hardware.az_tdx_vtpm import forge as az_tdx
from tests.hardware.dcap import forge as intel
from tests.hardware.hygon_csv import forge as hygon
from tests.hardware.ibm_se import forge as ibm
from tests.hardware.nitro import forge as nitro
from tests.hardware.nvidia_gpu import forge as nvidia
from tests.hardware.pki import NOW, Authority
from tests.hardware.ra_tls import forge as ra_tls
from tests.hardware.sev_snp import forge as snp
from tests.hardware.tcg import forge as tcg
from tests.hardware.tpm2 import forge as tpm2

Keys = dict[str, list[bytes]]
Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Stands:
    """Evidence that holds, and by rule the public keys that it stands on."""

    evidence: HardwareEvidence
    trust: Trust
    keys: Keys
    now: int

    def verify(self, *revoked: bytes) -> str:
        """Return the kind that a verifier with so many revoked keys says it is."""
        ids = tuple(sha256(each).digest() for each in revoked)
        trust = Trust(replace(self.trust.endorsements, revoked=ids))
        return verify_hardware(self.evidence, trust, now=self.now).kind


def spki(key: Private | Authority) -> bytes:
    if isinstance(key, Authority):
        return key.certificate.spki
    form = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.DER, form)


def intel_keys(world: intel.IntelWorld, quote: bytes) -> Keys:
    kind, point = world.tee, Quote.parse(quote, "quote").signature.attestation_key
    return {
        f"{kind}.revoked.pck": [spki(world.pck), spki(world.platform)],
        f"{kind}.revoked.attestation_key": [ForeignKey.from_point("P-256", point).spki],
        f"{kind}.revoked.tcb_info": [spki(world.signing)],
    }


def dcap(name: str) -> Stands:
    world = intel.world(name)
    evidence, trust = world.evidence(), Trust(world.endorsements())
    keys = intel_keys(world, evidence.part("quote"))
    keys[f"{world.tee}.revoked.pck"].append(spki(world.root))
    return Stands(evidence, trust, keys, NOW)


def snp_keys(role: str) -> Keys:
    above = [spki(snp.rsa_key(name)) for name in ("ask", "ark")]
    return {f"sev-snp.revoked.{role}": [spki(snp.ec_key("leaf", P384)), *above]}


def sev_snp(forge: snp.Forge) -> Stands:
    keys = snp_keys(forge.leaf.role)
    return Stands(forge.evidence(), forge.trust(), keys, snp.NOW)


def azure_on_snp() -> Stands:
    forge, ak = az_snp.Forge(), spki(tcg.rsa_key("ak"))
    keys = snp_keys("vcek") | {"az-snp-vtpm.revoked.ak": [ak]}
    return Stands(forge.evidence(), forge.trust(), keys, snp.NOW)


def azure_on_tdx() -> Stands:
    forge, ak = az_tdx.Forge(), spki(tcg.rsa_key("ak"))
    evidence = forge.evidence()
    keys = intel_keys(forge.world, evidence.part("td_quote"))
    keys["az-tdx-vtpm.revoked.ak"] = [ak]
    return Stands(evidence, forge.trust(), keys, NOW)


def arm() -> Stands:
    keys = {
        "arm-cca.revoked.trusted_platform_key": [spki(cca.key("cpak"))],
        "arm-cca.revoked.realm_public_key": [spki(cca.key("rak"))],
    }
    return Stands(cca.evidence(cca.VALID.token()), cca.VALID.trust(), keys, NOW)


def csv() -> Stands:
    keys = {
        f"hygon-csv.revoked.{name}": [ForeignSm2Key(hygon.pair(name).point[1:]).spki]
        for name in ("hrk", "hsk", "cek", "pek")
    }
    return Stands(hygon.VALID.evidence(), hygon.VALID.trust(), keys, NOW)


def host_key() -> Stands:
    above = [spki(ibm.rsa_key(name)) for name in ("signer", "middle", "root")]
    keys = {
        "ibm-se.revoked.signing_key": above,
        "ibm-se.revoked.host_key": [spki(ibm.host_key(ec.SECP521R1))],
    }
    return Stands(ibm.HOST.evidence(), ibm.HOST.trust(), keys, ibm.NOW)


def nitro_keys() -> Keys:
    names = ("leaf", "instance", "region", "root")
    return {"nitro.revoked.document": [nitro.spki(name) for name in names]}


def enclave() -> Stands:
    forge = nitro.ENCLAVE
    return Stands(forge.evidence(), forge.trust(), nitro_keys(), nitro.NOW)


def nitro_tpm() -> Stands:
    forge, ak = nitro.TpmQuote().forge(), spki(nitro.key("ak", ec.SECP256R1))
    keys = nitro_keys() | {"nitro.revoked.ak": [ak]}
    return Stands(forge.evidence(), forge.trust(), keys, nitro.NOW)


def gpu() -> Stands:
    names = ("leaf", "brom", "provisioner", "identity", "root")
    keys = {"nvidia-gpu.revoked.device": [spki(nvidia.key(name)) for name in names]}
    return Stands(nvidia.VALID.evidence(), nvidia.VALID.trust(), keys, nvidia.NOW)


def certificate() -> Stands:
    forge = ra_tls.BOUND
    keys = snp_keys("vcek") | {"ra-tls.revoked.certificate": [ra_tls.spki()]}
    return Stands(forge.evidence(), forge.trust(), keys, ra_tls.NOW)


def tpm(forge: tpm2.Forge, *above: Authority) -> Stands:
    ak = spki(tcg.ec_key("ak", "P-256"))
    keys = {"tpm2.revoked.ak": [ak, *map(spki, above)]}
    return Stands(forge.evidence(), forge.trust(), keys, NOW)


def certified_tpm() -> Stands:
    root = tpm2.authority("TPM root")
    return tpm(tpm2.certified(), tpm2.authority("TPM CA", "TPM root"), root)


P384 = ec.SECP384R1
STANDS: dict[str, tuple[str, Callable[[], Stands]]] = {
    "a CCA token": ("arm-cca", arm),
    "a vTPM on SNP": ("az-snp-vtpm", azure_on_snp),
    "a vTPM on TDX": ("az-tdx-vtpm", azure_on_tdx),
    "a CSV report": ("hygon-csv", csv),
    "a host key": ("ibm-se", host_key),
    "an enclave's document": ("nitro", enclave),
    "a NitroTPM's quote": ("nitro", nitro_tpm),
    "a GPU": ("nvidia-gpu", gpu),
    "a certificate": ("ra-tls", certificate),
    "an SNP report by a VCEK": ("sev-snp", lambda: sev_snp(snp.MILAN)),
    "an SNP report by a VLEK": ("sev-snp", lambda: sev_snp(snp.VLEK)),
    "an enclave's quote": ("sgx", lambda: dcap("sgx v3")),
    "a TD's quote": ("tdx", lambda: dcap("tdx v4")),
    "a TPM's quote": ("tpm2", lambda: tpm(tpm2.Forge())),
    "a certified TPM's quote": ("tpm2", certified_tpm),
}


@pytest.fixture(params=STANDS)
def stands(request: pytest.FixtureRequest) -> Iterator[Stands]:
    """Return evidence that holds, of each kind in turn."""
    kind, make = STANDS[request.param]
    made = make()
    assert made.verify(b"somebody else's key") == kind
    yield made


def test_every_key_that_evidence_stands_on_can_be_revoked(stands: Stands) -> None:
    for rule, keys in stands.keys.items():
        for key in keys:
            with pytest.raises(Untrusted) as refusal:
                stands.verify(key)
            assert [each.rule for each in refusal.value.findings] == [rule]


def test_no_kind_is_left_out() -> None:
    assert {kind for kind, _ in STANDS.values()} == set(HARDWARE)
