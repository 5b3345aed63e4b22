# SPDX-License-Identifier: Apache-2.0
"""Verifications of hardware evidence a second, on one core and on all of them.

python benchmarks/evidence.py [--seconds 1.0] [--cases FOLDER]

A second is one of the process's own processor time, and a figure the best of five
turns, since whatever else runs only slows. Cold: each verification begins with nothing
known. Warm: endorsements and certificate chains are known, the signatures of the
evidence and the TCB decision never.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from strongroom.cli.cases import find_cases, read_case  # noqa: E402 - after the path
from strongroom.core.rats import Trust  # noqa: E402
from strongroom.services.attestation.hardware import verify_hardware  # noqa: E402

TURNS = 5
CASES = ROOT.parent / "shared" / "evidence"


def main() -> None:
    """Print one line of JSON for each valid case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="per figure")
    parser.add_argument("--cases", type=Path, default=CASES)
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores) as pool:
        for folder in find_cases(options.cases):
            if read_case(folder).expected != "valid":
                continue
            row: dict[str, object] = {
                "case": f"{folder.parent.name}/{folder.name}",
                "cold_per_s": round(
                    _rate(folder, remember=False, for_s=options.seconds)
                ),
                "warm_per_s": round(
                    _rate(folder, remember=True, for_s=options.seconds)
                ),
            }
            alone = [folder] * cores, [True] * cores, [options.seconds] * cores
            many = sum(pool.map(_rate, *alone))
            row[f"warm_per_s_{cores}_processes"] = round(many)
            print(json.dumps(row), flush=True)


def _rate(folder: Path, remember: bool, for_s: float) -> float:  # noqa: FBT001 - mapped
    """Return verifications a second of one process."""
    case = read_case(folder)
    trust = Trust(case.endorsements)
    verify_hardware(case.evidence, trust, now=case.time)

    def turn() -> float:
        done, begun = 0, time.process_time()
        while (spent := time.process_time() - begun) < for_s / TURNS:
            used = trust if remember else Trust(case.endorsements)
            verify_hardware(case.evidence, used, now=case.time)
            done += 1
        return done / spent

    return max(turn() for _ in range(TURNS))


if __name__ == "__main__":
    main()
