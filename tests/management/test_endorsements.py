# SPDX-License-Identifier: Apache-2.0
"""The store of endorsements: what goes in, what verifiers get, what is refused."""

import json
import threading
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.x509 import (
    AuthorityKeyIdentifier,
    ExtensionNotFound,
    load_der_x509_crl,
)

from strongroom.core.crypto import SigningKey, suite
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Endorsements
from strongroom.errors import Malformed, Refused, Stale, Tampered, Untrusted
from strongroom.management.endorsements import (
    EndorsementStore,
    Incoming,
    StoredTrusts,
    export_bundle,
    import_bundle,
    read_sources,
)
from strongroom.services.attestation.hardware import verify_hardware
from strongroom.services.attestation.subjects import evidence_subject
from tests.hardware.pki import DAY, NOW, Authority
from tests.hardware.sev_snp import forge as snp

ROOT = Authority("root")
CRL = ROOT.revocations()


def tcb_info(fmspc: str = "00606A000000", issued: int = NOW, days: int = 30) -> bytes:
    def text(seconds: int) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    inner = {
        "fmspc": fmspc,
        "issueDate": text(issued),
        "nextUpdate": text(issued + days * DAY),
    }
    return json.dumps({"tcbInfo": inner, "signature": "00"}).encode()


def brought(role: str, data: bytes, *kinds: str) -> Incoming:
    return Incoming(role, kinds or ("tdx",), data, "a test")


@pytest.fixture
def store(tmp_path: Path) -> EndorsementStore:
    return EndorsementStore(tmp_path / "store")


def test_a_store_that_is_not_there_is_empty(store: EndorsementStore) -> None:
    assert store.index().documents == ()
    assert store.endorsements("tdx") == Endorsements((), ())


def test_what_is_imported_is_what_verifiers_get(store: EndorsementStore) -> None:
    root, revoked = ROOT.certificate.der, b"r" * 32
    new = store.add(
        [
            brought("trust_anchor", root, "tdx", "sgx"),
            brought("revoked", revoked),
            brought("tcb_info", tcb_info()),
            brought("vcek", snp.MILAN.leaf.certificate(), "sev-snp"),
        ],
        NOW,
        anchors=True,
    )
    assert len(new) == 4
    tcb: dict[str, tuple[bytes, ...]] = {"tcb_info": (tcb_info(),)}
    assert store.endorsements("tdx") == Endorsements((root,), (revoked,), tcb)
    assert store.endorsements("sgx") == Endorsements((root,), ())
    assert EndorsementStore(store._folder).index() == store.index()


def test_when_each_document_ends(store: EndorsementStore) -> None:
    found = store.add(
        [
            brought("trust_anchor", ROOT.certificate.der),
            brought("pck_crl", _der(CRL)),
            brought("tcb_info", tcb_info(days=7)),
            brought("vbios_rim", b"<xml/>", "nvidia-gpu"),
        ],
        NOW,
        anchors=True,
    )
    ends = {each.role: each.not_after for each in found}
    assert ends == {
        "trust_anchor": NOW + DAY,
        "pck_crl": NOW + DAY,
        "tcb_info": NOW + 7 * DAY,
        "vbios_rim": None,
    }
    crl = next(each for each in found if each.role == "pck_crl")
    assert not crl.expired(NOW + DAY)
    assert crl.expired(NOW + DAY + 1)


def test_pruning_leaves_roots_and_what_is_current(store: EndorsementStore) -> None:
    store.add(
        [
            brought("trust_anchor", ROOT.certificate.der),
            brought("pck_crl", _der(CRL)),
            brought("tcb_info", tcb_info(days=30)),
        ],
        NOW,
        anchors=True,
    )
    gone = store.prune(NOW + 2 * DAY)
    assert [each.role for each in gone] == ["pck_crl"]
    left = [each.role for each in store.index().documents]
    assert left == ["trust_anchor", "tcb_info"]
    files = {path.name for path in (store._folder / "documents").iterdir()}
    assert files == {each.name for each in store.index().documents}


def test_the_newer_replaces_and_the_older_is_refused(store: EndorsementStore) -> None:
    old, new = tcb_info(), tcb_info(issued=NOW + DAY)
    other = tcb_info(fmspc="50806F000000", issued=NOW - DAY)
    store.add(
        [brought("tcb_info", old), brought("tcb_info", other)], NOW, anchors=False
    )
    assert store.add([brought("tcb_info", old)], NOW, anchors=False) == ()
    store.add([brought("tcb_info", new)], NOW, anchors=False)
    assert set(store.endorsements("tdx").collateral["tcb_info"]) == {new, other}
    with pytest.raises(Stale) as caught:
        store.add([brought("tcb_info", old)], NOW, anchors=False)
    assert caught.value.findings[0].rule == "endorsement.rollback"
    assert set(store.endorsements("tdx").collateral["tcb_info"]) == {new, other}


