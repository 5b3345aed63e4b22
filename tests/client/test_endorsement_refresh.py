# SPDX-License-Identifier: Apache-2.0
"""Refreshing endorsements: off by default, and only what a person has written down."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import FastAPI, Response

from strongroom.client.endorsement_refresh import (
    Answer,
    HttpFetcher,
    Refreshed,
    refresh,
)
from strongroom.client.endorsement_sources import Wanted, read_wanted
from strongroom.errors import LimitReached, Misconfigured, Unavailable
from strongroom.management.endorsements import EndorsementStore
from tests.hardware.pki import NOW, Authority
from tests.hardware.sev_snp import forge as snp
from tests.integration.loopback import serving
from tests.management.test_endorsements import tcb_info

SIGNER = Authority("signer")
IDENTITY = tcb_info().replace(b"tcbInfo", b"enclaveIdentity")
SOURCES = """
enabled = true

[[intel-pcs]]
url = "{url}"
kinds = ["sgx", "tdx"]
fmspc = ["00606a000000"]
ca = ["platform"]
root_crl = ["{url}/IntelSGXRootCA.der"]

[[amd-kds]]
url = "{url}"
kinds = ["sev-snp"]
product = ["Milan"]
vcek = ["Milan/0102?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=209"]

[[nvidia-rim]]
url = "{url}"
kinds = ["nvidia-gpu"]
driver_rim = ["NV_GPU_DRIVER_GH100_1"]

[[document]]
url = "{url}/mirror/vbios.xml"
role = "vbios_rim"
kinds = ["nvidia-gpu"]
"""


def vendor() -> FastAPI:
    """Return all vendors in one, with the paths and headers of the real ones."""
    app = FastAPI()
    _intel(app, quote(snp.ASK.certificate(snp.ARK).decode()))
    _amd(app)

    @app.get("/v1/rim/{name}")
    def rim(name: str) -> Response:
        assert name == "NV_GPU_DRIVER_GH100_1"
        return Response(json.dumps({"rim": base64.b64encode(b"<rim/>").decode()}))

    return app


def _intel(app: FastAPI, chain: str) -> None:
    @app.get("/{tee}/certification/v4/tcb")
    def tcb(tee: str, fmspc: str) -> Response:
        del tee
        return Response(tcb_info(fmspc), headers={"TCB-Info-Issuer-Chain": chain})

    @app.get("/{tee}/certification/v4/qe/identity")
    def identity(tee: str) -> Response:
        del tee
        headers = {"SGX-Enclave-Identity-Issuer-Chain": chain}
        return Response(IDENTITY, headers=headers)

    @app.get("/sgx/certification/v4/pckcrl")
    def pck_crl(ca: str, encoding: str) -> Response:
        assert (ca, encoding) == ("platform", "der")
        headers = {"SGX-PCK-CRL-Issuer-Chain": chain}
        return Response(snp.ASK.crl(), headers=headers)

    @app.get("/IntelSGXRootCA.der")
    def root_crl() -> Response:
        return Response(snp.ARK.crl())


def _amd(app: FastAPI) -> None:
    @app.get("/vcek/v1/Milan/cert_chain")
    def cert_chain() -> Response:
        return Response(snp.ASK.certificate(snp.ARK) + snp.ARK.certificate(snp.ARK))

    @app.get("/vcek/v1/Milan/crl")
    def crl() -> Response:
        return Response(snp.ARK.crl())

    @app.get("/vcek/v1/Milan/0102")
    def vcek() -> Response:
        return Response(snp.MILAN.leaf.certificate())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(vendor()) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> EndorsementStore:
    return EndorsementStore(tmp_path / "store")


def test_everything_a_file_names_is_fetched(
    url: str, store: EndorsementStore, tmp_path: Path
) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(SOURCES.format(url=url))
    fetcher = HttpFetcher()
    done = refresh(store, read_wanted(file), fetcher, NOW)
    failed = [each for each in done if each.outcome == "failed"]
    assert [each.url for each in failed] == [f"{url}/mirror/vbios.xml"]
    assert "404" in failed[0].error
    for kind in ("sgx", "tdx"):
        held = store.endorsements(kind)
        assert held.collateral["tcb_info"] == (tcb_info("00606a000000"),)
        assert len(held.collateral["pck_crl"]) == 1
        chains = {"tcb_info", "qe_identity", "pck_crl"}
        assert {f"{role}_issuer_chain" for role in chains} <= set(held.collateral)
        assert "root_ca_crl" in held.collateral
    amd = store.endorsements("sev-snp")
    assert set(amd.collateral) == {"vcek", "intermediate", "crl"}
    assert amd.roots == (), "the root in AMD's chain is left out"
    assert len(amd.collateral["intermediate"]) == 1
    gpu = store.endorsements("nvidia-gpu")
    assert gpu.collateral == {"driver_rim": (b"<rim/>",)}
    fetcher.close()


def test_nothing_is_fetched_unless_a_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    for text in (None, "", "enabled = false", 'enabled = "true"', "enabled = 1"):
        if text is not None:
            file.write_text(text)
        with pytest.raises(Misconfigured):
            read_wanted(file)
    file.write_text("enabled = true")
    assert read_wanted(file) == ()


@pytest.mark.parametrize(
    "text",
    [
        "enabled = true\n[intel-pcs]",
        "enabled = true\n[[intel-pcs]]",
        'enabled = true\n[[document]]\nurl = "x"\nrole = ""\nkinds = ["a"]',
        'enabled = true\n[[document]]\nurl = "x"\nrole = "crl"\nkinds = []',
        'enabled = true\n[[document]]\nurl = "x"\nrole = "crl"\nkinds = [1]',
        "enabled = true\n[[other]]",
        "enabled = ",
    ],
)
def test_files_of_another_form(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured):
        read_wanted(file)


class Held:
    """A fetcher of somebody's own: answers from memory."""

    def __init__(self, **answers: Answer) -> None:
        self._answers = answers

    def fetch(self, url: str) -> Answer:
        if url not in self._answers:
            message = f"no {url}"
            raise Unavailable(message)
        return self._answers[url]


