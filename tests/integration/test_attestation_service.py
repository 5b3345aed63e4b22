# SPDX-License-Identifier: Apache-2.0
"""Remote attestation over real sockets, and every refusal of STANDARD 7.3 and 7.4."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from strongroom.client.attestation import (
    PLATFORM,
    AttestationService as Line,
    Attested,
    Oca,
    attest_with_app,
    attest_without_app,
    fetch_passport,
    open_passport,
)
from strongroom.core.codec import cbor, cwt
from strongroom.core.codec.note import Note, NoteKey
from strongroom.core.codec.tlog import Checkpoint, tile_paths
from strongroom.core.rats import AppClaims, Evidence, HardwareEvidence
from strongroom.core.rats.ear import evidence_digest, verify_ear
from strongroom.errors import (
    Conflict,
    Malformed,
    NotFound,
    Refused,
    Stale,
    StrongroomError,
    Tampered,
    Unavailable,
    Untrusted,
)
from strongroom.hardware.simulated import SimulatedManufacturer
from strongroom.hardware.simulated.abi import SimulatedEvidence
from strongroom.management.audit import verify_folder
from strongroom.management.endorsements import Incoming
from strongroom.node.attestation_app import create_attestation_app
from strongroom.services.attestation.application import judge_application
from strongroom.services.attestation.request import VerificationRequest
from tests.hardware.sev_snp import forge as snp
from tests.integration.loopback import serving
from tests.services.ra_world import (
    CHANNEL,
    ENCLAVE,
    NONCE,
    NOW,
    Platform,
    World,
    signing_key,
    world_in,
)

YEARS = 30 * 365 * 86_400


@pytest.fixture(scope="module", params=["intl", "sm"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("ra")
    with world_in(folder, str(request.param)) as made:
        yield made


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    with world.service() as service, serving(create_attestation_app(service)) as found:
        yield found


@pytest.fixture
def line(world: World, url: str) -> Iterator[Line]:
    found = Line(url, world.folder.public.verifying, "default")
    yield found
    found.close()


def honest(world: World, **changes: object) -> Oca:
    return lambda nonce: world.platform.evidence(nonce, **changes)


def attest(world: World, line: Line, oca: Oca, **changes: object) -> Attested:
    return attest_with_app(oca, line, world.application, NOW, **changes)  # type: ignore[arg-type]


def refused(call: Callable[[], object], kind: type[StrongroomError] = Refused) -> str:
    """Return the rule of the first finding of a refusal that has to come."""
    with pytest.raises(kind) as caught:
        call()
    return caught.value.findings[0].rule


def test_ra_1(world: World, line: Line) -> None:
    attested = attest(world, line, honest(world))
    assert attested.app.measurement == world.platform.facts.measurement
    assert attested.environment.status == "warning", "a simulated platform"
    attester = attested.environment.ear.submodules[PLATFORM].attester
    assert attester.monitor_key == world.platform.monitor.public.raw.hex()
    bound = honest(world, user_data=CHANNEL)
    assert attest(world, line, bound, user_data=CHANNEL).app.user_data == CHANNEL


def test_many_initiators_at_once(world: World, line: Line) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: attest(world, line, honest(world)), range(24)))
    assert len({each.token for each in found}) == 24


def test_the_service_never_sees_the_app(world: World, line: Line) -> None:
    whole = world.platform.evidence(NONCE).to_bytes()
    with pytest.raises(Malformed):
        line.ask({PLATFORM: whole}, NONCE, NOW)


def test_ra_2(world: World, line: Line) -> None:
    policy = world.application
    attest_without_app(honest(world), line, policy, NOW, ENCLAVE)
    other = honest(world, enclave_id=b"an enclave that nobody asked for")
    assert (
        refused(lambda: attest_without_app(other, line, policy, NOW, ENCLAVE))
        == "app.enclave"
    )
    with_key = honest(world, user_data=CHANNEL)
    assert (
        refused(lambda: attest_without_app(with_key, line, policy, NOW, ENCLAVE))
        == "app.user_data"
    )


def test_a_stale_nonce(world: World, line: Line) -> None:
    old = world.platform.evidence(b"the nonce of yesterday")
    asked = line.policy
    line.policy = "a policy that would be missed, were the service asked at all"
    assert refused(lambda: attest(world, line, lambda _: old), Stale) == "app.nonce"
    line.policy = asked
    half = lambda nonce: replace(  # noqa: E731
        world.platform.evidence(nonce), platform=old.platform
    )
    assert refused(lambda: attest(world, line, half)) == "platform.nonce"


def test_a_platform_may_be_older_where_both_say_so(world: World, line: Line) -> None:
    kept = world.platform.platform(b"nonce of the boot", NOW - 3600)
    oca = lambda nonce: replace(  # noqa: E731
        world.platform.evidence(nonce), platform=kept
    )
    attested = attest(world, line, oca, platform_is_fresh=False)
    open_points = attested.environment.ear.submodules[PLATFORM].verifier.unchecked
    assert any(text.startswith("platform.nonce") for text in open_points)
    kept = world.platform.platform(b"nonce of the boot", NOW - 3601)
    assert (
        refused(lambda: attest(world, line, oca, platform_is_fresh=False))
        == "platform.age"
    )


def test_an_absent_nonce(line: Line, url: str) -> None:
    for nonce in (b"", b"short", b"n" * 65):
        with pytest.raises(Malformed):
            line.ask({PLATFORM: b""}, nonce, NOW)
    body = VerificationRequest("default", NONCE, {"cpu": b"x"}).to_bytes()
    short = body.replace(NONCE, b"").replace(b"\x58\x20", b"\x40")
    assert httpx.post(f"{url}/v1/verify", content=short).status_code == 400


def test_a_replayed_report(world: World, line: Line) -> None:
    seen: list[Evidence] = []

    def replaying(nonce: bytes) -> Evidence:
        seen.append(world.platform.evidence(nonce))
        return seen[0]

    attest(world, line, replaying)
    assert refused(lambda: attest(world, line, replaying), Stale) == "app.nonce"


def test_another_device(world: World, line: Line, tmp_path: Path) -> None:
    """An app's evidence from one machine does not go with the platform of another."""
    with world.device(tmp_path / "d") as other:
        swapped = lambda nonce: replace(  # noqa: E731
            world.platform.evidence(nonce), platform=other.platform(nonce)
        )
        rule = refused(lambda: attest(world, line, swapped), Untrusted)
        assert rule == "app.signature"


