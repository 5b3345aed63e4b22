# SPDX-License-Identifier: Apache-2.0
"""Change every byte of every valid case's evidence: never `valid` with other claims.

python -m fuzz.mutate [--every N] [--jobs 1] [CASE-FOLDER ...]

For each byte of each part one mutation is made (by a fixed rule, so that a run can be
repeated) and verified under the case's own endorsements, with nothing remembered.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from fuzz.targets import SHARED
from strongroom.cli.cases import Case, find_cases, read_case
from strongroom.core.rats import HardwareClaims, HardwareEvidence, Trust
from strongroom.errors import StrongroomError
from strongroom.services.attestation.hardware import verify_hardware


def main() -> int:
    """Mutate the cases; 1 where an altered one was believed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[SHARED])
    parser.add_argument("--every", type=int, default=1, help="mutate each Nth byte")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    folders = [case for folder in options.folders for case in find_cases(folder)]
    cases = [case for case in map(read_case, folders) if case.expected == "valid"]
    bad = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        for row in pool.map(mutate, cases, [options.every] * len(cases)):
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
            bad += bool(row["believed"])
    return 1 if bad else 0


def mutate(case: Case, every: int = 1) -> dict[str, object]:
    """Verify each mutation of one valid case and count what came of it.

    `believed` are the places where the altered evidence verified with claims that the
    original does not make; `harmless` is how many verified with the very same claims.
    """
    trust = Trust(case.endorsements, remember=False)
    original = verify_hardware(case.evidence, trust, now=case.time)
    begun, done, harmless = time.monotonic(), 0, 0
    believed: list[str] = []
    for place, altered in mutations(case.evidence, every):
        done += 1
        claims = _verified(altered, trust, case.time)
        if claims is None:
            continue
        if claims == original:
            harmless += 1
        else:
            believed.append(place)
    return {
        "case": f"{case.tee}/{case.name}",
        "mutations": done,
        "harmless": harmless,
        "believed": believed,
        "seconds": round(time.monotonic() - begun, 1),
    }


def mutations(
    evidence: HardwareEvidence, every: int
) -> Iterator[tuple[str, HardwareEvidence]]:
    """Yield the evidence with one byte changed, and where."""
    for role, part in evidence.parts.items():
        for index in range(0, len(part), every):
            changed = bytearray(part)
            changed[index] ^= 1 + index % 255
            parts = {**evidence.parts, role: bytes(changed)}
            yield f"{role}[{index}]", replace(evidence, parts=parts)


def _verified(
    evidence: HardwareEvidence, trust: Trust, now: int
) -> HardwareClaims | None:
    try:
        return verify_hardware(evidence, trust, now=now)
    except StrongroomError:
        return None


if __name__ == "__main__":
    sys.exit(main())
