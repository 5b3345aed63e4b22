# SPDX-License-Identifier: Apache-2.0
"""The parsers that are fuzzed. A parser of foreign bytes that is not here is a gap.

`tests/hardware/test_fuzz_table.py` finds parsers by their names and holds them
against this table.
"""

from types import MappingProxyType

from fuzz.tables.endorsements import ENDORSEMENTS
from fuzz.tables.evidence import EVIDENCE
from fuzz.tables.own import OWN
from fuzz.tables.tpm import TPM
from fuzz.targets import Target

TARGETS: MappingProxyType[str, Target] = MappingProxyType(
    {**EVIDENCE, **TPM, **ENDORSEMENTS, **OWN}
)