def test_a_device_of_another_maker(world: World, line: Line, tmp_path: Path) -> None:
    stranger = SimulatedManufacturer.create(tmp_path / "m", world.suite_id, NOW)
    with (
        stranger,
        replace(world, manufacturer=stranger).device(tmp_path / "d") as other,
    ):
        rule = refused(lambda: attest(world, line, other.evidence))
        assert rule == "certificate.root"


def test_a_revoked_certificate(world: World, line: Line, tmp_path: Path) -> None:
    """The store's revocations count from the next request on."""
    with world.device(tmp_path / "d") as other:
        attest(world, line, other.evidence)
        chain = SimulatedEvidence.from_bytes(other.platform(NONCE)).chain
        leaf = cwt.SignedCertificate.parse(chain[0]).claims.public_key.key_id
        revoked = Incoming("revoked", ("simulated",), leaf, "the maker")
        world.store.add([revoked], NOW, anchors=False)
        assert (
            refused(lambda: attest(world, line, other.evidence))
            == "certificate.revoked"
        )
    attest(world, line, honest(world))


def test_an_expired_certificate(world: World, line: Line) -> None:
    world.now = NOW + YEARS
    try:
        late = lambda: attest_with_app(  # noqa: E731
            honest(world), line, world.application, world.now
        )
        assert refused(late) == "certificate.expired"
    finally:
        world.now = NOW


def test_a_wrong_measurement(world: World, line: Line) -> None:
    other = b"\x55" * len(world.platform.facts.measurement)
    oca = honest(world, measurement=other)
    assert refused(lambda: attest(world, line, oca)) == "app.measurement"
    unlocked = honest(world, locks=())
    assert refused(lambda: attest(world, line, unlocked)).startswith("locks.")


def test_another_software_below(world: World, line: Line, tmp_path: Path) -> None:
    booted = replace(world.config, program="another.program")
    with replace(world, config=booted).device(tmp_path / "d") as other:
        rule = refused(lambda: attest(world, line, other.evidence))
        assert rule == "register.config"


def test_debug_on(world: World, line: Line, tmp_path: Path) -> None:
    oca = honest(world, debug=True)
    assert refused(lambda: attest(world, line, oca)) == "app.debug"
    with world.device(tmp_path / "d", debug=True) as other:
        rule = refused(lambda: attest(world, line, other.evidence))
        assert rule == "platform.debug"


