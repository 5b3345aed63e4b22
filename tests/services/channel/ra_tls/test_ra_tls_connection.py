# SPDX-License-Identifier: Apache-2.0
"""RA-TLS between enclaves: who is accepted, who is not, and what never passes."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

pytest.importorskip("OpenSSL", reason="the extra `tls` is not installed")

from strongroom.core.crypto.tls import (
    PROFILES,
    Credential,
    Setting,
    TlsContext,
)
from strongroom.core.crypto.tlskey import TlsKey
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Evidence, HardwareEvidence
from strongroom.errors import Conflict, Malformed, Misconfigured, StrongroomError
from strongroom.hardware.ra_tls import abi
from strongroom.hardware.ra_tls.verify import verify as verify_ra_tls
from strongroom.hardware.ra_tls.wrapper import Wrapper
from strongroom.services.channel import Verify
from strongroom.services.channel.ra_tls.certificate import (
    TWO_LAYER,
    Shown,
    certificate_binding,
    show_hardware,
)
from strongroom.services.channel.ra_tls.connection import (
    ALPN,
    HTTP,
    Endpoint,
    client_end,
    fresh_binding,
    server_end,
)
from strongroom.services.channel.ra_tls.peer import Enclave, KnownKey
from tests.hardware.ra_tls.forge import snp_evidence
from tests.hardware.sev_snp import forge as snp
from tests.services.channel.judging import appraisal
from tests.services.channel.ra_tls.ra_tls_world import (
    ANYBODY,
    VALID,
    Wire,
    accepts_enclave,
    accepts_key,
    client,
    enclave,
    party,
    report_of,
    server,
    wire,
)
from tests.services.ra_world import NOW, World, world_in

SUITES = ("sm", "intl")


def mutual(world: World, shown: Shown | None = None) -> Wire:
    """Return a wire between two enclaves that verify each other."""
    one = client(world, enclave(world))
    return wire(one, server(world, accepts_enclave(world), shown))


def test_two_enclaves_verify_each_other_and_then_talk(world: World) -> None:
    both = mutual(world).run()
    assert not both.errors
    both.client.send(b"question")
    both.run()
    assert both.server.take() == b"question"
    both.server.send(b"answer")
    both.client.feed(both.server.outgoing())
    assert both.client.take() == b"answer"


def test_version_group_and_cipher_are_the_suites_alone(world: World) -> None:
    both = mutual(world).run()
    expected = {
        "intl": ("X25519MLKEM768", "TLS_AES_256_GCM_SHA384"),
        "sm": ("curveSM2", "TLS_SM4_GCM_SM3"),
    }
    for end in (both.client, both.server):
        assert (end.group, end.cipher) == expected[world.suite_id]


def test_a_party_is_known_by_its_key_and_shows_no_evidence(world: World) -> None:
    shown = party(world)
    both = wire(client(world, shown), server(world, accepts_key(world, shown))).run()
    assert not both.errors
    assert both.server.is_open
    other = wire(client(world, party(world)), server(world, accepts_key(world, shown)))
    assert other.run().rules == {"server": ["ra-tls.client"]}


def test_nothing_passes_before_the_other_end_is_accepted(world: World) -> None:
    both = mutual(world)
    for end in (both.client, both.server):
        with pytest.raises(Conflict):
            end.send(b"too early")
        assert end.take() == b""
        assert not end.is_open


@pytest.mark.parametrize("suite_id", SUITES)
def test_the_certificate_is_one_that_hardware_ra_tls_reads(suite_id: str) -> None:
    validity = (snp.NOW - 60, snp.NOW + 60)
    shown = show_hardware(suite_id, snp_evidence, validity)
    certificate = shown.credential.certificate
    (piece,) = abi.carried(certificate)
    assert piece.oid == "2.23.133.5.4.9"
    assert piece.evidence.kind == "sev-snp"
    evidence = HardwareEvidence("ra-tls", {"certificate": certificate.der})
    claims = verify_ra_tls(evidence, snp.MILAN.trust(), snp.NOW)
    assert claims.key == certificate.spki
    assert claims.bound[:32] == hashlib.sha256(certificate.spki).digest()


def test_two_layer_evidence_is_in_the_same_wrapper(world: World) -> None:
    certificate = enclave(world).credential.certificate
    value = certificate.extension(abi.TAGGED_EVIDENCE)
    assert value is not None
    wrapper = Wrapper.parse(value)
    assert wrapper.media_type == TWO_LAYER
    assert wrapper.to_extension() == value
    nonce, user_data = certificate_binding(world.suite_id, certificate.spki)
    appraisal(world).accept(wrapper.value, nonce, user_data)
    assert certificate.is_signed_by(certificate)
    assert (certificate.not_before, certificate.not_after) == VALID


def with_certificate_of(shown: Shown, another: Shown) -> Shown:
    """Return `shown` with the evidence of `another`'s certificate in its own."""
    value = another.credential.certificate.extension(abi.TAGGED_EVIDENCE)
    assert value is not None
    key = shown.credential.key
    der = key.certify("strongroom", VALID, (abi.TAGGED_EVIDENCE, value))
    return Shown(Credential(key, der), shown.report)


