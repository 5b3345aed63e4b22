# SPDX-License-Identifier: Apache-2.0
"""What events of measured boot say, in words for people, and what was hashed of them.

The words come from whoever brought the log. They are cut to one short line of
printable characters and never fail: what cannot be read is shown as hex.
"""

import struct
from collections.abc import Callable, Iterator
from struct import unpack_from
from uuid import UUID

from strongroom.hardware.tcg import events

MAX_TEXT = 256
_SHOWN_BYTES, _FEW_BYTES = 24, 4
_MAX_PARTITIONS, _MAX_NODES = 32, 32

_BOOT_OPTION, _HEX_DIGITS = "Boot", 4
_OWNER_BYTES, _TAG_BYTES = 16, 8
_GPT_HEAD, _GPT_ENTRY = 100, 128
_OF_GRUB = (b"grub_cmd: ", b"kernel_cmdline: ")
"""GRUB's words before a text that it measures without them; of files it measures the
contents, and only names them."""

_MEDIA, _FILE_PATH, _END_OF_PATH = 4, 4, 0x7F


def text_of(kind: int, data: bytes) -> str:
    """Return one line that says what was measured; total over any bytes."""
    reader = _READERS.get(kind, _string)
    try:
        text = reader(data)
    except (struct.error, ValueError):
        text = ""
    return _printable(text) or _hex(data)


def measured_bytes(kind: int, data: bytes) -> Iterator[bytes]:
    """Yield what the digest of an event may have been taken over.

    The profile says the event's data, for most types; in practice (UEFI's EDK2, GRUB,
    the kernel's and systemd's stubs) a part of them.
    """
    yield data
    if kind == events.IPL:
        text = data.removesuffix(b"\0")
        yield text
        yield text.partition(b": ")[2]
    elif kind == events.EVENT_TAG:
        yield data[_TAG_BYTES:]
    elif kind in _VARIABLES:
        value = _variable_data(data)
        yield value
        yield value[_OWNER_BYTES:]


def said_to_be_measured(kind: int, data: bytes) -> tuple[bytes, ...]:
    """Return what the digest of an event must be of, one of these; none: of anything.

    Of these types every firmware and boot loader takes it so; an event with another
    digest was altered.
    """
    if kind == events.SEPARATOR:
        return data, events.SEPARATOR_ERROR
    if kind in events.OF_DATA:
        return (data,)
    if kind == events.IPL and data.startswith(_OF_GRUB):
        return tuple(measured_bytes(kind, data))
    return ()


def _string(data: bytes) -> str:
    """Return the text of an event whose data is a string, in ASCII or UTF-16."""
    wide = len(data) % 2 == 0 and data[1:2] == b"\0" and data[:1] != b"\0"
    text = data.decode("utf-16-le" if wide else "utf-8").rstrip("\0")
    return text if text.isprintable() else _one_line(text)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if line.isprintable() else ""


def _separator(data: bytes) -> str:
    if len(data) == _FEW_BYTES and not any(data[1:]) and data[0] <= 1:
        return "error" if data[0] else "separator"
    return "separator" if data == b"\xff" * _FEW_BYTES else _string(data)


def _tagged(data: bytes) -> str:
    """Return the text in a TCG_PCClientTaggedEvent (section 10.4.2.7)."""
    (size,) = unpack_from("<4xI", data)
    return _string(data[_TAG_BYTES : _TAG_BYTES + size])


def _variable(data: bytes) -> str:
    """Read a UEFI_VARIABLE_DATA (section 10.4.2.1)."""
    name, value = _variable_parts(data)
    digits = name[len(_BOOT_OPTION) :]
    if name.startswith(_BOOT_OPTION) and len(digits) == _HEX_DIGITS:
        return f"{name} = {_load_option(value)}"
    if len(value) <= _SHOWN_BYTES:
        return f"{name} = {value.hex() or 'empty'}"
    return f"{name}, {len(value)} bytes"