def test_a_channel_key_that_the_app_did_not_bind(world: World, line: Line) -> None:
    for user_data in (b"", b"key of the man in the middle"):
        oca = honest(world, user_data=user_data)
        call = lambda o=oca: attest(world, line, o, user_data=CHANNEL)  # noqa: E731
        assert refused(call) == "app.user_data"


def altering(
    platform: Platform, position: int, *, layer: str
) -> Callable[[bytes], Evidence]:
    def oca(nonce: bytes) -> Evidence:
        evidence = platform.evidence(nonce)
        data = bytearray(getattr(evidence, layer))
        data[position % len(data)] ^= 1 << position % 8
        return replace(evidence, **{layer: bytes(data)})  # type: ignore[arg-type]

    return oca


@pytest.mark.parametrize("layer", ["platform", "app"])
def test_an_oca_that_alters_any_byte(world: World, line: Line, layer: str) -> None:
    """Every region of both layers; each alteration is refused, and by its own rule."""
    size = len(getattr(world.platform.evidence(NONCE), layer))
    for position in range(0, size, 61):
        oca = altering(world.platform, position, layer=layer)
        with pytest.raises((Refused, Malformed)):
            attest(world, line, oca)
    for kind in ("tdx", "abacus"):
        other = lambda nonce, k=kind: replace(  # noqa: E731
            world.platform.evidence(nonce), kind=k
        )
        with pytest.raises(Refused):
            attest(world, line, other)
    with pytest.raises(Malformed):
        attest(world, line, lambda nonce: replace(honest(world)(nonce), app=b""))


def test_a_service_that_does_not_answer(world: World) -> None:
    with serving(FastAPI()) as gone:
        elsewhere = Line(gone, world.folder.public.verifying, "default")
        with pytest.raises(Unavailable):
            attest(world, elsewhere, honest(world))
    with pytest.raises(Unavailable):
        attest(world, elsewhere, honest(world))
    elsewhere.close()


def between(url: str, change: Callable[[bytes], bytes]) -> FastAPI:
    """Return a carrier that changes what the service answers."""
    app = FastAPI()

    @app.post("/v1/verify")
    async def verify(request: Request) -> Response:
        body = await request.body()
        async with httpx.AsyncClient() as client:
            reply = await client.post(f"{url}/v1/verify", content=body)
        return Response(change(reply.content))

    return app


def test_the_result_of_another_report(world: World, url: str) -> None:
    kept: list[bytes] = []

    def first(token: bytes) -> bytes:
        kept.append(token)
        return kept[0]

    key = world.folder.public.verifying
    with serving(between(url, first)) as carrier:
        stale = Line(carrier, key, "default")
        attest(world, stale, honest(world))
        rule = refused(lambda: attest(world, stale, honest(world)), Untrusted)
        assert rule == "ear.nonce"
        kept.clear()
        one = Evidence("simulated", world.platform.platform(NONCE), b"")
        stale.ask({PLATFORM: one.to_bytes()}, NONCE, NOW)
        two = Evidence("simulated", world.platform.platform(NONCE, NOW + 1), b"")
        again = lambda: stale.ask({PLATFORM: two.to_bytes()}, NONCE, NOW)  # noqa: E731
        assert refused(again, Untrusted) == "ear.evidence"
        stale.close()


def asking_for(url: str, **changes: object) -> FastAPI:
    """Return a carrier that changes what the service is asked."""
    app = FastAPI()

    @app.post("/v1/verify")
    async def verify(request: Request) -> Response:
        asked = VerificationRequest.from_bytes(await request.body())
        body = replace(asked, **changes).to_bytes()  # type: ignore[arg-type]
        async with httpx.AsyncClient() as client:
            reply = await client.post(f"{url}/v1/verify", content=body)
        return Response(reply.content)

    return app