def test_a_certificate_with_evidence_of_another_key_is_refused(world: World) -> None:
    thief = with_certificate_of(enclave(world), enclave(world))
    both = wire(client(world), server(world, ANYBODY, thief)).run()
    assert set(both.rules["client"]) == {"app.nonce", "app.user_data"}


def test_another_devices_evidence_is_refused(world: World, tmp_path: Path) -> None:
    """The same maker's device, but an app that nobody measured there."""
    with world.device(tmp_path / "other", debug=True) as stranger:
        both = wire(client(world), server(world, ANYBODY, enclave(world, stranger)))
        assert "platform.debug" in both.run().rules["client"]


def test_a_device_of_another_maker_is_refused(world: World, tmp_path: Path) -> None:
    with world_in(tmp_path / "w", world.suite_id) as foreign:
        both = wire(client(world), server(world, ANYBODY, enclave(foreign))).run()
    assert both.rules["client"] == ["certificate.root"]


def test_a_certificate_without_evidence_is_refused(world: World) -> None:
    both = wire(client(world), server(world, ANYBODY, party(world))).run()
    assert both.rules["client"] == ["ra-tls.evidence"]


def test_a_certificate_that_its_own_key_did_not_sign_is_refused(world: World) -> None:
    """TLS proves who holds the key, not that the holder said the rest."""
    der = enclave(world).credential.certificate.der
    spoilt = Certificate(der[:-1] + bytes([der[-1] ^ 1]))
    with pytest.raises(StrongroomError) as caught:
        accepts_enclave(world).certificate(world.suite_id, spoilt)
    assert [each.rule for each in caught.value.findings] == ["ra-tls.signature"]


@pytest.mark.parametrize("suite_id", SUITES)
def test_fresh_evidence_binds_suite_role_connection_and_key(suite_id: str) -> None:
    exported, spki = bytes(range(64)), b"a key"
    nonce, user_data = fresh_binding(suite_id, "client", exported, spki)
    assert nonce == exported[:32]
    others = [
        fresh_binding(suite_id, "server", exported, spki),
        fresh_binding(suite_id, "client", exported[:63] + b"x", spki),
        fresh_binding(suite_id, "client", exported, b"another key"),
        fresh_binding(SUITES[1 - SUITES.index(suite_id)], "client", exported, spki),
    ]
    assert len({user_data, *(each[1] for each in others)}) == 5


def test_what_comes_before_the_evidence_is_judged_is_not_handed_on(
    world: World,
) -> None:
    """A server that never gives the whole of its evidence."""
    shown = enclave(world)
    long = Shown(shown.credential, lambda *_: bytes(40_000))
    both = wire(client(world), server(world, ANYBODY, long))
    both.to_client = lambda data: data[:-100] if len(data) > 40_000 else data
    assert not both.run().errors
    assert both.client.held_bytes > 0
    assert both.client.take() == b""
    assert not both.client.is_open
    with pytest.raises(Conflict):
        both.client.send(b"an answer")


def test_an_expired_certificate_is_refused_though_its_key_is_there(
    world: World,
) -> None:
    old = enclave(world, validity=(NOW - 7200, NOW - 3600))
    both = wire(client(world), server(world, ANYBODY, old)).run()
    assert both.rules["client"] == ["ra-tls.dates"]


