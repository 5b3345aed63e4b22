# SPDX-License-Identifier: Apache-2.0
"""Write the inputs that a target begins with: python -m fuzz.corpus TARGET FOLDER.

A process of its own, so that what making them takes counts as nobody's memory.
"""

import hashlib
import sys
from pathlib import Path

from fuzz.table import TARGETS

if __name__ == "__main__":
    for data in TARGETS[sys.argv[1]].seeds():
        name = hashlib.sha256(data).hexdigest()[:16]
        (Path(sys.argv[2]) / name).write_bytes(data)
