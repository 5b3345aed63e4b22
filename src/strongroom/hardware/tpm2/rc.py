# SPDX-License-Identifier: Apache-2.0
"""Response codes of a TPM by name (TPM 2.0 Library, Part 2, section 6.6)."""

_FORMAT_ONE, _PARAMETER = 0x80, 0x40
_FORMAT_ONE_NAMES = {
    0x01: "ASYMMETRIC",
    0x02: "ATTRIBUTES",
    0x03: "HASH",
    0x04: "VALUE",
    0x05: "HIERARCHY",
    0x07: "KEY_SIZE",
    0x09: "MODE",
    0x0A: "TYPE",
    0x0B: "HANDLE",
    0x0C: "KDF",
    0x0D: "RANGE",
    0x0E: "AUTH_FAIL",
    0x0F: "NONCE",
    0x10: "PP",
    0x12: "SCHEME",
    0x15: "SIZE",
    0x16: "SYMMETRIC",
    0x17: "TAG",
    0x18: "SELECTOR",
    0x1A: "INSUFFICIENT",
    0x1B: "SIGNATURE",
    0x1C: "KEY",
    0x1D: "POLICY_FAIL",
    0x1F: "INTEGRITY",
    0x20: "TICKET",
    0x21: "RESERVED_BITS",
    0x22: "BAD_AUTH",
    0x23: "EXPIRED",
    0x24: "POLICY_CC",
    0x25: "BINDING",
    0x26: "CURVE",
    0x27: "ECC_POINT",
}
_FORMAT_ZERO_NAMES = {
    0x100: "INITIALIZE",
    0x101: "FAILURE",
    0x120: "DISABLED",
    0x124: "AUTH_TYPE",
    0x125: "AUTH_MISSING",
    0x126: "POLICY",
    0x127: "PCR",
    0x128: "PCR_CHANGED",
    0x12D: "UPGRADE",
    0x12F: "AUTH_UNAVAILABLE",
    0x130: "REBOOT",
    0x142: "COMMAND_SIZE",
    0x143: "COMMAND_CODE",
    0x144: "AUTHSIZE",
    0x145: "AUTH_CONTEXT",
    0x147: "NV_SIZE",
    0x148: "NV_LOCKED",
    0x149: "NV_AUTHORIZATION",
    0x14A: "NV_UNINITIALIZED",
    0x14B: "NV_SPACE",
    0x14C: "NV_DEFINED",
    0x902: "OBJECT_MEMORY",
    0x903: "SESSION_MEMORY",
    0x904: "MEMORY",
    0x905: "SESSION_HANDLES",
    0x906: "OBJECT_HANDLES",
    0x907: "LOCALITY",
    0x908: "YIELDED",
    0x909: "CANCELED",
    0x90A: "TESTING",
    0x920: "NV_RATE",
    0x921: "LOCKOUT",
    0x922: "RETRY",
    0x923: "NV_UNAVAILABLE",
}

AGAIN = frozenset({"YIELDED", "TESTING", "RETRY", "NV_RATE"})
"""The same command may succeed a moment later."""


def name_of(rc: int) -> str:
    """Return the name without its prefix TPM_RC_, or the number in hex."""
    if rc & _FORMAT_ONE:
        return _FORMAT_ONE_NAMES.get(rc & 0x3F, f"{rc:#x}")
    return _FORMAT_ZERO_NAMES.get(rc, f"{rc:#x}")


def place_of(rc: int) -> str:
    """Return which parameter, handle or session a code is about, or ""."""
    if not rc & _FORMAT_ONE:
        return ""
    number = rc >> 8 & 0xF
    if rc & _PARAMETER:
        return f"parameter {number}"
    return f"session {number - 8}" if number > 8 else f"handle {number}"  # noqa: PLR2004 - bit 11 says session