def test_a_stolen_key_with_its_old_certificate_is_refused(world: World) -> None:
    """The thief has key and certificate, but no enclave to make fresh reports."""
    shown = enclave(world)
    value = shown.credential.certificate.extension(abi.TAGGED_EVIDENCE)
    assert value is not None
    old = Evidence.from_bytes(Wrapper.parse(value).value).app
    for report in (lambda *_: old, lambda *_: b""):
        stolen = Shown(shown.credential, report)
        both = wire(client(world), server(world, ANYBODY, stolen)).run()
        assert set(both.rules["client"]) in (
            {"app.nonce", "app.user_data"},
            {"ra-tls.fresh"},
        )


def test_a_handshake_that_was_recorded_cannot_be_played_back(world: World) -> None:
    """The old certificate with all that went with it, by someone without its key."""
    recorded: list[bytes] = []

    def record(data: bytes) -> bytes:
        recorded.append(data)
        return data

    first = wire(client(world), server(world))
    first.to_client = record
    assert first.run().client.is_open
    again = wire(client(world), server(world))
    played = iter(recorded)
    again.to_client = lambda _: next(played, b"")
    assert again.run().rules["client"] == ["tls.handshake"]


def test_a_man_who_terminates_tls_cannot_relay_the_fresh_report(world: World) -> None:
    """He holds a stolen key and a live line to the true enclave of that key."""
    shown = enclave(world)
    seen: list[bytes] = []

    def relay(nonce: bytes, user_data: bytes) -> bytes:
        """Return the report that the true enclave made for HIS connection to it."""
        del nonce, user_data
        his = wire(client(world), server(world, ANYBODY, watched)).run()
        assert his.client.is_open
        return seen[-1]

    def watch(nonce: bytes, user_data: bytes) -> bytes:
        assert shown.report is not None
        seen.append(shown.report(nonce, user_data))
        return seen[-1]

    watched = Shown(shown.credential, watch)
    man = Shown(shown.credential, relay)
    both = wire(client(world), server(world, ANYBODY, man)).run()
    assert set(both.rules["client"]) == {"app.nonce", "app.user_data"}


def test_an_enclave_cannot_be_used_to_answer_in_the_others_role(world: World) -> None:
    """A client's own fresh report, sent back to it, is not a server's."""
    shown = enclave(world)
    reports: list[bytes] = []

    def note(nonce: bytes, user_data: bytes) -> bytes:
        assert shown.report is not None
        reports.append(shown.report(nonce, user_data))
        return reports[-1]

    def reflect(nonce: bytes, user_data: bytes) -> bytes:
        del nonce, user_data
        return reports[-1]

    mirror = Shown(shown.credential, reflect)
    one = client(world, Shown(shown.credential, note))
    both = wire(one, server(world, accepts_enclave(world), mirror)).run()
    assert set(both.rules["client"]) == {"app.nonce", "app.user_data"}


def test_another_enclave_cannot_speak_for_the_one_in_the_certificate(
    world: World,
) -> None:
    """The same app on the same machine, but another instance of it."""
    facts = replace(
        world.platform.facts, enclave_id=b"another instance of the same app"
    )
    other = replace(world.platform, facts=facts)
    mixed = Shown(enclave(world).credential, report_of(other))
    both = wire(client(world), server(world, ANYBODY, mixed)).run()
    assert both.rules["client"] == ["channel.enclave"]


def test_a_remembered_certificate_does_not_spare_the_word_in_each_connection(
    world: World,
) -> None:
    shown = enclave(world)
    remembers = client_end(world.suite_id, None, accepts_enclave(world, 60))
    assert wire(remembers, server(world, ANYBODY, shown)).run().client.is_open
    assert wire(remembers, server(world, ANYBODY, shown)).run().client.is_open
    thief = Shown(shown.credential, lambda *_: b"")
    both = wire(remembers, server(world, ANYBODY, thief)).run()
    assert both.rules["client"] == ["ra-tls.fresh"]


