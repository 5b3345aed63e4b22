# SPDX-License-Identifier: Apache-2.0
"""Compute nodes: who is in service, proven again on a period (RA-1, DESIGN 3).

A node is a device. It is in service from its first accepted evidence on, for one
period at a time. One that falls silent, or that newer rules no longer accept, is
withdrawn: its unfinished attempts end, and it gets no keys until it attests anew.

Time is the host's: a host that holds the clock still keeps its nodes in service for
longer, but no revocation away from them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from strongroom.application.broker.events import (
    NodeReturned,
    NodeRulesPublished,
    NodeWithdrawn,
)
from strongroom.application.broker.gate_heads import (
    check_growth,
    log_head,
    read_head,
)
from strongroom.application.broker.ledger import Act, Ledger
from strongroom.application.broker.operation import Operation, Outcome
from strongroom.application.broker.registry import require_administrator
from strongroom.application.broker.tasks import NODE, end_attempt
from strongroom.application.cleanroom.node_rules import (
    NodeRules,
    NodesStatus,
    ServingNode,
    WithdrawnNode,
)
from strongroom.core.codec.record import Record
from strongroom.core.codec.signed import open_record
from strongroom.core.rats import (
    AppraisalPolicy,
    Evidence,
    PlatformClaims,
    not_checked,
    not_checked_bytes,
)
from strongroom.core.rats.registers import REGISTERS
from strongroom.errors import Finding, Malformed, Refused, Stale, StrongroomError
from strongroom.management.keys import PublicIdentity
from strongroom.services.attestation import appraise_dry, verify_evidence

NONCE_BYTES = 32
_MOST_NONCES = 4096
_OWNER = "administrator"
_EACH_AGREEMENT = "each agreement names its own"


@dataclass(frozen=True)
class CheckInCall(Record):
    """A node's answer to a challenge: evidence of its platform alone (RA-2)."""

    nonce: bytes
    evidence: bytes
    head: bytes
    """Of the node's own log, signed by its monitor."""


@dataclass(frozen=True)
class PublishNodeRules(Operation):
    """nodes.rules: the administrator's newer rules; they judge every node at once."""

    rules: bytes

    RULE: ClassVar[str] = "nodes.administrator"

    @classmethod
    def authorise(cls, ledger: Ledger, sender: str) -> None:
        """Let the administrator of the configuration pass, and nobody else."""
        require_administrator(ledger, sender, cls.RULE)

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """Check signature, suite and version."""
        rules = open_record(NodeRules, self.rules, sender.verifying)
        if rules.suite != ledger.row.id:
            message = f"rules of this room are of suite {ledger.row.id}"
            raise Malformed(message)
        newest = ledger.node_rules.version
        if rules.version <= newest:
            raise Stale.because(
                rule="nodes.version",
                owner=_OWNER,
                expected=f"version {newest + 1} or newer",
                got=f"version {rules.version}",
                remedy="Begin with the rules in force (`strongroom node rules`).",
            )
        event = NodeRulesPublished(rules)
        return Outcome({"version": rules.version}, str(rules.version), event)


@dataclass(frozen=True)
class ShowNodes(Operation):
    """nodes.show: the rules in force, and which devices are in service."""

    @classmethod
    def authorise(cls, ledger: Ledger, sender: str) -> None:
        """Let the administrator of the configuration pass, and nobody else."""
        require_administrator(ledger, sender, "nodes.administrator")

    def run(self, ledger: Ledger, sender: PublicIdentity) -> Outcome:
        """List them by device id."""
        status = NodesStatus(
            ledger.node_rules,
            tuple(
                ServingNode(device.hex(), seen.evidence.kind, seen.at)
                for device, seen in sorted(ledger.nodes.seen.items())
            ),
            tuple(
                WithdrawnNode(device.hex(), rules)
                for device, rules in sorted(ledger.state.withdrawn.items())
            ),
        )
        return Outcome({"status": status.to_value()}, sender.id)


def challenge(ledger: Ledger) -> dict[str, object]:
    """Return a nonce to attest with, and how long an accepted attestation lasts."""
    nonces, now = ledger.nodes.nonces, ledger.now()
    nonce = ledger.gate.random(NONCE_BYTES)
    nonces[nonce] = now
    while len(nonces) > _MOST_NONCES:
        del nonces[next(iter(nonces))]
    return {"nonce": nonce, "period_s": ledger.node_rules.period_s}


def check_in(ledger: Ledger, call: CheckInCall) -> dict[str, object]:
    """Take a node's fresh evidence, and with it the node into service.

    1. The nonce is one of ours, not used before, and at most one period old.
    2. The evidence verifies under the endorsements in force.
    3. It is appraised under the node rules: age, debug state, TCB of platform and
       hardware, revoked devices.
    4. The head of its own log is signed by its monitor, and has not shrunk.
    5. A device that was withdrawn is back, and the log says so.

    Raises:
        Malformed: there is no such head.
        Stale: step 1.
        Refused: steps 2 to 4. A device that steps 3 and 4 refuse is withdrawn.
    """
    _use_nonce(ledger, call.nonce)
    evidence = Evidence.from_bytes(call.evidence)
    now = ledger.now()
    platform, app = verify_evidence(evidence, ledger.trust, now=now)
    if app is not None:
        message = "a node checks in with its platform alone"
        raise Malformed(message)
    findings = _findings(ledger.node_rules, platform, call.nonce, now)
    if findings:
        refused = Refused("; ".join(map(str, findings)), findings)
        withdraw(ledger, platform.device_id, refused)
        raise refused
    head = read_head(platform, call.head)
    try:
        check_growth(ledger, platform.device_id, head)
    except Stale as error:
        withdraw(ledger, platform.device_id, error)
        raise
    log_head(ledger, platform.device_id, head)
    ledger.nodes.note(platform, evidence, now, ledger.node_rules.period_s)
    if platform.device_id in ledger.state.withdrawn:
        act = _act("node.returned", platform.device_id, "")
        ledger.commit(NodeReturned(platform.device_id), act)
    return {"device": platform.device_id, "period_s": ledger.node_rules.period_s}


