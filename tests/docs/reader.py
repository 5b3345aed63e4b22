# SPDX-License-Identifier: Apache-2.0
"""A newcomer who does what a page of the documentation says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """A newcomer: does block by block what the page says."""

    def __init__(self, folder: Path) -> None:
        tools = Path(sys.executable).parent
        self.folder = folder
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
        self.environment["LANG"] = "C.UTF-8"
        self.output = ""
        self.shell = ""
        self.nodes: list[subprocess.Popen[str]] = []

    def read(self, kind: str, note: str, text: str) -> None:
        """Do one block."""
        if "file=" in note:
            path = self.folder / note.partition("file=")[2].strip()
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif "background" in note:
            self.start(text)
        elif "expect" in note:
            for line in text.splitlines():
                assert line in self.output
        elif kind == "bash":
            self.run(text, fails="fails" in note)
        elif kind == "python":
            self.run(f"python - <<'END'\n{text}END\n", fails=False)

    def start(self, text: str) -> None:
        """Start what runs in the other terminal, and wait for its first words."""
        node = subprocess.Popen(
            shlex.split(text),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.nodes.append(node)
        assert node.stdout
        assert node.stdout.readline()

    def close(self) -> None:
        """End what runs in other terminals."""
        for node in self.nodes:
            node.terminate()
            node.communicate(timeout=30)

    def run(self, text: str, *, fails: bool) -> None:
        """Run a block in one shell, with the variables of the blocks before."""
        state = "declare -p admin agreement pin > .variables 2>/dev/null || true"
        script = f"[ -f .variables ] && . ./.variables\nset -e\n{text}\n{state}\n"
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.output = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, self.output