def test_a_certificate_is_remembered_for_so_long_and_no_longer(world: World) -> None:
    clock, looked = [NOW], []
    appraiser = appraisal(world)

    class Counting:
        def accept(self, evidence: bytes, nonce: bytes, user_data: bytes) -> Verify:
            looked.append(nonce)
            return appraiser.accept(evidence, nonce, user_data)

    peer = Enclave(Counting(), lambda: clock[0], 60)
    certificate = enclave(world).credential.certificate
    for moment, count in ((0, 1), (59, 1), (60, 2), (61, 2), (-1, 3)):
        clock[0] = NOW + moment
        peer.certificate(world.suite_id, certificate)
        assert len(looked) == count


def test_a_server_that_asks_lets_nobody_in_without_a_certificate(world: World) -> None:
    both = wire(client(world), server(world, accepts_enclave(world))).run()
    assert both.rules["server"] == ["tls.handshake"]
    assert not both.server.is_open


@pytest.mark.parametrize("at", [9, 60, 200, 700, -1])
def test_a_changed_byte_of_the_handshake_is_refused(world: World, at: int) -> None:
    changed: list[bool] = []

    def flip(data: bytes) -> bytes:
        if changed:
            return data
        changed.append(True)
        spoilt = bytearray(data)
        spoilt[at % len(data)] ^= 1
        return bytes(spoilt)

    both = mutual(world)
    both.to_client = flip
    both.run()
    assert both.errors or not both.client.is_open
    assert not both.client.is_open


def test_a_changed_record_ends_the_connection(world: World) -> None:
    both = mutual(world).run()
    both.client.send(b"pay 10 to Ann")
    record = bytearray(both.client.outgoing())
    record[-1] ^= 1
    with pytest.raises(StrongroomError) as caught:
        both.server.feed(bytes(record))
    assert caught.value.findings[0].rule == "tls.record"
    with pytest.raises(Conflict):
        both.server.feed(b"")


@pytest.mark.parametrize("trick", ["drop", "repeat", "swap", "reflect", "another"])
def test_a_record_that_is_not_the_next_ends_the_connection(
    world: World, trick: str
) -> None:
    """The negatives of STANDARD 7.5, by a man who has the path."""
    both, another = mutual(world).run(), mutual(world).run()
    both.client.send(b"first")
    first = both.client.outgoing()
    both.client.send(b"second")
    second = both.client.outgoing()
    both.server.send(b"first")
    another.client.send(b"first")
    tricked = {
        "drop": second,
        "repeat": first + first,
        "swap": second + first,
        "reflect": both.server.outgoing(),
        "another": another.client.outgoing(),
    }[trick]
    with pytest.raises(StrongroomError) as caught:
        both.server.feed(tricked)
    assert caught.value.findings[0].rule == "tls.record"
    assert both.server.take() == b""
    with pytest.raises(Conflict):
        both.server.feed(second)


def test_a_path_that_is_cut_is_told_from_one_that_was_closed(world: World) -> None:
    both = mutual(world).run()
    with pytest.raises(StrongroomError) as caught:
        both.server.end()
    assert caught.value.findings[0].rule == "ra-tls.truncated"
    both = mutual(world).run()
    both.client.close()
    both.run()
    both.server.end()
    assert both.server.ended


def weak_server(world: World, **changes: object) -> Endpoint:
    """Return a server that would take weaker TLS."""
    profile = replace(PROFILES[world.suite_id], **changes)  # type: ignore[arg-type]
    setting = Setting(profile, is_server=True, alpn=(ALPN, HTTP, ""), ask=False)
    return Endpoint(setting, enclave(world), ANYBODY)


def test_a_weaker_group_is_refused_by_a_client(world: World) -> None:
    weak = weak_server(world, groups=("X25519",))
    both = wire(client(world), weak).run()
    assert both.rules["client"] == ["tls.handshake"]


def test_a_group_for_plain_clients_is_refused_to_those_who_attest(
    world: World,
) -> None:
    weaker = "X25519" if world.suite_id == "intl" else "curveSM2MLKEM768"
    end = server_end(world.suite_id, enclave(world), ANYBODY, (weaker,))
    profile = replace(PROFILES[world.suite_id], groups=(weaker,))
    setting = Setting(profile, is_server=False, alpn=(ALPN,))
    both = wire(Endpoint(setting, None, accepts_enclave(world)), end).run()
    assert both.rules["server"] == ["tls.negotiated"]
    plain = Setting(profile, is_server=False, alpn=(HTTP,))
    let_in = wire(Endpoint(plain, None, ANYBODY), end).run()
    assert let_in.server.is_open


