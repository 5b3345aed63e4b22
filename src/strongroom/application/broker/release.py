# SPDX-License-Identifier: Apache-2.0
"""The release of keys: the one place where secrets leave the broker (T-1, T-2)."""

from dataclasses import dataclass, replace

from strongroom.application.broker.checks import (
    Wish,
    narrowed,
    refuse,
    usage_findings,
)
from strongroom.application.broker.config import REPORT_DATA_BYTES
from strongroom.application.broker.events import KeysReleased
from strongroom.application.broker.ledger import Act, Ledger
from strongroom.application.broker.nodes import require_in_service
from strongroom.application.broker.state import Released, State, Task
from strongroom.application.broker.tasks import end_attempt
from strongroom.application.cleanroom import EnclaveKeys, Release, ReleasedInput
from strongroom.application.cleanroom.task import RELEASE_INFO
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.core.crypto import KemPublic
from strongroom.core.rats import AppRule, Evidence, PlatformClaims, Trust
from strongroom.errors import Malformed, Refused, Stale
from strongroom.services.attestation import appraise, verify_evidence
from strongroom.system.monitor.report import verify_app_evidence

_PLATFORM_S = 60
_MOST_VERIFIED = 1024
_VERIFIED: dict[tuple[str, bytes, bytes], tuple[int, PlatformClaims]] = {}


@dataclass(frozen=True)
class ReleaseCall(Record):
    """What a node brings for one attempt: the enclave's keys and its evidence."""

    task: str
    attempt: int
    keys: bytes
    evidence: bytes


def release(ledger: Ledger, call: ReleaseCall) -> bytes:
    """Return everything an attempt needs, sealed to the enclave that was appraised.

    1. The attempt is the current one, and nothing was released for it: once.
    2. Its agreement is active: all signatures, in its window, not withdrawn, uses
       left; its parties are on the trusted list; the policy of every dataset and of
       encrypted code allows this use. Otherwise the task ends here.
    3. The enclave's keys are for this attempt and are keys of the suite.
    4. The evidence verifies under the room's roots and is appraised under the
       agreement's policy: platform, app, this attempt's challenge, and these keys;
       its device is in service under the administrator's node rules.
    5. The release is counted, logged and committed to the journal.
    6. Only then the keys are sealed, to the key that the evidence binds.

    A crash after 5 costs the attempt; nothing was given away, and the next attempt
    of the same task is not counted again.

    Raises:
        NotFound, Conflict: there is no such attempt, or it has ended.
        Stale: step 1, rule release.once.
        Refused: steps 2 to 4, with every finding.
    """
    task = ledger.state.current(call.task, call.attempt)
    _require_unused(task)
    _require_allowed(ledger, call.task, task)
    enclave = _open_keys(ledger, call)
    released = _appraise(ledger, task, call)
    content = _content(ledger, call, task)
    ledger.commit(_event(call.task, released), _act(ledger, call, task, released))
    return enclave.seal(content.to_bytes(), RELEASE_INFO)


def _require_unused(task: Task) -> None:
    if task.state != "waiting":
        raise Stale.because(
            rule="release.once",
            owner="broker",
            expected="an attempt whose keys were not yet released",
            got="one whose keys were: they are released to one enclave, once",
            remedy="End this attempt; the next one can have them.",
        )


def _require_allowed(ledger: Ledger, name: str, task: Task) -> None:
    contract = ledger.state.contracts[task.request.agreement]
    wish = Wish(task.request.entry_point, task.demander, task.counted)
    try:
        refuse(usage_findings(ledger.state, contract, wish, ledger.now()))
    except Refused as error:
        end_attempt(ledger, name, task, error.to_value(), final=True)
        raise


def _open_keys(ledger: Ledger, call: ReleaseCall) -> KemPublic:
    keys = EnclaveKeys.from_bytes(call.keys)
    if (keys.task, keys.attempt) != (call.task, call.attempt):
        raise Refused.because(
            rule="release.keys",
            owner="broker",
            expected="keys that an enclave made for this attempt",
            got="keys for another attempt",
            remedy="Have the enclave of this attempt attest its own keys.",
        )
    ledger.row.verifying_key(keys.sign)
    return ledger.row.kem_public(keys.kem)


