# SPDX-License-Identifier: Apache-2.0
"""The interface: each of the fifteen functions, on every root of trust, in both suites.

One test walks the table (STANDARD 6): what each function must do and what it must
refuse. A function without a row here, or a row without a refusal, is a failure.
"""

import inspect
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from strongroom.application.sdk.inside import InsideServices
from strongroom.application.sdk.interface import INTERFACES, Services
from strongroom.application.sdk.outside import OutsideServices
from strongroom.application.sdk.remote import RemoteServices
from strongroom.core.codec.bundle import Bundle
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.signed import open_record
from strongroom.core.rats import (
    LOCKS,
    AppraisalPolicy,
    AppRule,
    Destruction,
    Endorsements,
    Evidence,
    not_checked_bytes,
)
from strongroom.errors import (
    Conflict,
    LimitReached,
    Malformed,
    NotFound,
    Refused,
    Stale,
    StrongroomError,
    Tampered,
)
from strongroom.node.roots import Root
from strongroom.services.attestation import appraise, verify_evidence
from strongroom.services.channel import ChannelAgent
from strongroom.services.crypto import Ciphertext, PublicKey as CryptoKey, Tag
from strongroom.services.isolation import Isolation
from strongroom.system.monitor.gate import GateConnection
from tests.integration.machine import SOURCE, Machine

ROOTS = ("simulated", "tpm2")
NONCE = bytes(range(32))


@dataclass
class Case:
    """What a check of one row works with."""

    machine: Machine
    isolation: Isolation
    bundle: Bundle
    services: OutsideServices
    enclave: bytes

    def another(self, bundle: Bundle | None = None) -> OutsideServices:
        """Return services of a further enclave."""
        return self.machine.fresh(self.isolation, bundle or self.bundle)

    def policy(self, *measurements: bytes) -> bytes:
        """Return a policy for this platform and the apps measured so; or it alone."""
        evidence = Evidence.from_bytes(self.services.report(NONCE))
        platform, _ = verify_evidence(
            evidence, self.machine.trust, now=int(time.time()) + 1
        )
        return AppraisalPolicy(
            owner="bank",
            kinds=(self.machine.root.kind,),
            registers={each.name: (each.value,) for each in platform.registers},
            locks=LOCKS if measurements else platform.locks,
            max_platform_age_s=300,
            min_firmware_svn=0,
            apps=tuple(
                AppRule.measured(each, config=not_checked_bytes("none is used"))
                for each in measurements
            ),
        ).to_bytes()


@pytest.fixture(
    scope="module",
    params=[(root, suite_id) for root in ROOTS for suite_id in ("sm", "intl")],
    ids="-".join,
)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    kind, suite_id = request.param
    folder = tmp_path_factory.mktemp("interface") / "m"
    machine = Machine(folder, suite_id, Root(kind))
    with machine.start(), machine.connect() as isolation:
        bundle = machine.bundle()
        services = OutsideServices(isolation, machine.policy(), machine.objects)
        enclave = services.create(bundle.to_bytes())
        with services:
            yield Case(machine, isolation, bundle, services, enclave)


def refused(rule: str, act: Callable[[], object]) -> None:
    """Assert that a rule of that name refuses."""
    with pytest.raises(Refused) as refusal:
        act()
    assert rule in [finding.rule for finding in refusal.value.findings]


def raises(kind: type[StrongroomError], act: Callable[[], object]) -> None:
    """Assert an error that is no refusal by a rule."""
    with pytest.raises(kind):
        act()


def creates(case: Case) -> None:
    with OutsideServices(case.isolation, case.machine.policy()) as services:
        enclave = services.create(case.bundle.to_bytes())
        living = {each.enclave_id for each in case.isolation.status().enclaves}
        assert enclave in living - {case.enclave}
        assert services.call("echo", text="hello") == "hello"


def creates_from_inside(case: Case) -> None:
    """An app has another one created and destroyed by whoever called it."""
    with case.another() as services:
        made = services.call("make", text=case.bundle.to_bytes().hex())
        assert isinstance(made, str)
        enclave = bytes.fromhex(made)
        assert enclave in {each.enclave_id for each in case.isolation.status().enclaves}
        said = services.call("end", text=made)
        assert isinstance(said, str)
        record = ended(case, bytes.fromhex(said))
        assert (record.enclave_id, record.reason) == (enclave, "requested")
        assert enclave not in {
            each.enclave_id for each in case.isolation.status().enclaves
        }
        raises(NotFound, lambda: services.call("end", text=case.enclave.hex()))


