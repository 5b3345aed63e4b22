# SPDX-License-Identifier: Apache-2.0
"""Forged SNP evidence, its endorsements and policies, as files of a command line."""

from dataclasses import replace
from pathlib import Path

from tests.hardware.sev_snp import forge

TIME = "2025-06-15T15:06:40Z"
NONCE = forge.REPORT_DATA.hex()
MEASUREMENT = "77" * 48
POLICY = """
owner = "bank"
kinds = ["sev-snp"]
{more}
[[rule]]
id = "image"
claim = "measurements.measurement"
{check}
"""


def evidence(folder: Path, name: str = "evidence", **changes: object) -> Path:
    """Write evidence whose body is changed, and return its file."""
    body = replace(forge.MILAN.body, **changes)  # type: ignore[arg-type]
    made = forge.MILAN.with_(body=body).evidence()
    (folder / name).write_bytes(made.to_bytes())
    return folder / name


def endorsements(folder: Path) -> Path:
    """Write the endorsements of the forge, and return their file."""
    file = folder / "endorsements"
    file.write_bytes(forge.MILAN.trust().endorsements.to_bytes())
    return file


def policy(folder: Path, check: str, more: str = "", name: str = "policy.toml") -> Path:
    """Write a policy with one rule, and return its file."""
    (folder / name).write_text(POLICY.format(check=check, more=more))
    return folder / name
