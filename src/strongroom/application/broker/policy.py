# SPDX-License-Identifier: Apache-2.0
"""Usage policies in Cedar: default deny, and every refusal names its rule (T-1, T-2).

    permit / forbid (principal: Party, action == Action::"use", resource: Dataset | App)
    when { context: purpose app entry_point recipient fields min_group uses now }

A policy is checked against that schema when it is registered, so that a misspelt
attribute is its owner's error then, and not a rule that silently never matches: a
`forbid` whose condition fails to evaluate would not forbid. Should one fail all the
same, the use is refused.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cedarpy

from strongroom.errors import Finding, Malformed

_SCHEMA = cedarpy.Schema.from_str("""
entity Party, Dataset, App;
action use appliesTo {
  principal: Party,
  resource: [Dataset, App],
  context: {
    purpose: String, app: String, entry_point: String, recipient: String,
    fields: Set<String>, min_group: Long, uses: Long, now: Long
  }
};
""")
_RULE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_OPAQUE = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n\r]*', re.DOTALL)
MAX_POLICY_CHARACTERS = 64 * 1024
_MAX_RULE_CHARACTERS, _MAX_DEPTH = 400, 32
UNSTRUCTURED = "*"
"""The one field of a result that has no named fields: only ANY allows it."""

_REMEDY = "Propose a use that the owner allows, or ask the owner for another policy."
_WORDS: dict[str, tuple[str, str]] = {
    "purpose": ("a purpose that the owner allows", "purpose"),
    "app": ("an app that the owner allows", "app"),
    "entry-point": ("an entry point that the owner allows", "entry_point"),
    "recipient": ("a recipient that the owner allows", "recipient"),
    "fields": ("only result fields that the owner allows", "fields"),
    "min-group": ("groups as large as the owner asks for", "min_group"),
    "max-uses": ("fewer uses so far than the owner allows", "uses"),
    "expires-at": ("a time before the owner's permission ends", "now"),
}


@dataclass(frozen=True)
class Use:
    """What is asked of an owner; the field names are those of Cedar's context."""

    purpose: str
    app: str
    entry_point: str
    recipient: str
    fields: tuple[str, ...]
    min_group: int
    now: int

    def context(self, uses: int) -> dict[str, object]:
        """Return Cedar's context."""
        return {
            "purpose": self.purpose,
            "app": self.app,
            "entry_point": self.entry_point,
            "recipient": self.recipient,
            "fields": list(self.fields),
            "min_group": self.min_group,
            "uses": uses,
            "now": self.now,
        }


def check_policy(text: str) -> None:
    """Refuse policy text that could not be evaluated, or whose rules have no names.

    Raises:
        Malformed: not Cedar, not of the schema above, a template, or an `@id` that
            is missing, repeated or not lower-case-with-dashes.
    """
    if len(text) > MAX_POLICY_CHARACTERS:
        message = f"a usage policy has at most {MAX_POLICY_CHARACTERS} characters"
        raise Malformed(message)
    _check_nesting(text)
    policies = _parse(text).to_pst()
    if policies.templates or not policies.static_policies:
        message = "a usage policy has one rule or more, and no templates"
        raise Malformed(message)
    ids = [rule.annotations.get("id") for rule in policies.static_policies.values()]
    if len(set(ids)) != len(ids) or not all(i and _RULE_ID.fullmatch(i) for i in ids):
        message = 'every rule of a usage policy has an @id("...") of its own'
        raise Malformed(message)
    checked = cedarpy.validate_policies(text, _SCHEMA)
    if not checked.validation_passed:
        reasons = "; ".join(error.error for error in checked.errors)[:300]
        message = f"the usage policy does not fit the schema of uses: {reasons}"
        raise Malformed(message)


def evaluate(
    text: str,
    owner: str,
    resource: tuple[Literal["Dataset", "App"], str],
    use: Use,
    uses: int,
) -> list[Finding]:
    """Return why `owner`'s policy does not allow a use; empty if it does.

    Args:
        text: the policy, as it was registered.
        owner: the owner's name, for the findings.
        resource: what is to be used.
        use: for what.
        uses: how many tasks have used it before.
    """
    context = use.context(uses)
    request = {
        "principal": {"type": "Party", "id": use.recipient},
        "action": {"type": "Action", "id": "use"},
        "resource": {"type": resource[0], "id": resource[1]},
        "context": context,
    }
    result = cedarpy.is_authorized(request, _parse(text), "[]")
    diagnostics = result.diagnostics
    if diagnostics.errors:
        wanted = "a policy whose every rule can be evaluated"
        return [_finding("policy-error", owner, wanted, "one that fails on this use")]
    if result.allowed:
        return []
    if not diagnostics.reasons:
        allowed = "a use that some rule of the owner permits"
        return [_finding("default-deny", owner, allowed, "one that none permits")]
    ids = diagnostics.id_annotations_by_reason
    rules = sorted(ids.get(reason, reason) for reason in diagnostics.reasons)
    return [_forbidden(rule, owner, context) for rule in rules]


def _forbidden(rule: str, owner: str, context: dict[str, object]) -> Finding:
    expected, attribute = _WORDS.get(rule, (f"a use that rule {rule} allows", ""))
    got = context.get(attribute, "one that it forbids")
    shown = ", ".join(map(str, got)) if isinstance(got, list) else str(got)
    return _finding(rule, owner, expected, shown or "none")


def _finding(rule: str, owner: str, expected: str, got: str) -> Finding:
    return Finding(f"usage.{rule}", owner, expected, got, _REMEDY)


def _check_nesting(text: str) -> None:
    """Refuse what would overflow the stack of Cedar's recursive parser.

    Strings and comments apart, a rule is short and nests little; a long list of
    names is a long list of strings.
    """
    for rule in _OPAQUE.sub('"', text).split(";"):
        depth = deepest = 0
        for letter in rule:
            depth += (letter in "([{") - (letter in ")]}")
            deepest = max(deepest, depth)
        size = len(re.sub(r'[\s,"]', "", rule))
        if size > _MAX_RULE_CHARACTERS or deepest > _MAX_DEPTH:
            message = (
                f"a rule of a usage policy has at most {_MAX_RULE_CHARACTERS} "
                f"characters outside strings and nests at most {_MAX_DEPTH} deep"
            )
            raise Malformed(message)


@lru_cache(maxsize=4096)
def _parse(text: str) -> cedarpy.PolicySet:
    try:
        return cedarpy.PolicySet.from_str(text)
    except ValueError as error:
        message = f"the usage policy is not Cedar: {str(error)[:300]}"
        raise Malformed(message) from error
