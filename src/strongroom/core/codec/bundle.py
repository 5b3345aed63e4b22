# SPDX-License-Identifier: Apache-2.0
"""App bundles: one deterministic, measured, signed file (SYS-3, docs/specs/bundle.md).

The manifest names every file by size and digest, so its own digest measures the
whole app; the signer signs that measurement. The content (the files) may be
encrypted under a code key: the measurement stays the same and readable rules stay
readable (T-2b).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from strongroom.core.codec import cbor, cose
from strongroom.core.codec.keys import PublicKey
from strongroom.core.codec.record import Record
from strongroom.core.crypto import Buffer, SigningKey, suite
from strongroom.errors import Malformed, Untrusted

DatasetType = Literal["table", "bytes"]
ValueType = Literal["json", "text", "integer", "number", "boolean"]

MAX_SVN = 65535
_MEASUREMENT_LABEL = b"strongroom/app-measurement/v1\0"
_SIGNATURE_TYPE = "strongroom/app-signature/v1"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]{0,127}:[A-Za-z_]\w{0,63}", re.ASCII)
_CALLER = re.compile(
    r"host|anyone|(key|tls):[0-9a-f]{64}"
    r"|app:([0-9a-f]{64,128}|[a-z][a-z0-9-]{0,63}(@[0-9a-f]{64})?)"
)
HTTP_COMMANDS = "commands"
"""`Manifest.http` of an app whose entry points plain HTTP clients may call."""
HTTP, ANY_COMMAND = "http", "*"
"""Commands of a list of callers that are no function: the app's own HTTP, and all."""


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not condition:
        raise Malformed(message)


@dataclass(frozen=True)
class Parameter(Record):
    """One typed argument; tables and bytes are datasets, the rest come by request."""

    name: str
    type: DatasetType | ValueType
    many: bool

    def __post_init__(self) -> None:
        _require(bool(_IDENTIFIER.fullmatch(self.name)), "a parameter has a bad name")
        _require(self.is_dataset or not self.many, "only datasets may be many")

    @property
    def is_dataset(self) -> bool:
        """Whether the argument is sealed data rather than a value of the request."""
        return self.type in ("table", "bytes")


@dataclass(frozen=True)
class OutputRule(Record):
    """What may leave: type, named fields, row and byte limits, smallest group.

    `fields` are the only keys or columns that leave. `min_group` is the smallest
    value that the column `group_column` may hold in any row; 0 where the app gives
    no groups. Sizes in bytes, of the plaintext.
    """

    type: Literal["table", "json", "bytes"]
    fields: tuple[str, ...]
    max_rows: int
    max_bytes: int
    min_group: int
    group_column: str

    def __post_init__(self) -> None:
        _require(self.max_rows > 0 and self.max_bytes > 0, "an output needs limits")
        _require(self.min_group >= 0, "a smallest group is not negative")
        _require(
            (self.min_group > 0) == bool(self.group_column),
            "a smallest group and its column go together",
        )


@dataclass(frozen=True)
class EntryPoint(Record):
    """One function that a task may call, with its parameters and output rule."""

    name: str
    function: str
    parameters: tuple[Parameter, ...]
    output: OutputRule

    def __post_init__(self) -> None:
        _require(
            bool(_IDENTIFIER.fullmatch(self.name)), "an entry point has a bad name"
        )
        _require(
            bool(_FUNCTION.fullmatch(self.function)),
            f"entry point {self.name}: the function is written module:function",
        )
        names = [parameter.name for parameter in self.parameters]
        _require(len(set(names)) == len(names), "two parameters have one name")


@dataclass(frozen=True)
class FileEntry(Record):
    """One file of the app: relative path with forward slashes, size, digest."""

    path: str
    size: int
    digest: bytes

    def __post_init__(self) -> None:
        parts = self.path.split("/")
        _require(
            all(part not in ("", ".", "..") for part in parts)
            and "\\" not in self.path
            and "\0" not in self.path,
            "a file's path is not a plain relative path",
        )


@dataclass(frozen=True)
class CallerList(Record):
    """Who may call one command of a service app (SYS-1); everybody else is refused.

    `command` is an entry point, a function of the interface, "http" for the app's own
    HTTP, or "*" for every command that has no list. A caller is `host`, the ordinary
    side of the machine; `anyone`, which excepts a command from "*"; `key:` and the id
    of a signing key; `tls:` and the SHA-256 of a certificate's SubjectPublicKeyInfo;
    `app:` and a measurement or a product of the same signer. All hex is lower-case.
    """

    command: str
    callers: tuple[str, ...]

    def __post_init__(self) -> None:
        _require(
            self.command == ANY_COMMAND or bool(_IDENTIFIER.fullmatch(self.command)),
            "a list of callers is of a command, or of *",
        )
        for caller in self.callers:
            _require(
                bool(_CALLER.fullmatch(caller)),
                f"callers of {self.command}: {caller[:80]!r} is not host, anyone, "
                "key:ID, tls:SHA256, app:MEASUREMENT or app:NAME@SIGNER, in lower hex",
            )


