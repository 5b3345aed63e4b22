# SPDX-License-Identifier: Apache-2.0
"""What a party of the attestation tests' world judges enclaves by."""

from dataclasses import replace

from strongroom.core.rats import AppraisalPolicy, AppRule, Endorsements, Trust
from strongroom.services.channel.verifying import EndorsedEvidence
from tests.services.ra_world import World


def appraisal(world: World) -> EndorsedEvidence:
    """Return what a party of this world judges evidence of both layers by."""
    whole = world.environment.platform
    assert isinstance(whole, AppraisalPolicy)
    facts = world.platform.facts
    rule = AppRule.measured(facts.measurement, config=facts.config)
    return EndorsedEvidence(
        Trust(Endorsements((world.manufacturer.root,), ())),
        replace(whole, apps=(rule,)),
        lambda: world.now,
    )