@pytest.mark.parametrize("role", ["crl", "crls"])
def test_a_list_of_each_key_stands_beside_the_others(
    store: EndorsementStore, role: str
) -> None:
    issuers = [ROOT, Authority("another"), Authority(ROOT.subject)]
    lists = [_der(each.revocations()) for each in issuers]
    store.add([brought(role, each) for each in lists], NOW, anchors=False)
    later = _der(ROOT.revocations(this_update=NOW, next_update=NOW + 9 * DAY))
    store.add([brought(role, later)], NOW, anchors=False)
    assert set(store.endorsements("tdx").collateral[role]) == {later, *lists[1:]}
    ends = {each.not_after for each in store.index().documents}
    assert ends == {NOW + DAY, NOW + 9 * DAY}
    with pytest.raises(Stale, match=r"endorsement\.rollback"):
        store.add([brought(role, lists[0])], NOW, anchors=False)
    bare = load_der_x509_crl(snp.ARK.crl())
    with pytest.raises(ExtensionNotFound):
        bare.extensions.get_extension_for_class(AuthorityKeyIdentifier)
    store.add([brought(role, snp.ARK.crl())], NOW, anchors=False)


@pytest.mark.parametrize("role", ["trust_anchor", "rim_trust_anchor", "trusted_ak"])
def test_nobody_but_a_person_brings_roots(store: EndorsementStore, role: str) -> None:
    root = brought(role, ROOT.certificate.der)
    with pytest.raises(Refused) as caught:
        store.add([brought("tcb_info", tcb_info()), root], NOW, anchors=False)
    assert caught.value.findings[0].rule == "endorsement.anchor"
    assert store.index().documents == (), "all or none"


@pytest.mark.parametrize(
    ("role", "data"),
    [
        ("tcb_info", b"{}"),
        ("tcb_info", b"[]"),
        ("qe_identity", b'{"enclaveIdentity": {"issueDate": "x"}}'),
        ("pck_crl", b"no list"),
        ("vcek", b"no certificate"),
        ("revoked", b"short"),
        ("crl", b""),
        ("", b"x"),
    ],
)
def test_what_is_not_of_its_role(
    store: EndorsementStore, role: str, data: bytes
) -> None:
    with pytest.raises(Malformed):
        store.add([brought(role, data)], NOW, anchors=True)
    with pytest.raises(Malformed):
        store.add([Incoming("vbios_rim", (), b"x", "")], NOW, anchors=True)


def test_an_altered_document_is_not_handed_out(store: EndorsementStore) -> None:
    (found,) = store.add([brought("tcb_info", tcb_info())], NOW, anchors=False)
    path = store._folder / "documents" / found.name
    path.write_bytes(tcb_info(days=9999))
    with pytest.raises(Tampered) as caught:
        store.endorsements("tdx")
    assert caught.value.findings[0].rule == "endorsement.digest"
    path.unlink()
    with pytest.raises(Tampered):
        store.endorsements("tdx")
    (store._folder / "index").write_bytes(b"altered")
    with pytest.raises(Malformed):
        store.index()


def test_documents_of_other_platforms_are_left_out(store: EndorsementStore) -> None:
    other = tcb_info(fmspc="50806F000000")
    store.add(
        [brought("tcb_info", tcb_info()), brought("tcb_info", other)],
        NOW,
        anchors=False,
    )
    found = store.endorsements("tdx", "fmspc:00606a000000")
    assert found.collateral == {"tcb_info": (tcb_info(),)}
    assert store.endorsements("tdx", "fmspc:ffffffffffff").collateral == {}


def snp_store(store: EndorsementStore, forge: snp.Forge) -> EndorsementStore:
    """Import all of a forged platform's endorsements, and a VCEK of another chip."""
    trust = forge.trust()
    documents = [brought("trust_anchor", each, "sev-snp") for each in trust.roots]
    for role, found in trust.endorsements.collateral.items():
        documents += [brought(role, each, "sev-snp") for each in found]
    stranger = snp.Leaf(hwid=b"\x99" * 64).certificate()
    documents.append(brought("vcek", stranger, "sev-snp"))
    store.add(documents, snp.NOW, anchors=True)
    return store


@pytest.mark.parametrize("forge", [snp.MILAN, snp.TURIN, snp.VLEK])
def test_evidence_finds_its_own_endorsements(
    store: EndorsementStore, forge: snp.Forge
) -> None:
    trusts = StoredTrusts(snp_store(store, forge))
    evidence = forge.evidence()
    subject = evidence_subject(evidence)
    claims = verify_hardware(evidence, trusts.of("sev-snp", subject), now=snp.NOW)
    assert claims.kind == "sev-snp"
    masked = forge.leaf.role == "vlek"
    assert (subject == "") == masked
    assert len(trusts.of("sev-snp", subject).documents("vcek")) == 1


