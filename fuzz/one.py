# SPDX-License-Identifier: Apache-2.0
"""One fuzzing process: python -m fuzz.one TARGET CORPUS-FOLDER [libFuzzer options].

Ends with libFuzzer's own exit code: 0 after all runs, other at the first finding,
whose input it leaves in the folder that `-artifact_prefix` names.
"""

import sys

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from fuzz.table import TARGETS
    from fuzz.targets import look
    from strongroom.errors import StrongroomError

    PARSE = TARGETS[sys.argv[1]].load()


def run(data: bytes) -> None:
    """Parse; a typed error is an answer, everything else a finding."""
    try:
        look(PARSE(data))
    except StrongroomError:
        return


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], run)
    atheris.Fuzz()