def creates_only_what_is_signed_listed_and_whole(case: Case) -> None:
    def create(data: bytes) -> Callable[[], object]:
        fresh = OutsideServices(case.isolation, case.machine.policy())
        return lambda: fresh.create(data)

    stranger = case.machine.bundle(signer=case.machine.key())
    refused("bundle.signer", create(stranger.to_bytes()))
    changed = case.bundle.to_bytes().replace(b"return text", b"return nope")
    raises(StrongroomError, create(changed))
    unsigned = Bundle(case.bundle.manifest, case.bundle.signer, b"", b"")
    raises(StrongroomError, create(unsigned.to_bytes()))
    raises(Malformed, create(b"no bundle"))
    empty = OutsideServices(case.isolation, case.machine.policy())
    raises(NotFound, lambda: empty.random(1))


def destroys(case: Case) -> None:
    services = OutsideServices(case.isolation, case.machine.policy())
    enclave = services.create(case.bundle.to_bytes())
    record = ended(case, services.destroy(enclave))
    assert (record.enclave_id, record.reason) == (enclave, "requested")
    raises(Conflict, lambda: services.random(1))


def ended(case: Case, signed: bytes) -> Destruction:
    """Return a destruction record that this machine's monitor has signed."""
    monitor = case.isolation.status().monitor_key
    return open_record(Destruction, signed, monitor.verifying())


def destroys_for_its_owner_only(case: Case) -> None:
    with OutsideServices(case.isolation, case.machine.policy()) as stranger:
        raises(NotFound, lambda: stranger.destroy(case.enclave))
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.fspath(case.machine.folder / "node" / "monitor.sock"))
        gate = GateConnection(link)
        for handle in (bytes(16), case.enclave[:16]):
            refused("gate.owner", lambda: gate.call("DESTROY", {"handle": handle}))  # noqa: B023
    assert case.services.call("echo", text="lives") == "lives"


def reports(case: Case) -> None:
    evidence = Evidence.from_bytes(case.services.report(NONCE, b"bound"))
    platform, app = verify_evidence(
        evidence, case.machine.trust, now=int(time.time()) + 1
    )
    assert app is not None
    assert (platform.kind, app.nonce, app.user_data) == (
        case.machine.root.kind,
        NONCE,
        b"bound",
    )
    assert app.measurement == case.bundle.manifest.measurement


def reports_on_the_platform_alone(case: Case) -> None:
    evidence = Evidence.from_bytes(case.services.report(NONCE, subject="platform"))
    now = int(time.time()) + 1
    platform, app = verify_evidence(evidence, case.machine.trust, now=now)
    assert (platform.kind, platform.nonce, app) == (
        case.machine.root.kind,
        NONCE,
        None,
    )
    report, bound = case.services.report, b"bound"
    raises(Malformed, lambda: report(NONCE, bound, "platform"))
    raises(Malformed, lambda: report(NONCE, b"", "nobody"))  # type: ignore[arg-type]


def reports_on_a_challenge_of_a_size_only(case: Case) -> None:
    raises(StrongroomError, lambda: case.services.report(b"short"))
    raises(StrongroomError, lambda: case.services.report(bytes(65)))
    raises(StrongroomError, lambda: case.services.report(NONCE, bytes(65)))


def verifies_a_report(case: Case) -> None:
    with case.another() as other:
        evidence = other.report(NONCE, b"bound")
    verdict = case.services.verify_report(
        evidence,
        case.machine.endorsements.to_bytes(),
        case.policy(case.bundle.manifest.measurement),
        NONCE,
    )
    assert verdict["measurement"] == case.bundle.manifest.measurement
    assert verdict["user_data"] == b"bound"


def verifies_a_report_of_the_platform_alone(case: Case) -> None:
    verify, roots = case.services.verify_report, case.machine.endorsements.to_bytes()
    alone, policy = case.services.report(NONCE, subject="platform"), case.policy()
    verdict = verify(alone, roots, policy, NONCE)
    assert set(verdict) == {"kind", "device_id"}
    assert verdict["kind"] == case.machine.root.kind
    raises(Stale, lambda: verify(alone, roots, policy, bytes(32)))
    wanted = case.policy(case.bundle.manifest.measurement)
    refused("app.evidence", lambda: verify(alone, roots, wanted, NONCE))
    both = case.services.report(NONCE)
    refused("app.measurement", lambda: verify(both, roots, policy, NONCE))


