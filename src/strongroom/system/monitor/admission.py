# SPDX-License-Identifier: Apache-2.0
"""Who may start: bundle and policy, checked before the first instruction (SYS-3).

The steps are those of docs/specs/bundle.md, section Admission. Highest launch-policy
versions and SVNs are the device's monotonic counters, so that neither an older
policy nor an older app comes back, however the host turns back its files.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from strongroom.core.codec.bundle import Bundle, VerifiedBundle
from strongroom.core.codec.launch import LaunchPolicy
from strongroom.core.codec.signed import open_record
from strongroom.core.crypto import VerifyingKey
from strongroom.errors import Malformed, Refused, Stale, Untrusted

if TYPE_CHECKING:
    from strongroom.core.rats.roles import RootOfTrust


class Admission:
    """Decides which bundles start here, by the pinned administrator's word."""

    def __init__(
        self,
        device: "RootOfTrust",
        lock: threading.Lock,
        administrator: VerifyingKey,
    ) -> None:
        self._device, self._lock = device, lock
        self._administrator = administrator

    def admit(self, bundle: bytes, launch_policy: bytes) -> VerifiedBundle:
        """Check a bundle and the policy that lets it start; return the checked app.

        1-4. the policy: parsed, signed by the administrator, suite, not older
        5-8. the bundle: suite, signature, signer on the policy, files as measured
        9.   the SVN is not below the highest seen; only then counters move up

        Not checked here: memory, and the files of an encrypted bundle.

        Raises:
            Malformed: not a bundle, or not a signed launch policy.
            Refused: one of the rules; Stale for an older version or SVN.
        """
        policy = self._open_policy(launch_policy)
        parsed = Bundle.from_bytes(bundle)
        self._require_suite(parsed)
        verified = _check_signature(parsed)
        signer = parsed.signer.verifying().key_id
        if signer not in policy.signers:
            raise Untrusted.because(
                rule="bundle.signer",
                owner="administrator",
                expected=f"a signer on launch policy version {policy.version}",
                got=f"key {signer.hex()[:16]}",
                remedy="Ask the administrator to put the signer on the launch policy.",
            )
        if not verified.manifest.encrypted:
            verified.files()
        with self._lock:
            svn = _svn_counter(signer, parsed.manifest.name)
            self._advance(svn, _svn_rule(verified))
            self._advance(self._policy_counter(), _version_rule(policy))
        return verified

    def newest_policy_version(self) -> int:
        """Return the highest launch-policy version that this device has acted on."""
        with self._lock:
            return self._device.counter(self._policy_counter())

    def _open_policy(self, data: bytes) -> LaunchPolicy:
        try:
            policy = open_record(LaunchPolicy, data, self._administrator)
        except Untrusted as error:
            raise Untrusted.because(
                rule="launch.signature",
                owner="administrator",
                expected="a launch policy signed by the administrator of this monitor",
                got="another signature",
                remedy="Get the launch policy from the administrator again.",
            ) from error
        if policy.suite != self._device.suite_id:
            raise self._wrong_suite(rule="launch.suite", got=policy.suite)
        _version_rule(policy)(self.newest_policy_version())
        return policy

    def _require_suite(self, bundle: Bundle) -> None:
        for suite_id in (bundle.manifest.suite, bundle.signer.suite):
            if suite_id != self._device.suite_id:
                raise self._wrong_suite(rule="bundle.suite", got=suite_id)

    def _wrong_suite(self, *, rule: str, got: str) -> Refused:
        return Refused.because(
            rule=rule,
            owner="administrator",
            expected=f"the suite of this deployment, {self._device.suite_id}",
            got=got,
            remedy="Build the artefact for this deployment's suite.",
        )

    def _policy_counter(self) -> str:
        return f"launch-policy/{self._administrator.key_id.hex()}"

    def _advance(self, name: str, rule: Callable[[int], int]) -> None:
        """Raise a counter to what `rule` answers about its present value."""
        seen = self._device.counter(name)
        for _ in range(rule(seen) - seen):
            self._device.increment(name)


def _check_signature(bundle: Bundle) -> VerifiedBundle:
    try:
        return bundle.verify()
    except (Untrusted, Malformed) as error:
        if any(finding.rule == "bundle.measurement" for finding in error.findings):
            raise
        raise Untrusted.because(
            rule="bundle.signature",
            owner="app provider",
            expected="a signature over the manifest by the signer it names",
            got="no such signature",
            remedy="The bundle is unsigned or was altered; get the original.",
        ) from error


def _svn_counter(signer: bytes, product: str) -> str:
    return f"svn/{signer.hex()}/{product}"


def _svn_rule(verified: VerifiedBundle) -> Callable[[int], int]:
    svn, name = verified.manifest.svn, verified.manifest.name

    def rule(seen: int) -> int:
        if svn < seen:
            raise Stale.because(
                rule="bundle.svn",
                owner="app provider",
                expected=f"SVN {seen} or higher for {name}",
                got=f"SVN {svn}",
                remedy="Get the current bundle; older ones no longer start here.",
            )
        return svn

    return rule


def _version_rule(policy: LaunchPolicy) -> Callable[[int], int]:
    def rule(seen: int) -> int:
        if policy.version < seen:
            raise Stale.because(
                rule="launch.version",
                owner="administrator",
                expected=f"launch policy version {seen} or newer",
                got=f"version {policy.version}",
                remedy="Fetch the current launch policy.",
            )
        return policy.version

    return rule