@pytest.mark.parametrize("role", ["crl", "revoked"])
def test_trust_lasts_until_the_store_changes(
    store: EndorsementStore, role: str
) -> None:
    trusts = StoredTrusts(snp_store(store, snp.MILAN))
    subject = evidence_subject(snp.MILAN.evidence())
    first, version = trusts.of("sev-snp", subject), trusts.version
    assert trusts.of("sev-snp", subject) is first
    verify_hardware(snp.MILAN.evidence(), first, now=snp.NOW)
    key = Certificate(snp.MILAN.leaf.certificate()).spki
    gone = {"crl": snp.ARK.crl(7), "revoked": sha256(key).digest()}
    store.add([brought(role, gone[role], "sev-snp")], snp.NOW, anchors=False)
    second = trusts.of("sev-snp", subject)
    assert second is not first
    assert trusts.version == version + 1
    with pytest.raises(Untrusted) as caught:
        verify_hardware(snp.MILAN.evidence(), second, now=snp.NOW)
    assert ".revoked." in caught.value.findings[0].rule


def test_a_bundle_carries_a_store_over_an_air_gap(
    store: EndorsementStore, tmp_path: Path
) -> None:
    snp_store(store, snp.MILAN)
    key, other = _key(1), _key(2)
    signed = export_bundle(store, NOW, key=key)
    there = EndorsementStore(tmp_path / "there")
    import_bundle(there, signed, NOW, signer=key.public, anchors=True)
    assert there.endorsements("sev-snp") == store.endorsements("sev-snp")
    rootless = EndorsementStore(tmp_path / "rootless")
    import_bundle(rootless, signed, NOW, signer=key.public, anchors=False)
    assert rootless.endorsements("sev-snp").roots == ()
    plain = export_bundle(store, NOW, kinds=["tdx"])
    assert import_bundle(there, plain, NOW, signer=None, anchors=False) == ()
    for data, signer in ((signed, other.public), (signed, None), (plain, key.public)):
        with pytest.raises(Untrusted):
            import_bundle(there, data, NOW, signer=signer, anchors=True)


def test_folders_cases_and_files_are_read(
    store: EndorsementStore, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "tcb_info.00606a.json").write_bytes(tcb_info())
    (folder / "trust_anchor.pem").write_bytes(ROOT.certificate.der)
    found = list(read_sources(folder, ["tdx"]))
    assert [each.role for each in found] == ["tcb_info", "trust_anchor"]
    one = list(read_sources(folder / "trust_anchor.pem", ["sgx"], "pck"))
    assert [(each.role, each.kinds) for each in one] == [("pck", ("sgx",))]
    with pytest.raises(Malformed):
        list(read_sources(folder, []))
    case = tmp_path / "case"
    case.mkdir()
    (case / "root.pem").write_bytes(ROOT.certificate.der)
    value = {"tee": "tdx", "endorsements": {"trust_anchor": ["root.pem"]}}
    (case / "case.json").write_text(json.dumps(value))
    store.add(read_sources(case, []), NOW, anchors=True)
    assert store.endorsements("tdx").roots == (ROOT.certificate.der,)
    value["endorsements"] = {"crl": "../folder/trust_anchor.pem"}
    (case / "case.json").write_text(json.dumps(value))
    with pytest.raises(Malformed):
        list(read_sources(case, []))
    (case / "case.json").write_text("[]")
    with pytest.raises(Malformed):
        list(read_sources(case, []))
    (tmp_path / "Bad Name").write_bytes(b"x")
    with pytest.raises(Malformed):
        list(read_sources(tmp_path / "Bad Name", ["tdx"]))


def test_a_write_that_fails_leaves_the_old(store: EndorsementStore) -> None:
    store.add([brought("tcb_info", tcb_info())], NOW, anchors=False)
    before = store.index()
    obstacle = store._folder / ".index.new"
    obstacle.mkdir()
    newer = brought("tcb_info", tcb_info(issued=NOW + DAY))
    with pytest.raises(IsADirectoryError):
        store.add([newer], NOW, anchors=False)
    assert store.index() == before
    assert store.endorsements("tdx").collateral["tcb_info"] == (tcb_info(),)
    obstacle.rmdir()
    store.add([newer], NOW, anchors=False)
    assert store.endorsements("tdx").collateral["tcb_info"] == (newer.data,)


def test_writers_wait_for_one_another(store: EndorsementStore) -> None:
    def write(number: int) -> None:
        document = brought("vbios_rim", b"%d" % number, "nvidia-gpu")
        store.add([document], NOW, anchors=False)

    threads = [threading.Thread(target=write, args=(each,)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.index().documents) == 8
    assert store.index().version == 8


def _der(crl: object) -> bytes:

    der: bytes = crl.der  # type: ignore[attr-defined]
    return der


def _key(number: int) -> SigningKey:
    row = suite("intl")
    return row.signing_key(bytes([number]) * row.sign_seed_bytes)