def verifies_no_report_that_is_false_old_or_of_another(case: Case) -> None:
    evidence = case.services.report(NONCE)
    roots = case.machine.endorsements.to_bytes()
    policy = case.policy(case.bundle.manifest.measurement)
    verify = case.services.verify_report
    refused("app.nonce", lambda: verify(evidence, roots, policy, bytes(32)))
    foreign = Endorsements((), ()).to_bytes()
    raises(StrongroomError, lambda: verify(evidence, foreign, policy, NONCE))
    other = case.policy(bytes(len(case.bundle.manifest.measurement)))
    refused("app.measurement", lambda: verify(evidence, roots, other, NONCE))
    for at in range(100, len(evidence), max(1, len(evidence) // 12)):
        flipped = evidence[:at] + bytes([evidence[at] ^ 1]) + evidence[at + 1 :]
        with pytest.raises(StrongroomError):
            verify(flipped, roots, policy, NONCE)


class Between:
    """The ordinary side between client and app; it may rewrite every message."""

    def __init__(self, services: OutsideServices) -> None:
        self.services, self.seen = services, list[bytes]()
        self.rewrite: Callable[[bytes], bytes] = bytes

    def open_channel(self, hello: bytes) -> bytes:
        """Pass a hello on."""
        return self.rewrite(self.services.open_channel(hello))

    def converse(self, session: bytes, **message: bytes) -> bytes:
        """Pass a message on."""
        self.seen += message.values()
        rewritten = {name: self.rewrite(data) for name, data in message.items()}
        return self.services.converse(session, **rewritten)


def client_of(
    case: Case, path: Between, bundle: Bundle | None = None
) -> RemoteServices:
    """Open a channel as a client that wants the app of `bundle`."""
    measurement = (bundle or case.bundle).manifest.measurement
    policy = AppraisalPolicy.from_bytes(case.policy(measurement))

    def verify(evidence: bytes, nonce: bytes, user_data: bytes) -> None:
        now = int(time.time()) + 1
        shown = Evidence.from_bytes(evidence)
        platform, app = verify_evidence(shown, case.machine.trust, now=now)
        appraise(platform, app, policy, nonce=nonce, now=now, user_data=user_data)

    agent = ChannelAgent(case.machine.suite_id, os.urandom, verify)
    return RemoteServices(agent, path)


def opens_a_channel(case: Case) -> None:
    path = Between(case.services)
    remote = client_of(case, path)
    assert (
        remote.call("echo", text="a secret of the client") == "a secret of the client"
    )
    assert remote.unseal(remote.seal(b"another secret")) == b"another secret"
    mine = SIGNATURE[case.machine.suite_id]
    refused(
        "crypto.algorithm-purpose", lambda: remote.generate_key(mine, "encrypt", "test")
    )
    assert not any(b"secret" in message for message in path.seen)
    raises(NotFound, lambda: remote.create(case.bundle.to_bytes()))
    raises(NotFound, lambda: remote.destroy(case.enclave))
    remote.close()
    raises(Conflict, lambda: remote.random(1))


def opens_no_channel_that_the_path_has_touched(case: Case) -> None:
    honest = Between(case.services)
    other = case.machine.bundle(SOURCE + b"#")
    refused("app.measurement", lambda: client_of(case, honest, other))
    swapped = Between(case.services)
    swapped.rewrite = lambda data: data[:120] + bytes([data[120] ^ 1]) + data[121:]
    raises(StrongroomError, lambda: client_of(case, swapped))
    remote = client_of(case, honest)
    honest.rewrite = lambda data: data[:-1] + bytes([data[-1] ^ 1])
    refused("channel.record", lambda: remote.random(1))
    honest.rewrite = bytes
    raises(StrongroomError, lambda: remote.random(1))


def stored(case: Case, namespace: str = "ledger") -> list[bytes]:
    """Return all that the ordinary side has of a namespace."""
    kept = case.machine.folder / "objects" / namespace
    return [each.read_bytes() for each in kept.rglob("*") if each.is_file()]


def stores(case: Case) -> None:
    case.services.store("ledger", "balance", b"planted figures")
    case.services.store("ledger", "balance", b"other figures")
    assert case.services.load("ledger", "balance") == b"other figures"
    assert stored(case)
    assert not any(b"figures" in each for each in stored(case))


def stores_in_declared_namespaces_only(case: Case) -> None:
    refused("resource.storage", lambda: case.services.store("elsewhere", "x", b"data"))
    raises(Malformed, lambda: case.services.store("ledger", "", b"data"))


def loads(case: Case) -> None:
    case.services.store("ledger", "note", b"figures")
    assert case.services.load("ledger", "note") == b"figures"


def loads_the_newest_or_refuses_in_words(case: Case) -> None:
    raises(NotFound, lambda: case.services.load("ledger", "never"))
    bundle = case.machine.bundle(SOURCE + b"# with a ledger of its own")
    kept = case.machine.folder / "objects" / "ledger"
    with case.another(bundle) as services:
        services.store("ledger", "balance", b"100")
        shutil.copytree(kept, kept.with_name("yesterday"))
        services.store("ledger", "balance", b"5")
    kept.rename(kept.with_name("today"))
    kept.with_name("yesterday").rename(kept)
    try:
        with case.another(bundle) as services:
            refused("storage.rollback", lambda: services.load("ledger", "balance"))
    finally:
        shutil.rmtree(kept)
        kept.with_name("today").rename(kept)


def draws_random_bytes(case: Case) -> None:
    assert len(case.services.random(4096)) == 4096
    assert case.services.random(32) != case.services.random(32)


def draws_no_more_than_a_gate_carries(case: Case) -> None:
    raises(Malformed, lambda: case.services.random(0))
    raises(LimitReached, lambda: case.services.random(4097))


AEAD = {"sm": "sm4-gcm", "intl": "aes-256-gcm"}
SIGNATURE = {"sm": "sm2-sm3", "intl": "ed25519"}
ENVELOPE = {"sm": "hpke-sm2", "intl": "hpke-mlkem768-x25519"}
AGREEMENT = {"sm": ("sm2-exchange", 2), "intl": ("x25519", 1)}
"""The algorithm, and how many keys of it each side takes to an agreement."""


def key_to(case: Case, purpose: str) -> bytes:
    """Make a key of the suite for a purpose."""
    names = AEAD if purpose == "encrypt" else SIGNATURE
    return case.services.generate_key(names[case.machine.suite_id], purpose, "test")


def makes_keys(case: Case) -> None:
    one, other = key_to(case, "sign"), key_to(case, "sign")
    assert len(one) == len(other) == 16
    assert case.services.sign(one, b"m") != case.services.sign(other, b"m")


def makes_keys_for_one_purpose_and_of_its_suite(case: Case) -> None:
    make, mine = case.services.generate_key, AEAD[case.machine.suite_id]
    foreign = AEAD["intl" if case.machine.suite_id == "sm" else "sm"]
    refused("crypto.algorithm-purpose", lambda: make(mine, "sign", "test"))
    refused("crypto.algorithm", lambda: make(foreign, "encrypt", "test"))
    raises(Malformed, lambda: make("rot13", "encrypt", "test"))
    raises(Malformed, lambda: make(mine, "anything", "test"))


class Side:
    """One side of a key agreement: an app, and its keys for it."""

    def __init__(self, case: Case, services: OutsideServices) -> None:
        name, count = AGREEMENT[case.machine.suite_id]
        self.services = services
        self.keys = [
            services.generate_key(name, "agree", "session").hex() for _ in range(count)
        ]
        self.shown = [services.call("public_half", text=each) for each in self.keys]

    def agree(self, peer: list[object], *, is_first: bool) -> tuple[str, str]:
        """Return the handle of what was agreed on, and what confirms it."""
        both = self.services.call(
            "agree", mine=self.keys, theirs=peer, is_first=is_first
        )
        assert isinstance(both, str)
        return both[:32], both[32:]


def tag(services: OutsideServices, agreed: object) -> bytes:
    """Return a MAC under a key derived from what was agreed on."""
    derived = services.call("derive", text=agreed)
    assert isinstance(derived, str)
    return Tag.from_bytes(services.sign(bytes.fromhex(derived), b"m")).value


def agrees_on_keys_with_a_peer(case: Case) -> None:
    with case.another() as other:
        one, two = Side(case, case.services), Side(case, other)
        mine, shown = one.agree(two.shown, is_first=True)
        theirs, expected = two.agree(one.shown, is_first=False)
        for side, key, proof in ((one, mine, expected), (two, theirs, shown)):
            if proof:  # an SM2 exchange is confirmed
                side.services.call("confirm", key=key, shown=proof)
        assert tag(one.services, mine) == tag(two.services, theirs)


def agrees_on_no_key_with_a_false_peer(case: Case) -> None:
    with case.another() as other:
        one, two, three = (Side(case, each) for each in (case.services, other, other))
        mine, _ = one.agree(two.shown, is_first=True)
        theirs, proof = three.agree(one.shown, is_first=False)
        if proof:
            refused(
                "crypto.confirmation",
                lambda: one.services.call("confirm", key=mine, shown=proof),
            )
            refused("crypto.shredded", lambda: tag(one.services, mine))
        else:
            assert tag(one.services, mine) != tag(three.services, theirs)
        name, count = AGREEMENT[case.machine.suite_id]
        no_point = [CryptoKey(name, bytes(32)).to_bytes().hex()] * count
        raises(Malformed, lambda: two.agree([*no_point], is_first=True))
        two.keys[0] = two.services.generate_key(
            SIGNATURE[case.machine.suite_id], "sign", "test"
        ).hex()
        refused("crypto.purpose", lambda: two.agree(one.shown, is_first=True))


def agrees_by_encapsulation(case: Case) -> None:
    name = ENVELOPE[case.machine.suite_id]
    with case.another() as other:
        key, stranger = (
            other.generate_key(name, "agree", "session").hex() for _ in range(2)
        )
        public = other.call("public_half", text=key)
        made = case.services.call("encapsulate", text=public)
        assert isinstance(made, list)
        mine, box = made
        theirs = other.call("decapsulate", key=key, shown=box)
        assert tag(case.services, mine) == tag(other, theirs)
        raises(Tampered, lambda: other.call("decapsulate", key=stranger, shown=box))


def lets_no_key_out(case: Case) -> None:
    make, mine = case.services.generate_key, AEAD[case.machine.suite_id]
    under, key = make(mine, "wrap", "test"), make(mine, "encrypt", "test")
    wrap = partial(case.services.call, "wrap", under=under.hex())
    refused("crypto.extractable", lambda: wrap(key=key.hex()))
    refused("crypto.purpose", lambda: case.services.encrypt(under, b"figures"))


def keeps_keys_over_a_restart(case: Case) -> None:
    bundle = case.machine.bundle(storage=["keys", "ledger"])
    with case.another(bundle) as services:
        key = services.generate_key(AEAD[case.machine.suite_id], "encrypt", "test")
        sealed = services.encrypt(key, b"figures")
        services.call("rotate", text=key.hex())
        services.store("keys", "ring", b"a block of the app's own")
    with case.another(bundle) as services:
        assert services.decrypt(key, sealed) == b"figures"
        assert Ciphertext.from_bytes(services.encrypt(key, b"figures")).version == 2
        assert not any(key in each for each in stored(case, "keys"))


def keeps_no_key_that_was_shredded(case: Case) -> None:
    bundle = case.machine.bundle(SOURCE + b"# with keys", storage=["keys"])
    kept = case.machine.folder / "objects" / "keys"
    with case.another(bundle) as services:
        key = services.generate_key(AEAD[case.machine.suite_id], "encrypt", "test")
        sealed = services.encrypt(key, b"figures")
        shutil.copytree(kept, kept.with_name("keys of yesterday"))
        services.call("shred", text=key.hex())
        refused("crypto.shredded", lambda: services.decrypt(key, sealed))
    with case.another(bundle) as services:
        refused("crypto.shredded", lambda: services.decrypt(key, sealed))
    shutil.rmtree(kept)
    kept.with_name("keys of yesterday").rename(kept)
    with case.another(bundle) as services:
        refused("storage.rollback", lambda: services.decrypt(key, sealed))


def encrypts(case: Case) -> None:
    key = key_to(case, "encrypt")
    sealed = case.services.encrypt(key, b"figures", b"march")
    assert b"figures" not in sealed
    assert sealed != case.services.encrypt(key, b"figures", b"march")


def encrypts_under_a_key_to_encrypt_only(case: Case) -> None:
    signer = key_to(case, "sign")
    refused("crypto.purpose", lambda: case.services.encrypt(signer, b"figures"))
    raises(NotFound, lambda: case.services.encrypt(bytes(16), b"figures"))


def decrypts(case: Case) -> None:
    key = key_to(case, "encrypt")
    sealed = case.services.encrypt(key, b"figures", b"march")
    assert case.services.decrypt(key, sealed, b"march") == b"figures"


def decrypts_under_an_older_version(case: Case) -> None:
    key = key_to(case, "encrypt")
    sealed = case.services.encrypt(key, b"figures")
    assert case.services.call("rotate", text=key.hex()) == 2
    assert case.services.decrypt(key, sealed) == b"figures"
    assert Ciphertext.from_bytes(case.services.encrypt(key, b"new")).version == 2


def decrypts_nothing_altered_or_of_another_key(case: Case) -> None:
    key, other = key_to(case, "encrypt"), key_to(case, "encrypt")
    sealed = case.services.encrypt(key, b"figures", b"march")
    raises(Tampered, lambda: case.services.decrypt(key, sealed, b"april"))
    refused("crypto.key", lambda: case.services.decrypt(other, sealed, b"march"))
    given = Ciphertext.from_bytes(sealed)
    flipped = given.body[:-1] + bytes([given.body[-1] ^ 1])
    altered = replace(given, body=flipped).to_bytes()
    raises(Tampered, lambda: case.services.decrypt(key, altered, b"march"))
    with case.another() as elsewhere:
        raises(NotFound, lambda: elsewhere.decrypt(key, sealed, b"march"))


def signs(case: Case) -> None:
    key = key_to(case, "sign")
    signature = case.services.sign(key, b"message")
    assert case.services.verify_signature(key, b"message", signature)


def signs_with_a_key_to_sign_only(case: Case) -> None:
    sealer = key_to(case, "encrypt")
    refused("crypto.purpose", lambda: case.services.sign(sealer, b"message"))
    raises(NotFound, lambda: case.services.sign(bytes(16), b"message"))


def verifies_signatures(case: Case) -> None:
    verify, signer = case.services.verify_signature, case.machine.provider.signing
    stranger = PublicKey.of(signer.public).to_bytes()
    assert verify(stranger, b"message", signer.sign(b"message"))
    key = key_to(case, "sign")
    signature = case.services.sign(key, b"message")
    public = case.services.call("public_half", text=key.hex())
    assert isinstance(public, str)
    with case.another() as other:
        assert other.verify_signature(bytes.fromhex(public), b"message", signature)


def verifies_no_other_signature(case: Case) -> None:
    key, other = key_to(case, "sign"), key_to(case, "sign")
    signature = case.services.sign(key, b"message")
    verify = case.services.verify_signature
    assert not verify(key, b"Message", signature)
    assert not verify(other, b"message", signature)
    assert not verify(key, b"message", signature[:-1] + bytes([signature[-1] ^ 1]))
    raises(Malformed, lambda: verify(b"no key", b"message", signature))


def seals(case: Case) -> None:
    sealed = case.services.seal(b"figures", "measurement", b"march")
    assert b"figures" not in sealed
    with case.another() as again:
        assert again.unseal(sealed, b"march") == b"figures"


def seals_under_a_known_policy_only(case: Case) -> None:
    everyone = "everyone"
    seal = case.services.seal
    raises(Malformed, lambda: seal(b"figures", everyone))  # type: ignore[arg-type]
    raises(LimitReached, lambda: seal(bytes(13 << 20)))


def unseals(case: Case) -> None:
    sealed = case.services.seal(b"figures")
    assert case.services.unseal(sealed) == b"figures"


def unseals_for_the_same_app_and_data_only(case: Case) -> None:
    sealed = case.services.seal(b"figures", "measurement", b"march")
    raises(Tampered, lambda: case.services.unseal(sealed, b"april"))
    with case.another(case.machine.bundle(SOURCE + b"#")) as other:
        refused("seal.measurement", lambda: other.unseal(sealed, b"march"))


ROWS: Mapping[int, tuple[Callable[[Case], None], ...]] = {
    1: (creates, creates_from_inside, creates_only_what_is_signed_listed_and_whole),
    2: (destroys, destroys_for_its_owner_only),
    3: (
        reports,
        reports_on_the_platform_alone,
        reports_on_a_challenge_of_a_size_only,
    ),
    4: (
        verifies_a_report,
        verifies_a_report_of_the_platform_alone,
        verifies_no_report_that_is_false_old_or_of_another,
    ),
    5: (opens_a_channel, opens_no_channel_that_the_path_has_touched),
    6: (stores, stores_in_declared_namespaces_only),
    7: (loads, loads_the_newest_or_refuses_in_words),
    8: (draws_random_bytes, draws_no_more_than_a_gate_carries),
    9: (
        makes_keys,
        makes_keys_for_one_purpose_and_of_its_suite,
        agrees_on_keys_with_a_peer,
        agrees_on_no_key_with_a_false_peer,
        agrees_by_encapsulation,
        lets_no_key_out,
        keeps_keys_over_a_restart,
        keeps_no_key_that_was_shredded,
    ),
    10: (encrypts, encrypts_under_a_key_to_encrypt_only),
    11: (
        decrypts,
        decrypts_under_an_older_version,
        decrypts_nothing_altered_or_of_another_key,
    ),
    12: (signs, signs_with_a_key_to_sign_only),
    13: (verifies_signatures, verifies_no_other_signature),
    14: (seals, seals_under_a_known_policy_only),
    15: (unseals, unseals_for_the_same_app_and_data_only),
}
CHECKS = [(number, check) for number, checks in ROWS.items() for check in checks]


@pytest.mark.parametrize(
    ("number", "check"), CHECKS, ids=[f"IF-{n}-{c.__name__}" for n, c in CHECKS]
)
def test_the_interface(case: Case, number: int, check: Callable[[Case], None]) -> None:
    assert number in INTERFACES
    check(case)


@pytest.mark.parametrize("side", [InsideServices, OutsideServices, RemoteServices])
def test_every_side_has_every_function_with_the_same_names_types_and_defaults(
    side: type,
) -> None:
    for row in INTERFACES.values():
        mine, agreed = getattr(side, row.name), getattr(Services, row.name)
        assert inspect.signature(mine) == inspect.signature(agreed), row.name


def test_the_table_has_the_names_and_types_of_the_functions() -> None:
    for row in INTERFACES.values():
        hints = get_type_hints(getattr(Services, row.name))
        types = {name: as_it_travels(kind) for name, kind in hints.items()}
        assert types.pop("return") is row.gives, row.name
        assert list(types.items()) == list(row.takes.items()), row.name
    assert {row.name for row in INTERFACES.values()} == {
        name for name in vars(Services) if not name.startswith("_")
    }


def as_it_travels(kind: type) -> type:
    """Return the plain type that values of an annotation have."""
    if get_origin(kind) is Literal:
        (plain,) = {type(each) for each in get_args(kind)}
        return plain
    return get_origin(kind) or kind


def page() -> str:
    """Return docs/interface.md as the table and the checks here make it."""
    lines = [
        "# The interface",
        "",
        "Fifteen functions (GB/T 45230-2025, section 6) reach the eight security services. An app in an enclave",  # noqa: E501
        "has them as the first argument of its entry points; the ordinary side calls the same names with the same types",  # noqa: E501
        "through the gate (`OutsideServices`), and a client in a secure channel (`RemoteServices`). What the ordinary side",  # noqa: E501
        "may call through an app is listed in the app's manifest (`interfaces`). Code: `application/sdk`.",  # noqa: E501
        "",
        "This page is made by `python -m tests.integration.test_interface`; its last column counts checks that run on",  # noqa: E501
        f"{len(ROOTS)} roots of trust ({', '.join(ROOTS)}) in both suites.",
        "",
        "| id | service | the standard's name | function | checks |",
        "| --- | --- | --- | --- | --- |",
    ]
    for number, row in INTERFACES.items():
        checks = ", ".join(check.__name__.replace("_", " ") for check in ROWS[number])
        lines.append(
            f"| IF-{number} | {row.service} | {row.title} | `{row.summary}` "
            f"| {checks} |"
        )
    runs = len(CHECKS) * len(ROOTS) * 2
    lines += [
        "",
        "A key is named by a handle of 16 bytes; `verify_signature` also takes a `PublicKey` record. `policy` of `seal` is",  # noqa: E501
        '"measurement" or "signer", `subject` of `report` "app" or "platform". Arguments and results travel as deterministic CBOR',  # noqa: E501
        "maps, so any language can call them.",
        "",
        f"{len(INTERFACES)} functions, {len(CHECKS)} checks, {runs} runs.",
        "",
    ]
    return "\n".join(lines)


def test_the_page_about_the_interface_is_this_table() -> None:
    assert set(ROWS) == set(INTERFACES)
    assert all(len(checks) > 1 for checks in ROWS.values())
    written = Path(__file__).parents[2] / "docs" / "interface.md"
    assert written.read_text("utf-8") == page()


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - what the program is for
