# SPDX-License-Identifier: Apache-2.0
"""App evidence of which everything is known beforehand but its time (RA-TLS).

For those who verify; a monitor does not load this.
"""

from strongroom.core.codec import cbor, cose
from strongroom.core.crypto import constant_time_equal
from strongroom.core.rats.claims import AppFields
from strongroom.core.rats.eat import check_clock
from strongroom.system.monitor.report import Vouched, check_signature, encode_facts

_BEFORE_IAT, _BEFORE_NONCE = b"\xb1\x06", b"\x0a"
"""What deterministic CBOR begins with: a map of 17, and the labels of `iat` and nonce;
the claims end with the user data."""
_IAT_OF_4_BYTES, _IAT_BYTES, _FIRST_OF_4_BYTES = b"\x1a", 5, 1 << 16
"""A time between 1970 and 2106; any other is for `verify_app_evidence` to read."""


class KnownReport:
    """The next reports of an enclave: all known beforehand but their time.

    An enclave gives its word in every connection, with all else as it was when it was
    accepted. `verify` compares such a word with the bytes that it has to be, where
    `verify_app_evidence` parses it and others judge each claim, to the same result.
    """

    def __init__(self, app: AppFields) -> None:
        payload, self._suite_id = encode_facts(app), app.suite_id
        begin = (_BEFORE_IAT, cbor.encode(app.issued_at), _BEFORE_NONCE)
        nonce, end = cbor.octets(app.nonce), cbor.octets(app.user_data)
        self._between = payload[len(b"".join((*begin, nonce))) : -len(end)]

    def verify(
        self, data: bytes, platform: Vouched, now: int, nonce: bytes, user_data: bytes
    ) -> bool:
        """Return whether `data` is a report of this enclave with these values.

        False only says that it is another one: `verify_app_evidence` says what it is.

        Raises:
            Malformed, Untrusted, Stale: as `verify_app_evidence`.
        """
        envelope = cose.Sign1.parse(data)
        payload = envelope.payload
        iat = payload[len(_BEFORE_IAT) :][:_IAT_BYTES]
        issued_at = int.from_bytes(iat[1:], "big")
        known = b"".join(
            (
                *(_BEFORE_IAT, _IAT_OF_4_BYTES, issued_at.to_bytes(4, "big")),
                *(_BEFORE_NONCE, cbor.octets(nonce), self._between),
                cbor.octets(user_data),
            )
        )
        if not constant_time_equal(known, payload) or issued_at < _FIRST_OF_4_BYTES:
            return False
        if self._suite_id != platform.suite_id:
            return False
        check_signature(envelope, platform)
        check_clock(issued_at, now, "attestation")
        return True