def _variable_parts(data: bytes) -> tuple[str, bytes]:
    characters, size = unpack_from("<QQ", data, 16)
    end = 32 + 2 * characters
    if end + size > len(data):
        return "", b""
    return data[32:end].decode("utf-16-le"), data[end : end + size]


def _variable_data(data: bytes) -> bytes:
    try:
        return _variable_parts(data)[1]
    except (struct.error, ValueError):
        return b""


def _load_option(value: bytes) -> str:
    """Return the description in an EFI_LOAD_OPTION (UEFI 2.10, section 3.1.3)."""
    text = value[6:]
    end = next((i for i in range(0, len(text), 2) if not any(text[i : i + 2])), 0)
    return text[:end].decode("utf-16-le") or _hex(value) or "empty"


def _image(data: bytes) -> str:
    """Return the file in a UEFI_IMAGE_LOAD_EVENT (section 10.4.2.3)."""
    image, path = unpack_from("<8xQ8xQ", data)
    return "".join(_file_names(data[32 : 32 + path])) or f"an image of {image} bytes"


def _file_names(path: bytes) -> Iterator[str]:
    """Yield the file paths of a device path (UEFI 2.10, section 10.3.5.4)."""
    at = 0
    for _ in range(_MAX_NODES):
        if at + _FEW_BYTES > len(path):
            return
        kind, subtype, size = unpack_from("<BBH", path, at)
        if kind == _END_OF_PATH or size < _FEW_BYTES:
            return
        if (kind, subtype) == (_MEDIA, _FILE_PATH):
            yield path[at + _FEW_BYTES : at + size].decode("utf-16-le").rstrip("\0")
        at += size


def _partitions(data: bytes) -> str:
    """Return disk and partitions of a UEFI_GPT_DATA (section 10.4.2.2)."""
    (count,) = unpack_from("<Q", data, 92)
    disk = UUID(bytes_le=data[56:72])
    names = [
        data[at + 56 : at + _GPT_ENTRY].decode("utf-16-le").rstrip("\0")
        for at in range(
            _GPT_HEAD, _GPT_HEAD + _GPT_ENTRY * min(count, _MAX_PARTITIONS), _GPT_ENTRY
        )
    ]
    return f"disk {disk}: {', '.join(names)}"


def _blob(data: bytes) -> str:
    """Read a UEFI_PLATFORM_FIRMWARE_BLOB: base and length."""
    base, size = unpack_from("<QQ", data)
    return f"{size} bytes of firmware at {base:#x}"


def _blob2(data: bytes) -> str:
    """Read a UEFI_PLATFORM_FIRMWARE_BLOB2, which has a description before that."""
    end = 1 + data[0] if data else 0
    name = data[1:end].decode("ascii").rstrip("\0")
    return f"{name}: {_blob(data[end:])}"


_VARIABLES = {
    events.VARIABLE_BOOT,
    events.VARIABLE_BOOT2,
    events.VARIABLE_AUTHORITY,
}
_READERS: dict[int, Callable[[bytes], str]] = {
    events.SEPARATOR: _separator,
    events.EVENT_TAG: _tagged,
    events.VARIABLE_DRIVER_CONFIG: _variable,
    events.VARIABLE_BOOT: _variable,
    events.VARIABLE_BOOT2: _variable,
    events.VARIABLE_AUTHORITY: _variable,
    events.BOOT_SERVICES_APPLICATION: _image,
    events.BOOT_SERVICES_DRIVER: _image,
    events.RUNTIME_SERVICES_DRIVER: _image,
    events.GPT_EVENT: _partitions,
    events.GPT_EVENT2: _partitions,
    events.FIRMWARE_BLOB: _blob,
    events.FIRMWARE_BLOB2: _blob2,
}


def _printable(text: str) -> str:
    if not text.isprintable():
        text = "".join(each if each.isprintable() else "?" for each in text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def _hex(data: bytes) -> str:
    rest = f"... of {len(data)} bytes" if len(data) > _SHOWN_BYTES else ""
    return data[:_SHOWN_BYTES].hex() + rest
