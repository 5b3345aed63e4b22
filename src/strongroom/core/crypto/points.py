# SPDX-License-Identifier: Apache-2.0
"""Checks of public points in plain integers: nothing here is secret.

A key that is not a point of its curve, or one for which anybody can sign, is turned
away when it is read and not when it is used.
"""

from strongroom.errors import Malformed

ED25519_BYTES = 32
SM2_BYTES = 65

_ED_P = 2**255 - 19
_ED_D = -121665 * pow(121666, -1, _ED_P) % _ED_P
_ED_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_ED_SMALL = {0, 1, _ED_P - 1, _ED_ORDER_8, _ED_P - _ED_ORDER_8}
_SM2_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_SM2_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_UNCOMPRESSED = 4


def check_ed25519(raw: bytes) -> None:
    """Check a point of Edwards25519 (RFC 8032 section 5.1.3), not of small order.

    Raises:
        Malformed: any other bytes.
    """
    if len(raw) != ED25519_BYTES:
        message = f"an Ed25519 key is {ED25519_BYTES} bytes, not {len(raw)}"
        raise Malformed(message)
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    # x**2 is a quotient; it is a square just if the product is (Euler's criterion)
    product = (y * y - 1) * (_ED_D * y * y + 1)
    on_curve = pow(product, (_ED_P - 1) // 2, _ED_P) == 1
    if y >= _ED_P or y in _ED_SMALL or not on_curve:
        message = "these bytes are not a usable Ed25519 public key"
        raise Malformed(message)


def check_sm2(raw: bytes) -> None:
    """Check an uncompressed point (SEC 1 section 2.3.4) of the curve of GB/T 32918.5.

    Raises:
        Malformed: any other bytes.
    """
    if len(raw) != SM2_BYTES or raw[0] != _UNCOMPRESSED:
        message = f"an SM2 key is {SM2_BYTES} bytes that begin with 4"
        raise Malformed(message)
    x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
    on_curve = (y * y - (x * x * x - 3 * x + _SM2_B)) % _SM2_P == 0
    if max(x, y) >= _SM2_P or not on_curve:
        message = "these bytes are not an SM2 public key"
        raise Malformed(message)