def test_a_carrier_that_asks_for_something_laxer(world: World, url: str) -> None:
    """A request is not signed, so a result says which question it answers."""
    key = world.folder.public.verifying
    with serving(asking_for(url, freshness="age")) as carrier:
        line = Line(carrier, key, "default")
        kept = world.platform.platform(b"nonce of the boot", NOW - 60)
        oca = lambda nonce: replace(  # noqa: E731
            world.platform.evidence(nonce), platform=kept
        )
        assert refused(lambda: attest(world, line, oca), Untrusted) == "ear.bound"
        attest(world, line, oca, platform_is_fresh=False)
        line.close()
    with serving(asking_for(url, policy="default")) as carrier:
        line = Line(carrier, key, "strict")
        rule = refused(lambda: attest(world, line, honest(world)), Untrusted)
        assert rule == "ear.policy"
        line.close()
    report = snp_world(world)
    derived = b"digest of another key".ljust(64, b"\0")
    with serving(asking_for(url, bound={"cpu": derived})) as carrier:
        line = Line(carrier, key, "default")
        evidence = {"cpu": report(derived)}
        assert refused(lambda: line.ask(evidence, NONCE, NOW), Untrusted) == "ear.bound"
        line.close()


def test_a_carrier_that_alters_the_result(world: World, url: str) -> None:
    key = world.folder.public.verifying
    place = [0]

    def flip(token: bytes) -> bytes:
        data = bytearray(token)
        data[place[0] % len(data)] ^= 1
        return bytes(data)

    with serving(between(url, flip)) as carrier:
        altered = Line(carrier, key, "default")
        for position in range(0, 3000, 601):
            place[0] = position
            with pytest.raises((Untrusted, Malformed)):
                attest(world, altered, honest(world))
        altered.close()


def test_the_service_of_someone_else(world: World, url: str, tmp_path: Path) -> None:
    with world_in(tmp_path, world.suite_id) as other:
        pinned = Line(url, other.folder.public.verifying, "default")
        assert refused(lambda: attest(world, pinned, honest(world)), Untrusted) == (
            "jws.key"
        )
        pinned.close()


def test_a_policy_that_the_service_does_not_have(world: World, url: str) -> None:
    line = Line(url, world.folder.public.verifying, "lenient")
    with pytest.raises(NotFound):
        attest(world, line, honest(world))
    line.close()


def test_the_passport_model(world: World, line: Line) -> None:
    """The attester fetches its result itself; the relying party goes offline by it."""
    own = b"challenge of the attester itself"
    token = fetch_passport(world.platform.evidence(own), own, line, NOW)
    platform = open_passport(token, line.key, NOW + 300)

    def judge(app: bytes) -> AppClaims:
        policy = world.application
        return judge_application(app, platform, policy, nonce=NONCE, now=NOW)

    assert judge(world.platform.app(NONCE)).enclave_id == ENCLAVE
    assert refused(lambda: judge(world.platform.app(own)), Stale) == "app.nonce"
    assert (
        refused(lambda: open_passport(token, line.key, NOW + 301), Stale)
        == "ear.expired"
    )
    stranger = replace(world.platform, monitor=signing_key(world.suite_id, 9))
    assert refused(lambda: judge(stranger.app(NONCE)), Untrusted) == "app.signature"


def snp_world(world: World) -> Callable[[bytes], bytes]:
    """Import a forged SNP platform's endorsements; return what makes its evidence."""
    trust = snp.MILAN.trust()
    documents = [
        Incoming("trust_anchor", ("sev-snp",), each, "forge") for each in trust.roots
    ]
    for role, found in trust.endorsements.collateral.items():
        documents += [Incoming(role, ("sev-snp",), each, "forge") for each in found]
    world.store.add(documents, NOW, anchors=True)

    def report(bound: bytes) -> bytes:
        body = replace(snp.MILAN.body, patch={0x50: bound.ljust(64, b"\0")})
        return snp.MILAN.with_(body=body).evidence().to_bytes()

    return report


def test_composite_evidence_in_one_result(world: World, line: Line) -> None:
    report = snp_world(world)
    alone = Evidence("simulated", world.platform.platform(NONCE), b"").to_bytes()
    evidence = {"cpu": report(NONCE), PLATFORM: alone}
    verified = line.ask(evidence, NONCE, NOW)
    assert set(verified.ear.submodules) == {"cpu", PLATFORM}
    cpu = verified.ear.submodules["cpu"]
    assert cpu.status == "affirming"
    assert cpu.attester.kind == "sev-snp"
    assert cpu.attester.measurements["measurement"] == "77" * 48
    assert verified.status == "warning"
    other = {**evidence, "cpu": report(b"another challenge")}
    rule = refused(lambda: line.ask(other, NONCE, NOW))
    assert rule == "sev-snp.report_data"
    derived = b"digest of nonce and key".ljust(64, b"\0")
    bound = {"cpu": derived}
    cpu = line.ask({"cpu": report(derived)}, NONCE, NOW, bound).ear.submodules["cpu"]
    assert cpu.verifier.unchecked
    assert cpu.attester.bound == derived.hex()


