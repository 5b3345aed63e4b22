# SPDX-License-Identifier: Apache-2.0
"""Opens sealed inputs into the enclave's memory and seals the result out of it."""

import io
from dataclasses import dataclass

from strongroom.application.cleanroom import Release, ReleasedInput
from strongroom.application.runtime.output import Output
from strongroom.application.runtime.worker import Memory
from strongroom.core.codec.bundle import EntryPoint, Parameter
from strongroom.core.codec.sealed import DatasetHeader
from strongroom.core.crypto import suite
from strongroom.core.rats import EnclaveGate
from strongroom.errors import LimitReached, Malformed, Tampered
from strongroom.services.sealing import SealedFile, seal_file


@dataclass(frozen=True)
class SealedOutput:
    """Where a result went: its id, its length and the key that opens it."""

    dataset: str
    length: int
    key: bytes


def open_inputs(
    release: Release, entry: EntryPoint, fds: tuple[int, ...], memory_bytes: int
) -> tuple[list[object], list[Memory]]:
    """Decrypt every released dataset into memory of this enclave.

    Args:
        release: the keys, and the ids that the files must have.
        entry: the entry point whose parameters the datasets fill.
        fds: one descriptor a dataset, in the release's order, from the host.
        memory_bytes: the enclave's memory; the inputs together may not exceed it.

    Returns:
        The rows that describe the inputs to the worker, and their memory.

    Raises:
        Tampered: a file is not the dataset that was released, or was altered.
        LimitReached: the inputs exceed the memory.
    """
    if len(fds) != len(release.inputs):
        message = f"{len(release.inputs)} datasets were released, {len(fds)} files came"
        raise Malformed(message)
    parameters = {p.name: p for p in entry.parameters if p.is_dataset}
    rows: list[object] = []
    opened: list[Memory] = []
    try:
        for item, fd in zip(release.inputs, fds, strict=True):
            file = _open(item, fd)
            _require_room(sum(m.length for m in opened) + file.length, memory_bytes)
            rows.append(_row(parameters, item.parameter, file.header.media_type))
            memory = Memory.allocate(file.length)
            opened.append(memory)
            with memory.map() as view:
                file.read_into(view)
    except BaseException:
        for memory in opened:
            memory.close()
        raise
    return rows, opened


def _require_room(total_bytes: int, memory_bytes: int) -> None:
    if total_bytes > memory_bytes:
        message = f"the inputs exceed the enclave's memory of {memory_bytes} bytes"
        raise LimitReached(message)


def _open(item: ReleasedInput, fd: int) -> SealedFile:
    file = SealedFile(fd, item.key)
    if file.info.dataset_id != item.dataset:
        raise Tampered.because(
            "input.dataset",
            "data provider",
            expected=f"dataset {item.dataset[:16]}",
            got=f"dataset {file.info.dataset_id[:16]}",
            remedy="The node brought another file; put the original into the store.",
        )
    return file


def _row(
    parameters: dict[str, Parameter], name: str, media_type: str
) -> dict[str, object]:
    parameter = parameters.get(name)
    if parameter is None:
        message = f"the entry point takes no dataset {name}"
        raise Malformed(message)
    return {
        "parameter": name,
        "type": parameter.type,
        "many": parameter.many,
        "media_type": media_type,
    }


def seal_output(
    output: Output, release: Release, fd: int, gate: EnclaveGate
) -> SealedOutput:
    """Seal a result into `fd` under a fresh key."""
    header = DatasetHeader(
        suite="sm" if release.suite == "sm" else "intl",
        name=f"result of task {release.task[:16]}",
        media_type=output.media_type,
        columns=output.columns,
        rows=None,
        owner=release.recipient.id,
        created_at=gate.now(),
    )
    key = gate.random(suite(release.suite).aead_key_bytes)
    info = seal_file(io.BytesIO(output.data), fd, header, key, random=gate.random)
    return SealedOutput(info.dataset_id, info.total_bytes, key)
