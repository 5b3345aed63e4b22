# SPDX-License-Identifier: Apache-2.0
"""The administrator's part: who is on the trusted list, and whose code may start."""

from strongroom.application.cleanroom.node_rules import NodeRules, NodesStatus
from strongroom.client.home import Home
from strongroom.client.session import Session
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import sign_record
from strongroom.errors import Malformed, NotFound
from strongroom.management.keys import PublicIdentity
from strongroom.management.trusted_list import Member, Role, TrustedList


def load(home: Home, now: int) -> TrustedList:
    """Return the list as last edited; a new one holds the administrator alone."""
    try:
        return TrustedList.from_bytes(home.read("trusted-list"))
    except NotFound:
        own = home.public_identity()
        return TrustedList(own.suite, 1, now, (Member(own, ("administrator",)),))


def add(
    home: Home, identity: PublicIdentity, roles: tuple[Role, ...], now: int
) -> TrustedList:
    """Put a party on the list, or give it other roles; `publish` makes it count.

    Raises:
        Malformed: another suite, or a name that another party has.
    """
    current = load(home, now)
    if identity.suite != current.suite:
        message = (
            f"the room's suite is {current.suite}, {identity.name} has {identity.suite}"
        )
        raise Malformed(message)
    others = tuple(m for m in current.members if m.identity.id != identity.id)
    return _save(home, current, (*others, Member(identity, roles)), now)


def remove(home: Home, name: str, now: int) -> TrustedList:
    """Take a party off the list; it loses access at its next call once published.

    Raises:
        NotFound: no such member.
    """
    current = load(home, now)
    rest = tuple(m for m in current.members if m.identity.name != name)
    if len(rest) == len(current.members):
        message = f"the trusted list has no member {name}"
        raise NotFound(message)
    return _save(home, current, rest, now)


def _save(
    home: Home, current: TrustedList, members: tuple[Member, ...], now: int
) -> TrustedList:
    edited = TrustedList(current.suite, current.version + 1, now, members)
    home.write("trusted-list", edited.to_bytes())
    return edited


def publish(session: Session) -> TrustedList:
    """Sign the list for the broker and the launch policy for the monitors.

    Raises:
        Refused: not by this administrator, or older than the one in force.
    """
    current = load(session.home, session.clock())
    key = session.identity.signing
    signers = tuple(
        member.identity.sign.key_id
        for member in current.members
        if {"algorithm", "administrator"} & set(member.roles)
    )
    policy = LaunchPolicy(current.suite, current.version, signers)
    session.ask("trusted-list.publish", {"list": sign_record(key, current)})
    session.transport.send("PUT", "/v1/launch-policy", sign_record(key, policy))
    return current


def nodes(session: Session) -> NodesStatus:
    """Return the node rules in force, and which devices serve or were withdrawn.

    Raises:
        Refused: not by this administrator.
    """
    return NodesStatus.from_value(session.ask("nodes.show", {})["status"])


def publish_node_rules(session: Session, rules: NodeRules) -> None:
    """Sign the rules and put them into force; they judge every node at once.

    Raises:
        Refused: not by this administrator, or not newer than those in force.
    """
    signed = sign_record(session.identity.signing, rules)
    session.ask("nodes.rules", {"rules": signed})
