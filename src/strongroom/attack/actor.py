# SPDX-License-Identifier: Apache-2.0
"""A process that attacks, as whoever started it.

    python -m strongroom.attack.actor ACTOR ROUTE ...

Reads a `Target` from stdin; prints one JSON line a route as it ends.
"""

import json
import sys
from dataclasses import asdict

from strongroom.attack import bench
from strongroom.attack.route import ACTORS, attack
from strongroom.attack.table import ROUTES
from strongroom.attack.target import Target


def main(actor: str, names: list[str]) -> None:
    """Try the routes that are named, in their order."""
    target = Target.from_bytes(sys.stdin.buffer.read())
    (known,) = (each for each in ACTORS if each == actor)
    try:
        for name in names:
            result = attack(ROUTES[name], known, target)
            sys.stdout.write(json.dumps(asdict(result)) + "\n")
            sys.stdout.flush()
    finally:
        bench.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
