# SPDX-License-Identifier: Apache-2.0
"""The plain side of a whole task: read the file, parse it, call the same function."""

import sys
import time
from pathlib import Path

import duckdb  # noqa: F401 - a node's template has it loaded, too
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pyarrow.csv as pa_csv
import sklearn.linear_model  # noqa: F401

APP = Path(__file__).with_name("app_main.py")


def main() -> None:
    """Run once for each path on stdin; answer with the seconds."""
    space: dict[str, object] = {}
    exec(compile(APP.read_text(), APP.name, "exec"), space)  # noqa: S102 - our own file
    function = space["main"]
    for line in sys.stdin:
        began = time.perf_counter()
        if callable(function):
            function([pa_csv.read_csv(line.strip())], "")
        sys.stdout.write(f"{time.perf_counter() - began}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