def test_a_client_that_would_take_less_sees_it_and_refuses(world: World) -> None:
    """What was negotiated is looked at, not only what was asked for."""
    weaker = "X25519" if world.suite_id == "intl" else "curveSM2MLKEM768"
    setting = Setting(
        PROFILES[world.suite_id].also(weaker), is_server=False, alpn=(ALPN,)
    )
    end = Endpoint(setting, None, accepts_enclave(world))
    both = wire(end, weak_server(world, groups=(weaker,))).run()
    assert both.rules["client"] == ["tls.negotiated"]


def test_the_other_suite_is_refused_by_both(world: World, tmp_path: Path) -> None:
    other = SUITES[1 - SUITES.index(world.suite_id)]
    with world_in(tmp_path / "w", other) as foreign:
        both = wire(client(world), server(foreign)).run()
    assert both.rules["server"] == ["tls.handshake"]
    assert not both.client.is_open


def test_a_server_without_our_protocol_is_refused(world: World) -> None:
    setting = Setting(
        PROFILES[world.suite_id], is_server=True, alpn=(HTTP, ""), ask=False
    )
    both = wire(client(world), Endpoint(setting, enclave(world), ANYBODY)).run()
    assert both.rules["client"] == ["tls.negotiated"]


def test_plain_clients_have_to_be_let_in_on_purpose(world: World) -> None:
    with pytest.raises(Malformed):
        server_end(world.suite_id, enclave(world), accepts_enclave(world), ("X25519",))


def test_a_cipher_that_openssl_lacks_is_said_so(world: World) -> None:
    profile = replace(PROFILES[world.suite_id], groups=("no-such-group",))
    with pytest.raises(Misconfigured):
        TlsContext(Setting(profile, is_server=False, alpn=(ALPN,)), None)


def test_evidence_that_claims_to_be_huge_is_refused(world: World) -> None:
    shown = enclave(world)
    huge = Shown(shown.credential, lambda *_: bytes((1 << 20) + 1))
    both = wire(client(world), server(world, ANYBODY, huge)).run()
    assert isinstance(both.errors["client"], Malformed)


@given(data=st.binary(max_size=300))
@settings(max_examples=60)
def test_no_bytes_make_an_end_raise_anything_foreign(world: World, data: bytes) -> None:
    for endpoint in ENDS[world.suite_id]:
        end = endpoint.connection()
        try:
            end.feed(data)
        except StrongroomError:
            with pytest.raises(Conflict):
                end.feed(b"")
        assert not end.is_open


ENDS: dict[str, tuple[Endpoint, ...]] = {}


@pytest.fixture(scope="module", autouse=True)
def _ends(world: World) -> None:
    ENDS[world.suite_id] = (client(world), server(world))


@pytest.mark.parametrize("suite_id", SUITES)
@given(
    first=st.integers(0, 4_000_000_000),
    value=st.binary(max_size=300),
    name=st.text(st.characters(codec="ascii", categories=["L"]), min_size=1),
)
@settings(max_examples=30)
def test_certificates_are_read_as_they_are_written(
    suite_id: str, first: int, value: bytes, name: str
) -> None:
    key = TlsKey.generate(suite_id)
    der = key.certify(name[:60], (first, first + 1), ("1.3.6.1.4.1.99999.1", value))
    certificate = Certificate(der)
    assert (certificate.not_before, certificate.not_after) == (first, first + 1)
    assert certificate.extension("1.3.6.1.4.1.99999.1") == value
    assert certificate.name == f"CN={name[:60]}"
    assert certificate.spki == key.spki
    assert certificate.is_signed_by(certificate)
    spoilt = Certificate(der[:-1] + bytes([der[-1] ^ 1]))
    assert not spoilt.is_signed_by(spoilt)


def test_a_credential_is_of_one_key() -> None:
    key, another = TlsKey.generate("intl"), TlsKey.generate("intl")
    with pytest.raises(Malformed):
        Credential(key, another.certify("x", VALID, None))


def test_there_are_no_keys_of_an_unknown_suite() -> None:
    with pytest.raises(Malformed):
        TlsKey.generate("rot13")
    with pytest.raises(Malformed):
        client_end("rot13", None, KnownKey(frozenset(), lambda: NOW))
