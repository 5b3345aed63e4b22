# SPDX-License-Identifier: Apache-2.0
"""The parsers that are fuzzed. A parser of foreign bytes that is not here is a gap."""

from types import MappingProxyType

from fuzz.targets import Target

_X509 = "strongroom.core.crypto.x509"

TARGETS: MappingProxyType[str, Target] = MappingProxyType(
    {
        "x509-certificate": Target(
            f"{_X509}:Certificate.read_all", ("*/*/*.pem", "*/*/*.der", "*/*/*.crt")
        ),
        "x509-crl": Target(f"{_X509}:RevocationList.read", ("*/*/*crl*",)),
    }
)