def outcome(store: EndorsementStore, wanted: Wanted, body: bytes) -> Refreshed:
    (found,) = refresh(store, [wanted], Held(a=Answer(body)), NOW)
    return found


def test_roots_are_never_refreshed(store: EndorsementStore) -> None:
    for role in ("trust_anchor", "rim_trust_anchor", "trusted_ak"):
        wanted = Wanted("a", role, ("tdx",))
        found = outcome(store, wanted, SIGNER.certificate.der)
        assert (found.outcome, "endorsement.anchor" in found.error) == ("failed", True)
    assert store.index().documents == ()


def test_what_is_held_stays_until_something_newer_comes(
    store: EndorsementStore,
) -> None:
    wanted = Wanted("a", "tcb_info", ("tdx",))
    new, old = tcb_info(issued=NOW), tcb_info(issued=NOW - 9)
    assert outcome(store, wanted, new).outcome == "new"
    assert outcome(store, wanted, new).outcome == "unchanged"
    assert "endorsement.rollback" in outcome(store, wanted, old).error
    assert outcome(store, wanted, b"<html>").outcome == "failed"
    gone = Wanted("b", "tcb_info", ("tdx",))
    (found,) = refresh(store, [gone], Held(), NOW)
    assert (found.outcome, found.error) == ("failed", "no b")
    assert store.endorsements("tdx").collateral["tcb_info"] == (new,)


def test_answers_that_lack_their_part(store: EndorsementStore) -> None:
    chainless = Wanted("a", "tcb_info", ("tdx",), chain_header="TCB-Info-Issuer-Chain")
    assert "Issuer-Chain" in outcome(store, chainless, tcb_info()).error
    rim = Wanted("a", "driver_rim", ("nvidia-gpu",), "rim")
    for body in (b"{}", b"[]", b"no", b'{"rim": "!"}', b'{"rim": 1}'):
        assert "no rim" in outcome(store, rim, body).error
    assert store.index().documents == ()


def test_a_fetcher_that_gets_none(url: str) -> None:
    fetcher = HttpFetcher(timeout_s=2)
    for nowhere in (f"{url}/none", "http://127.0.0.1:1/x", "gopher://x", "http://[::1"):
        with pytest.raises(Unavailable):
            fetcher.fetch(nowhere)
    fetcher.close()


def test_a_flood_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    app = FastAPI()

    @app.get("/")
    def flood() -> Response:
        return Response(bytes(4096))

    monkeypatch.setattr("strongroom.client.endorsement_refresh.MAX_ANSWER_BYTES", 1024)
    fetcher = HttpFetcher()
    with serving(app) as url, pytest.raises(LimitReached):
        fetcher.fetch(url)
    fetcher.close()
