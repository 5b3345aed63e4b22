# SPDX-License-Identifier: Apache-2.0
"""Fuzz every parser and print a line of JSON each.

python -m fuzz.run [--runs 1000000] [--jobs 1] [TARGET ...]
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz.table import TARGETS

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "fuzz-found"
TIMEOUT_S, MEMORY_MB = 5, 1024
_DONE = re.compile(rb"Done (\d+) runs")
_PEAK = re.compile(rb"peak_rss_mb: +(\d+)")
_FEATURES = re.compile(rb"cov: (\d+) ft: (\d+)")


def main() -> int:
    """Run the targets; 1 where one of them found something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = pool.map(lambda name: fuzz(name, options.runs), names)
        found = 0
        for row in rows:
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
            found += bool(row["findings"])
    return 1 if found else 0


def fuzz(name: str, runs: int) -> dict[str, object]:
    """Fuzz one target; what it finds lies in fuzz-found/ afterwards."""
    corpus = FOUND / "corpus" / name
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-m", "fuzz.corpus", name, str(corpus)], cwd=ROOT, check=True
    )
    seeds = len(list(corpus.iterdir()))
    before = set(FOUND.glob(f"{name}-*"))
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.one", name, str(corpus), *_options(name, runs)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    executed = _DONE.search(done.stderr)
    peak = _PEAK.search(done.stderr)
    coverage = _FEATURES.findall(done.stderr)
    findings = sorted(each.name for each in set(FOUND.glob(f"{name}-*")) - before)
    if done.returncode and not findings:
        findings = [done.stderr[-2000:].decode(errors="replace")]
    return {
        "target": name,
        "runs": int(executed.group(1)) if executed else 0,
        "seconds": round(time.monotonic() - begun, 1),
        "seeds": seeds,
        "coverage": int(coverage[-1][0]) if coverage else 0,
        "features": int(coverage[-1][1]) if coverage else 0,
        "peak_mb": int(peak.group(1)) if peak else 0,
        "findings": findings,
    }


def _options(name: str, runs: int) -> list[str]:
    return [
        f"-artifact_prefix={FOUND}/{name}-",
        f"-runs={runs}",
        f"-max_len={TARGETS[name].max_len}",
        f"-timeout={TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-print_final_stats=1",
    ]


if __name__ == "__main__":
    sys.exit(main())
