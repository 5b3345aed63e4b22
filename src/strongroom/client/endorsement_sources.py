# SPDX-License-Identifier: Apache-2.0
"""Where vendors publish endorsements, from a file that a person has written.

Without that file, or unless it says `enabled = true`, nothing is fetched. Roots are
never asked for: whoever trusts one has compared it. See docs/how-to/endorsements.md.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from strongroom.errors import Misconfigured

Reading = Literal["as-is", "certificates", "rim"]
"""What of an answer is the document: all of it; each certificate in it that is no
root; or the base64 in the member `rim` of a JSON object."""

_INTEL_CHAINS = {
    "tcb_info": "TCB-Info-Issuer-Chain",
    "qe_identity": "SGX-Enclave-Identity-Issuer-Chain",
    "pck_crl": "SGX-PCK-CRL-Issuer-Chain",
}
"""Headers of Intel's PCS, version 4, that carry the chain of an answer's signer."""
_TABLES = {"enabled", "intel-pcs", "amd-kds", "nvidia-rim", "document"}


@dataclass(frozen=True)
class Wanted:
    """One document to fetch.

    Attributes:
        url: where.
        role: under which role it goes into the store.
        kinds: for which kinds of hardware.
        reading: what of the answer is the document.
        chain_header: the header that carries the chain of who signed it, or "".
    """

    url: str
    role: str
    kinds: tuple[str, ...]
    reading: Reading = "as-is"
    chain_header: str = ""


def read_wanted(file: Path) -> tuple[Wanted, ...]:
    """Return what a sources file asks for.

    Raises:
        Misconfigured: there is none, it does not say `enabled = true`, or it holds
            something else.
    """
    try:
        value = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        message = f"fetching is off: there is no {file}"
        raise Misconfigured(message) from error
    except (ValueError, RecursionError) as error:
        message = f"{file}: {error}"
        raise Misconfigured(message) from error
    if value.get("enabled") is not True:
        message = f"fetching is off: {file} does not say enabled = true"
        raise Misconfigured(message)
    if not set(value) <= _TABLES:
        odd = ", ".join(sorted(set(value) - _TABLES))
        message = f"{file}: unknown tables: {odd}"
        raise Misconfigured(message)
    return tuple(_all(value, file))


def _all(value: dict[str, object], file: Path) -> Iterator[Wanted]:
    for table in _tables(value, "intel-pcs", file):
        yield from _intel(table)
    for table in _tables(value, "amd-kds", file):
        yield from _amd(table)
    for table in _tables(value, "nvidia-rim", file):
        yield from _nvidia(table)
    for table in _tables(value, "document", file):
        yield Wanted(table.text("url"), table.text("role"), table.texts("kinds"))


def _intel(table: "_Table") -> Iterator[Wanted]:
    """Intel PCS API, version 4 (api.portal.trustedservices.intel.com)."""
    base = table.text("url").rstrip("/")
    kinds = table.texts("kinds")
    for kind in kinds:
        path = f"{base}/{'tdx' if kind == 'tdx' else 'sgx'}/certification/v4"
        for fmspc in table.texts("fmspc"):
            yield _signed(f"{path}/tcb?fmspc={fmspc}", "tcb_info", (kind,))
        yield _signed(f"{path}/qe/identity", "qe_identity", (kind,))
    for ca in table.texts("ca"):
        crl = f"{base}/sgx/certification/v4/pckcrl?ca={ca}&encoding=der"
        yield _signed(crl, "pck_crl", kinds)
    for url in table.texts("root_crl", optional=True):
        yield Wanted(url, "root_ca_crl", kinds)


def _signed(url: str, role: str, kinds: tuple[str, ...]) -> Wanted:
    return Wanted(url, role, kinds, chain_header=_INTEL_CHAINS[role])


def _amd(table: "_Table") -> Iterator[Wanted]:
    """AMD KDS (AMD 57230): intermediate, list and, by path, VCEKs."""
    base, kinds = table.text("url").rstrip("/"), table.texts("kinds")
    for product in table.texts("product"):
        path = f"{base}/vcek/v1/{product}"
        yield Wanted(f"{path}/cert_chain", "intermediate", kinds, "certificates")
        yield Wanted(f"{path}/crl", "crl", kinds)
    for chip in table.texts("vcek", optional=True):
        yield Wanted(f"{base}/vcek/v1/{chip}", "vcek", kinds)


def _nvidia(table: "_Table") -> Iterator[Wanted]:
    """NVIDIA RIM service: reference measurements by their id."""
    base, kinds = table.text("url").rstrip("/"), table.texts("kinds")
    for role in ("vbios_rim", "driver_rim"):
        for name in table.texts(role, optional=True):
            yield Wanted(f"{base}/v1/rim/{name}", role, kinds, "rim")


class _Table:
    """One table of the file; values read by type."""

    def __init__(self, value: dict[str, object], where: str) -> None:
        self._value, self._where = value, where

    def text(self, name: str) -> str:
        value = self._value.get(name)
        if not isinstance(value, str) or not value:
            message = f"{self._where}: {name} is a text"
            raise Misconfigured(message)
        return value

    def texts(self, name: str, *, optional: bool = False) -> tuple[str, ...]:
        value = self._value.get(name, [] if optional else None)
        if isinstance(value, list):
            found = tuple(each for each in value if isinstance(each, str) and each)
            if len(found) == len(value) and (found or optional):
                return found
        message = f"{self._where}: {name} is a list of texts"
        raise Misconfigured(message)


def _tables(value: dict[str, object], name: str, file: Path) -> Iterator[_Table]:
    found = value.get(name, [])
    if not isinstance(found, list) or not all(isinstance(e, dict) for e in found):
        message = f"{file}: {name} is written [[{name}]]"
        raise Misconfigured(message)
    for each in found:
        yield _Table(each, f"{file}: [[{name}]]")
