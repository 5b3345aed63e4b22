# SPDX-License-Identifier: Apache-2.0
"""Usage policies: what an owner lets others do with a dataset or with code.

A policy is Cedar text, default deny. `UsageTerms.to_cedar` writes the usual one:
a single `permit`, and one `forbid` a condition with an `@id`, so that a refusal
names its rule. Owners with other wishes write Cedar themselves.
"""

from dataclasses import dataclass

from strongroom.core.codec.record import Record
from strongroom.errors import Malformed

ANY = "*"


@dataclass(frozen=True)
class UsageTerms(Record):
    """The conditions most owners want; `ANY` alone in a list means no condition.

    `apps` are measurements in hex, `recipients` party ids, `purposes` and
    `entry_points` names, `fields` the only result fields that may leave.
    `max_uses` counts the tasks that this dataset is released to, all agreements
    together; a further attempt at the same task is not a further use.
    """

    purposes: tuple[str, ...]
    apps: tuple[str, ...]
    entry_points: tuple[str, ...]
    recipients: tuple[str, ...]
    fields: tuple[str, ...]
    max_uses: int
    expires_at: int

    def __post_init__(self) -> None:
        lists = (
            self.purposes,
            self.apps,
            self.entry_points,
            self.recipients,
            self.fields,
        )
        if any(not items for items in lists):
            message = "an empty list would allow nothing; write '*' for no condition"
            raise Malformed(message)
        if self.max_uses < 1:
            message = "a usage policy allows at least one use"
            raise Malformed(message)

    def to_cedar(self) -> str:
        """Return the Cedar policies that hold exactly these terms."""
        rules = [
            _forbid("purpose", "context.purpose", self.purposes),
            _forbid("app", "context.app", self.apps),
            _forbid("entry-point", "context.entry_point", self.entry_points),
            _forbid("recipient", "context.recipient", self.recipients),
            _forbid_other_fields(self.fields),
            _forbid_from("max-uses", "context.uses", self.max_uses),
            _forbid_from("expires-at", "context.now", self.expires_at),
        ]
        permit = '@id("use")\npermit (principal, action == Action::"use", resource);'
        return "\n\n".join([permit, *(rule for rule in rules if rule)]) + "\n"


def _quoted(items: tuple[str, ...]) -> str:
    for item in items:
        if not item.isprintable() or '"' in item or "\\" in item:
            message = "a usage term holds a character that Cedar text cannot"
            raise Malformed(message)
    return "[" + ", ".join(f'"{item}"' for item in items) + "]"


def _forbid(rule: str, attribute: str, allowed: tuple[str, ...]) -> str:
    if allowed == (ANY,):
        return ""
    return (
        f'@id("{rule}")\nforbid (principal, action, resource)\n'
        f"unless {{ {_quoted(allowed)}.contains({attribute}) }};"
    )


def _forbid_from(rule: str, attribute: str, limit: int) -> str:
    return (
        f'@id("{rule}")\nforbid (principal, action, resource)\n'
        f"when {{ {attribute} >= {limit} }};"
    )


def _forbid_other_fields(allowed: tuple[str, ...]) -> str:
    if allowed == (ANY,):
        return ""
    return (
        '@id("fields")\nforbid (principal, action, resource)\n'
        f"unless {{ {_quoted(allowed)}.containsAll(context.fields) }};"
    )
