# SPDX-License-Identifier: Apache-2.0
"""From a closed message to an operation and back (docs/specs/messages.md, LOG-2)."""

from dataclasses import dataclass

from strongroom.application.broker.contracts import Propose, Show, Sign, Withdraw
from strongroom.application.broker.ledger import Act, Ledger
from strongroom.application.broker.nodes import PublishNodeRules, ShowNodes
from strongroom.application.broker.operation import Operation
from strongroom.application.broker.queries import (
    ListAgreements,
    ListApps,
    ListDatasets,
    QueryLog,
)
from strongroom.application.broker.receipts import FetchResult
from strongroom.application.broker.registry import (
    PublishList,
    RegisterApp,
    RegisterDataset,
)
from strongroom.application.broker.state import REQUEST_WINDOW_S, Mark
from strongroom.application.broker.tasks import DryRun, RequestTask, ShowTask
from strongroom.application.cleanroom.messages import (
    OpenedRequest,
    Request,
    open_request,
    seal_answer,
)
from strongroom.core.codec import cbor
from strongroom.errors import Malformed, Refused, Stale, StrongroomError
from strongroom.management.keys import PublicIdentity

OPERATIONS: dict[str, type[Operation]] = {
    "trusted-list.publish": PublishList,
    "dataset.register": RegisterDataset,
    "dataset.list": ListDatasets,
    "app.register": RegisterApp,
    "app.list": ListApps,
    "agreement.propose": Propose,
    "agreement.sign": Sign,
    "agreement.withdraw": Withdraw,
    "agreement.show": Show,
    "agreement.list": ListAgreements,
    "task.request": RequestTask,
    "task.dry-run": DryRun,
    "task.status": ShowTask,
    "task.result": FetchResult,
    "log.query": QueryLog,
    "nodes.rules": PublishNodeRules,
    "nodes.show": ShowNodes,
}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reply:
    """A sealed answer, and a ticket if the message made new work."""

    box: bytes
    ticket: bytes = b""


def handle_message(ledger: Ledger, box: bytes) -> Reply:
    """Answer one closed message.

    1. Open it. What does not open has no sender to be told why.
    2. It is for this room, and its answer can be encrypted.
    3. The sender is on the trusted list or is the administrator (WL-1).
    4. The sender signed it, and lately.
    5. The same request again gets the same answer; altered, it is refused.
    6. The sender has the role that the operation needs.
    7. The operation decides; the decision is logged and committed.
    8. The answer, or the error, is encrypted for the sender alone.

    Raises:
        Tampered, Malformed: steps 1 and 2.
        Unavailable: the journal cannot be written.
    """
    opened = open_request(box, ledger.keys.kem)
    request, row = opened.claimed, ledger.row
    if len(request.reply_key) != row.aead_key_bytes:
        message = f"a request of suite {row.id} has an answer key of that suite"
        raise Malformed(message)
    act = Act("interface", "message", UNKNOWN, UNKNOWN)
    try:
        sender = _authenticate(ledger, opened)
        action = request.op if request.op in OPERATIONS else "message"
        act = Act("interface", action, sender.id, UNKNOWN)
        answer, ticket = _answer(ledger, request, sender)
    except StrongroomError as error:
        ledger.refuse(act, error)
        return Reply(seal_answer(request, row, error))
    return Reply(seal_answer(request, row, answer), ticket)


def _authenticate(ledger: Ledger, opened: OpenedRequest) -> PublicIdentity:
    claimed, room = opened.claimed, ledger.keys.public.id
    if claimed.room != room:
        raise Refused.because(
            rule="request.room",
            owner="broker",
            expected=f"a request to room {room[:16]}",
            got=f"one to room {claimed.room[:16]}",
            remedy="Send it to the broker that it was made for.",
        )
    administrator = ledger.config.administrator
    if claimed.sender == administrator.id:
        sender = administrator
    else:
        sender = ledger.state.require(claimed.sender)
    opened.verify(sender)
    now = ledger.now()
    if abs(now - claimed.sent_at) > REQUEST_WINDOW_S:
        raise Stale.because(
            rule="request.time",
            owner="broker",
            expected=f"a request within {REQUEST_WINDOW_S} s of {now}",
            got=f"one of {claimed.sent_at}",
            remedy="Make a new request; check the clocks if that is refused too.",
        )
    return sender


def _answer(
    ledger: Ledger, request: Request, sender: PublicIdentity
) -> tuple[object, bytes]:
    digest = ledger.row.digest(request.to_bytes())
    known = ledger.state.marks.get((sender.id, request.request_id))
    if known is not None:
        mark = known[1]
        if mark.digest != digest:
            raise Stale.because(
                rule="request.replayed",
                owner="broker",
                expected="a fresh request id for another request",
                got="the id of a request that was answered",
                remedy="Make a new request.",
            )
        if mark.kind == "stored":
            return cbor.decode(mark.answer), b""
    kind = OPERATIONS.get(request.op)
    if kind is None:
        message = f"there is no operation {request.op[:64]!r}"
        raise Malformed(message)
    kind.authorise(ledger, sender.id)
    outcome = kind.from_bytes(request.body).run(ledger, sender)
    if known is None:
        mark = Mark(
            sender=sender.id,
            request_id=request.request_id,
            digest=digest,
            kind="fresh" if outcome.is_read else "stored",
            answer=b"" if outcome.is_read else cbor.encode(outcome.answer),
        )
        act = Act("interface", request.op, sender.id, outcome.object, outcome.detail)
        ledger.commit(outcome.event, act, mark=mark)
    return outcome.answer, outcome.ticket