def require_in_service(ledger: Ledger, platform: PlatformClaims) -> None:
    """Refuse keys to a device that was withdrawn or that the rules do not accept.

    Raises:
        Refused: it must check in, or may not serve at all.
    """
    findings = _findings(ledger.node_rules, platform, platform.nonce, ledger.now())
    rules = ledger.state.withdrawn.get(platform.device_id)
    if rules is not None:
        findings.append(
            Finding(
                "node.in-service",
                _OWNER,
                "a node that attests itself on a period",
                f"one that was withdrawn ({rules})",
                "Mend what it was withdrawn for; it is back once it checks in.",
            )
        )
    if findings:
        raise Refused("; ".join(map(str, findings)), findings)


def sweep(ledger: Ledger) -> None:
    """Withdraw every node that is silent for a period or that newer rules refuse."""
    nodes, now, rules = ledger.nodes, ledger.now(), ledger.node_rules
    if nodes.judged != rules.version:
        nodes.judged = rules.version
        for device, error in _judged_anew(ledger, now):
            withdraw(ledger, device, error)
    ends = {device: seen.until for device, seen in nodes.seen.items()}
    for task in ledger.state.open_tasks.values():
        if task.released is not None:
            ends.setdefault(task.released.device, nodes.opened_at + rules.period_s)
    for device, end in ends.items():
        if now > end:
            withdraw(ledger, device, _silent(rules, end))


def withdraw(ledger: Ledger, device: bytes, error: StrongroomError) -> None:
    """Take a device out of service and end what it has not finished."""
    ledger.nodes.seen.pop(device, None)
    if device not in ledger.state.withdrawn:
        rules = ",".join(dict.fromkeys(each.rule for each in error.findings))[:256]
        act = _act("node.withdrawn", device, rules)
        ledger.commit(NodeWithdrawn(device, rules), act, outcome="refused")
    for name, task in list(ledger.state.open_tasks.items()):
        if task.released is not None and task.released.device == device:
            end_attempt(ledger, name, task, error.to_value(), final=False)


def _use_nonce(ledger: Ledger, nonce: bytes) -> None:
    made = ledger.nodes.nonces.pop(nonce, None)
    if made is None or ledger.now() - made > ledger.node_rules.period_s:
        raise Stale.because(
            rule="node.nonce",
            owner="broker",
            expected="an answer to a challenge of the last period",
            got="one that was used, is old, or is not ours",
            remedy="Ask for a fresh challenge and attest again.",
        )


@lru_cache
def _policy(kind: str, min_firmware_svn: int) -> AppraisalPolicy:
    return AppraisalPolicy(
        owner=_OWNER,
        registers={name: (not_checked_bytes(_EACH_AGREEMENT),) for name in REGISTERS},
        locks=(not_checked(_EACH_AGREEMENT),),
        max_platform_age_s=2**31,
        min_firmware_svn=min_firmware_svn,
        apps=(),
        kinds=(kind,),
    )


def _findings(
    rules: NodeRules, platform: PlatformClaims, nonce: bytes, now: int
) -> list[Finding]:
    policy = _policy(platform.kind, rules.min_firmware_svn)
    result = appraise_dry(platform, None, policy, nonce=nonce, now=now)
    findings = list(result.findings)
    if platform.device_id in rules.revoked_devices:
        findings.append(
            Finding(
                "node.revoked",
                _OWNER,
                "a device that may serve",
                f"device {platform.device_id.hex()[:16]}, which is revoked",
                "Use another device, or have the administrator reinstate this one.",
            )
        )
    return findings


def _judged_anew(ledger: Ledger, now: int) -> Iterable[tuple[bytes, StrongroomError]]:
    """Yield the devices in service that the rules in force no longer accept."""
    for device, seen in list(ledger.nodes.seen.items()):
        try:
            platform, _ = verify_evidence(seen.evidence, ledger.trust, now=now)
        except StrongroomError as error:
            yield device, error
            continue
        findings = _findings(ledger.node_rules, platform, platform.nonce, now)
        if findings:
            yield device, Refused("; ".join(map(str, findings)), findings)


def _silent(rules: NodeRules, end: int) -> Stale:
    finding = Finding(
        "node.period",
        _OWNER,
        f"an attestation every {rules.period_s} s",
        f"none that counts after {end}",
        "Start the node's agent again; it attests by itself.",
    )
    return Stale(str(finding), [finding])


def _act(action: str, device: bytes, rules: str) -> Act:
    detail = {"rules": rules} if rules else {}
    return Act("system", action, NODE, device.hex(), detail)
