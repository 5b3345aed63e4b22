# SPDX-License-Identifier: Apache-2.0
"""Intel quotes a second on one core, beside dcap-qvl on the same quotes in one run.

python benchmarks/intel_quotes.py [--seconds 2.0] [--cases FOLDER]

Cold: each verification begins with nothing known. Warm: endorsements and certificate
chains are remembered, the signatures of the quote and the TCB decision never.
dcap-qvl (Rust) remembers nothing; it knows no event logs, so none is here. The three
take turns of a twentieth of a second, and a ratio is the median over those turns.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import dcap_qvl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from strongroom.cli.cases import Case, find_cases, read_case  # noqa: E402 - after path
from strongroom.core.crypto.x509 import Certificate  # noqa: E402
from strongroom.core.rats import HardwareEvidence, Trust  # noqa: E402
from strongroom.hardware.dcap.documents import read_signed  # noqa: E402
from strongroom.services.attestation.hardware import verify_hardware  # noqa: E402

CASES = ROOT.parent / "shared" / "evidence"
TURN_S = 0.05


def main() -> None:
    """Print one line of JSON for each valid case of SGX and TDX."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="per contender")
    parser.add_argument("--cases", type=Path, default=CASES)
    options = parser.parse_args()
    turns = max(3, round(options.seconds / TURN_S))
    for folder in find_cases(options.cases):
        case = read_case(folder)
        if case.expected == "valid" and case.tee in {"sgx", "tdx"}:
            row = {"case": f"{folder.parent.name}/{folder.name}", **_race(case, turns)}
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


def peer(case: Case) -> Callable[[], tuple[str, set[str]]]:
    """Return what has dcap-qvl verify the case: TCB status and advisories.

    It raises ValueError for a quote that dcap-qvl refuses.
    """
    role = {name: each[0] for name, each in case.endorsements.collateral.items()}
    info = read_signed(role["tcb_info"], "tcbInfo")
    identity = read_signed(role["qe_identity"], "enclaveIdentity")
    collateral = dcap_qvl.QuoteCollateralV3(
        role["pck_crl_issuer_chain"].decode(),
        role["root_ca_crl"],
        role["pck_crl"],
        role["tcb_info_issuer_chain"].decode(),
        info.raw.decode(),
        info.signature,
        role["qe_identity_issuer_chain"].decode(),
        identity.raw.decode(),
        identity.signature,
    )
    root = Certificate.read(case.endorsements.roots[0]).der
    quote = case.evidence.part("quote")

    def verify() -> tuple[str, set[str]]:
        found = dcap_qvl.verify_with_root_ca(quote, collateral, root, case.time)
        return found.status, set(found.advisory_ids)

    return verify


def _race(case: Case, turns: int) -> dict[str, float]:
    quote = HardwareEvidence(case.tee, {"quote": case.evidence.part("quote")})
    known = Trust(case.endorsements)

    def warm() -> None:
        verify_hardware(quote, known, now=case.time)

    def cold() -> None:
        verify_hardware(quote, Trust(case.endorsements), now=case.time)

    contenders = {"warm": warm, "cold": cold, "dcap_qvl": peer(case)}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for each in contenders.values():
        each()
    for _ in range(turns):
        for name, each in contenders.items():
            rates[name].append(_rate(each))
    row = {f"{name}_per_s": float(round(median(rates[name]))) for name in rates}
    for name in ("warm", "cold"):
        pairs = zip(rates[name], rates["dcap_qvl"], strict=True)
        row[f"{name}_ratio"] = round(median(mine / its for mine, its in pairs), 2)
    return row


def _rate(verify: Callable[[], object]) -> float:
    done, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < TURN_S:
        verify()
        done += 1
    return done / spent


if __name__ == "__main__":
    main()