def test_a_submodule_that_the_policy_requires(world: World, url: str) -> None:
    report = snp_world(world)
    line = Line(url, world.folder.public.verifying, "strict")
    rule = refused(lambda: line.ask({"cpu": report(NONCE)}, NONCE, NOW))
    assert rule == "environment.required"
    line.close()


def test_what_is_not_wanted_or_not_verifiable(line: Line) -> None:
    unwanted = HardwareEvidence("tdx", {"quote": b"x"}).to_bytes()
    assert refused(lambda: line.ask({"cpu": unwanted}, NONCE, NOW)) == (
        "environment.kind"
    )
    broken = HardwareEvidence("sev-snp", {"report": b"x"}).to_bytes()
    rule = refused(lambda: line.ask({"cpu": broken}, NONCE, NOW))
    assert rule.startswith("sev-snp.format")


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_results_in_both_forms(world: World, line: Line, url: str, form: str) -> None:
    alone = Evidence("simulated", world.platform.platform(NONCE), b"").to_bytes()
    request = VerificationRequest("default", NONCE, {PLATFORM: alone}, form=form)  # type: ignore[arg-type]
    reply = httpx.post(f"{url}/v1/verify", content=request.to_bytes())
    assert reply.headers["content-type"].startswith(f"application/eat+{form}")
    verify_ear(
        reply.content,
        line.key,
        nonce=NONCE,
        evidence_digest=evidence_digest(world.suite_id, {PLATFORM: alone}),
        now=NOW,
    )


def test_a_refusal_is_signed_too(world: World, line: Line) -> None:
    alone = Evidence("simulated", world.platform.platform(b"other nonce"), b"")
    request = VerificationRequest("default", NONCE, {PLATFORM: alone.to_bytes()})
    verified, _ = line.verify(request, NOW)
    assert verified.status == "contraindicated"
    assert verified.findings[0].owner == "verifier"


JUNK = {PLATFORM: Evidence("simulated", b"junk", b"").to_bytes()}


def test_every_verdict_is_on_record(world: World, url: str, tmp_path: Path) -> None:
    """The log is copied and verified like any other, by its key alone."""
    before = httpx.get(f"{url}/v1/log/checkpoint").content
    request = VerificationRequest("default", NONCE, JUNK)
    httpx.post(f"{url}/v1/verify", content=request.to_bytes())
    about = cbor.decode(httpx.get(f"{url}/v1/verifier").content)
    assert isinstance(about, dict)
    assert about["public"] == world.folder.public.to_bytes()
    checkpoint = httpx.get(f"{url}/v1/log/checkpoint").content
    size = Checkpoint.parse(Note.parse(checkpoint).text).size
    for path in ["checkpoint", *(tile.path for tile in tile_paths(size))]:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(httpx.get(f"{url}/v1/log/{path}").content)
    key = NoteKey.parse(about["log"])
    assert key.key == world.folder.public.verifying
    report = verify_folder(tmp_path, key, older=before)
    _, entry = list(report.query())[-1]
    assert (entry.action, entry.outcome) == ("environment.verify", "refused")
    assert entry.detail["status"] == "contraindicated"
    assert entry.detail["kinds"] == "simulated"
    assert entry.detail["nonce"] == NONCE.hex()


def test_a_log_that_was_cut_does_not_start_again(tmp_path: Path) -> None:
    with world_in(tmp_path, "intl") as other:
        request = VerificationRequest("default", NONCE, JUNK)
        with other.service() as service:
            service.verify(request)
            service.verify(request)
            with pytest.raises(Conflict), other.service():
                pass
        journal = other.folder.root / "log" / "journal"
        whole = journal.read_bytes()
        journal.write_bytes(whole + b"\0\0\1")
        with other.service():
            assert journal.read_bytes() == whole, "what was torn off counts for nothing"
        journal.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(Tampered), other.service():
            pass


@pytest.mark.parametrize("body", [b"", b"junk", b"\xa0"])
def test_requests_that_are_none(url: str, body: bytes) -> None:
    assert httpx.post(f"{url}/v1/verify", content=body).status_code == 400