def _appraise(ledger: Ledger, task: Task, call: ReleaseCall) -> Released:
    evidence = Evidence.from_bytes(call.evidence)
    now = ledger.now()
    platform = _platform(evidence.kind, evidence.platform, ledger.trust, now)
    app = verify_app_evidence(evidence.app, platform, now) if evidence.app else None
    agreement, row = task.agreement, ledger.row
    rule = AppRule.measured(bytes.fromhex(agreement.app), config=row.digest(b""))
    result = appraise(
        platform,
        app,
        replace(agreement.appraisal, apps=(rule,)),
        nonce=task.challenges[-1],
        now=now,
        user_data=row.digest(call.keys)[:REPORT_DATA_BYTES],
    )
    refuse(list(result.findings))
    require_in_service(ledger, platform)
    if app is None or platform.suite_id != row.id:
        message = f"evidence for a release is of an app, in suite {row.id}"
        raise Malformed(message)
    ledger.nodes.note(platform, evidence, now, ledger.node_rules.period_s)
    monitor = PublicKey.of(platform.monitor_key)
    device = platform.device_id
    return Released(call.keys, evidence, device, monitor, app.enclave_id)


def _platform(kind: str, data: bytes, trust: Trust, now: int) -> PlatformClaims:
    """Verify a platform once a minute: nodes show the same evidence for many apps.

    Only time spent is remembered; a certificate that expires is noticed up to a
    minute late.
    """
    key = (kind, data, trust.endorsements.to_bytes())
    verified_at, claims = _VERIFIED.get(key, (now + 1, None))
    if claims is None or not 0 <= now - verified_at < _PLATFORM_S:
        claims, _ = verify_evidence(Evidence(kind, data, b""), trust, now=now)
        if len(_VERIFIED) >= _MOST_VERIFIED:
            _VERIFIED.clear()
        _VERIFIED[key] = (now, claims)
    return claims


def _content(ledger: Ledger, call: ReleaseCall, task: Task) -> Release:
    state, agreement = ledger.state, task.agreement
    app = state.apps[agreement.app]
    entry = app.registration.manifest.entry_point(task.request.entry_point)
    if entry is None:
        message = "the app has no such entry point"
        raise Malformed(message)
    recipient = state.require(task.demander, "result")
    return Release(
        suite=ledger.row.id,
        task=call.task,
        attempt=call.attempt,
        agreement=task.request.agreement,
        room=ledger.keys.public.id,
        app=agreement.app,
        entry_point=replace(entry, output=narrowed(agreement, entry)),
        inputs=_inputs(state, task),
        values=task.request.values,
        nonce=task.request.nonce,
        code_key=app.code_key,
        recipient=recipient,
        released_at=ledger.now(),
    )


def _inputs(state: State, task: Task) -> tuple[ReleasedInput, ...]:
    rows = [
        (binding.parameter, state.datasets[name])
        for binding in task.agreement.inputs
        for name in binding.datasets
    ]
    return tuple(
        ReleasedInput(
            parameter=parameter,
            dataset=dataset.registration.dataset,
            header=dataset.registration.header,
            length=dataset.registration.length,
            key=dataset.key,
        )
        for parameter, dataset in rows
    )


def _event(name: str, released: Released) -> KeysReleased:
    return KeysReleased(
        task=name,
        keys=released.keys,
        evidence=released.evidence,
        device=released.device,
        monitor=released.monitor,
        enclave_id=released.enclave_id,
    )


def _act(ledger: Ledger, call: ReleaseCall, task: Task, released: Released) -> Act:
    detail = {
        "task": call.task,
        "attempt": str(call.attempt),
        "agreement": task.request.agreement,
        "app": task.agreement.app,
        "party": task.demander,
        "keys": ledger.row.digest(call.keys).hex(),
        "evidence": ledger.row.digest(call.evidence).hex(),
    }
    enclave = f"enclave {released.enclave_id.hex()}"
    return Act("task", "task.release", enclave, call.task, detail)