@dataclass(frozen=True)
class Manifest(Record):
    """What the app is and what it may do (RES-1); its digest measures the app.

    `cpu_seconds` bounds the processor time of each process, 0 for no bound;
    `interfaces` are the functions of the unified interface that the ordinary side may
    call through the app. `http` lets plain HTTP clients in: `commands`, or an ASGI
    application as module:name. `callers` say who may call which command (SYS-1).
    """

    TYPE = "strongroom/manifest/v3"

    suite: str
    name: str
    svn: int
    kind: Literal["task", "service"]
    memory_bytes: int
    threads: int
    processes: int
    cpu_seconds: int
    interfaces: tuple[str, ...]
    storage: tuple[str, ...]
    peers: tuple[str, ...]
    entry_points: tuple[EntryPoint, ...]
    files: tuple[FileEntry, ...]
    encrypted: bool
    http: str = ""
    callers: tuple[CallerList, ...] = ()

    def __post_init__(self) -> None:
        _require(
            bool(_NAME.fullmatch(self.name)), "an app's name is lower-case-with-dashes"
        )
        _require(0 <= self.svn <= MAX_SVN, f"an SVN is from 0 to {MAX_SVN}")
        _require(self.memory_bytes > 0 and self.threads > 0, "an app needs memory")
        _require(
            self.processes >= 0 <= self.cpu_seconds, "a limit is not a negative number"
        )
        paths = [entry.path for entry in self.files]
        _require(paths == sorted(set(paths)), "files are sorted and named once")
        names = [entry.name for entry in self.entry_points]
        _require(len(set(names)) == len(names), "two entry points have one name")
        lists = [each.command for each in self.callers]
        _require(lists == sorted(set(lists)), "callers are sorted, a list a command")
        _require(
            self.http in ("", HTTP_COMMANDS) or bool(_FUNCTION.fullmatch(self.http)),
            f"http is {HTTP_COMMANDS}, or an application as module:name",
        )
        _require(
            self.kind == "service" or not (self.http or self.callers),
            "http and callers are for apps of kind service",
        )

    @property
    def measurement(self) -> bytes:
        """The digest that names this app everywhere."""
        return suite(self.suite).digest(_MEASUREMENT_LABEL, self.to_bytes())

    def entry_point(self, name: str) -> EntryPoint | None:
        """Return the entry point called `name`, or None."""
        return next((e for e in self.entry_points if e.name == name), None)


@dataclass(frozen=True)
class Bundle(Record):
    """A bundle as read from a file: nothing is verified until `verify`."""

    TYPE = "strongroom/bundle/v1"

    manifest: Manifest
    signer: PublicKey
    signature: bytes
    content: bytes

    def verify(self) -> "VerifiedBundle":
        """Check that the signer it names signed this manifest (SYS-3).

        Whether that signer is one to trust is not checked here, and the content
        is checked when it is opened.

        Raises:
            Untrusted: unsigned, altered, or signed by another key.
        """
        key = self.signer.verifying()
        signed = cose.Sign1.parse(self.signature).verify(key, _SIGNATURE_TYPE)
        if signed != self.manifest.measurement:
            raise Untrusted.because(
                "bundle.measurement",
                "app provider",
                expected=f"the measured manifest {signed.hex()[:16]}",
                got=self.manifest.measurement.hex()[:16],
                remedy="The manifest was altered; get the original bundle.",
            )
        return VerifiedBundle(self)


@dataclass(frozen=True)
class VerifiedBundle:
    """A bundle whose signature holds; made by `Bundle.verify` only."""

    bundle: Bundle

    @property
    def manifest(self) -> Manifest:
        """What the app is."""
        return self.bundle.manifest

    @property
    def measurement(self) -> bytes:
        """The digest that names the app."""
        return self.bundle.manifest.measurement

    def files(self, code_key: Buffer | None = None) -> dict[str, bytes]:
        """Return the app's files, each checked against the manifest.

        Raises:
            Untrusted: a file is missing, added or altered.
            Tampered: encrypted content does not open under `code_key`.
        """
        content = self.bundle.content
        if self.manifest.encrypted:
            content = self._decrypt(content, code_key)
        files = _file_map(cbor.decode(content))
        rows = suite(self.manifest.suite)
        found = tuple(
            FileEntry(path, len(data), rows.digest(data))
            for path, data in sorted(files.items())
        )
        if found != self.manifest.files:
            raise Untrusted.because(
                "bundle.content",
                "app provider",
                expected="the files of the signed manifest",
                got="other files",
                remedy="The bundle was altered after signing; get the original.",
            )
        return files

    def _decrypt(self, content: bytes, code_key: Buffer | None) -> bytes:
        row = suite(self.manifest.suite)
        if code_key is None:
            raise Untrusted.because(
                "bundle.code-key",
                "app provider",
                expected="the code key of an encrypted bundle",
                got="none",
                remedy="Register the code key with the room that runs this app.",
            )
        nonce, sealed = content[: row.nonce_bytes], content[row.nonce_bytes :]
        return row.aead(code_key).decrypt(nonce, sealed, self.measurement)


def _file_map(value: object) -> dict[str, bytes]:
    """Return the files in a bundle's content; none where it holds something else."""
    rows = value.items() if isinstance(value, dict) else ()
    return {
        path: data
        for path, data in rows
        if isinstance(path, str) and isinstance(data, bytes)
    }


@dataclass(frozen=True)
class CodeKey:
    """A fresh key for one bundle's content, and the nonce it is used with once."""

    key: bytes
    nonce: bytes


def seal_bundle(
    manifest: Manifest,
    files: Mapping[str, bytes],
    signer: SigningKey,
    code_key: CodeKey | None = None,
) -> Bundle:
    """Sign the manifest and pack the files; `Bundle.verify` and `files` undo it.

    Raises:
        Malformed: `manifest.encrypted` and `code_key` do not agree.
    """
    _require(
        manifest.encrypted == (code_key is not None), "a code key goes with encryption"
    )
    content = cbor.encode(dict(files))
    if code_key is not None:
        aead = suite(manifest.suite).aead(code_key.key)
        sealed = aead.encrypt(code_key.nonce, content, manifest.measurement)
        content = code_key.nonce + sealed
    return Bundle(
        manifest=manifest,
        signer=PublicKey(suite=manifest.suite, use="sign", raw=signer.public.raw),
        signature=cose.sign1(signer, _SIGNATURE_TYPE, manifest.measurement),
        content=content,
    )
