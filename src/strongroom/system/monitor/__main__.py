# SPDX-License-Identifier: Apache-2.0
"""`python -m strongroom.system.monitor`: an error is one JSON line on stderr."""

import json
import sys

from strongroom.errors import StrongroomError
from strongroom.system.monitor.process import parse, run


def main() -> int:
    """Run the monitor; return its exit code."""
    try:
        run(parse(sys.argv[1:]))
    except StrongroomError as error:
        sys.stderr.write(json.dumps(error.to_value()) + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
