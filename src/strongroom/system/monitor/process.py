# SPDX-License-Identifier: Apache-2.0
"""The monitor's process: hardened, measured, ready, and gone without a trace.

The one place of this room that knows devices, by name, and reads the clock.
"""

import argparse
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from strongroom.core.codec.keys import PublicKey
from strongroom.core.crypto import SecretBuffer, VerifyingKey, suite
from strongroom.core.rats import LOCKS, Evidence
from strongroom.errors import Misconfigured
from strongroom.system.monitor.admission import Admission
from strongroom.system.monitor.birth import Device, Trunk
from strongroom.system.monitor.create import Locks
from strongroom.system.monitor.events import EventLog
from strongroom.system.monitor.measure import BootConfig, measure_boot
from strongroom.system.monitor.monitor import Monitor
from strongroom.system.monitor.respawn import MeasuredTemplate
from strongroom.system.monitor.sandbox import probe
from strongroom.system.monitor.sandbox.syscalls import PR_SET_DUMPABLE, prctl
from strongroom.system.monitor.segments import Segments, Writer
from strongroom.system.monitor.serve import GateServer, listen

DEVICES = {
    "simulated": "strongroom.hardware.simulated.device:SimulatedDevice",
    "tpm2": "strongroom.hardware.tpm2.device:TpmDevice",
}
"""Where each kind of root of trust is; this floor knows their names only."""

_ADMINISTRATOR_BYTES = 64 << 10
_NONCE_BYTES = 32
_LOG_PURPOSE = "log"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; `--help` explains them."""
    parser = argparse.ArgumentParser(prog="python -m strongroom.system.monitor")
    option = parser.add_argument
    option("--device", type=Path, required=True, help="the device's folder")
    option("--kind", choices=DEVICES, default="simulated", help="of the device")
    option("--socket", type=Path, required=True, help="where the gate opens")
    option("--administrator", type=Path, required=True, help="a PublicKey record")
    option("--program", required=True, help="module with main(gate, bundle)")
    option("--preload", default="", help="modules, separated by commas")
    option("--allow-missing", action="append", default=[], choices=LOCKS)
    option("--log", type=Path, help="folder for the log of gate commands")
    option("--ready-fd", type=int, default=-1, help="gets a 1 when the gate is open")
    option("--lifeline", action="store_true", help="end when stdin is closed")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Boot, serve until SIGTERM or the end of the lifeline, and leave nothing behind.

    1. Harden this process.
    2. Ask which locks this machine has.
    3. Start the template, while this process holds no secret yet.
    4. Power the device on and measure all of it into the registers (BOOT a).
    5. Make the monitor key in secret memory; attest it once, so that a device that
       binds the key of its boot does so before anybody else can ask for it.
    6. Open the gate.

    Raises:
        StrongroomError: why it cannot serve.
    """
    _harden()
    waived = tuple(sorted(set(options.allow_missing)))
    missing = {name: how for name, how in probe().items() if how is not None}
    administrator = _administrator(options.administrator)
    preload = tuple(filter(None, options.preload.split(",")))
    config = BootConfig(administrator, options.program, preload, waived)
    with ExitStack() as stack:
        template = MeasuredTemplate(options.program, preload, waived)
        stack.callback(template.close)
        device = _power_on(options.kind, options.device)
        stack.callback(device.close)
        _require_suite(device, administrator)
        measured = measure_boot(device, config, template.modules)
        template.pin(device.suite_id, measured)
        trunk = _trunk(stack, device, options.log)
        admission = Admission(device, trunk.lock, administrator)
        monitor = Monitor(trunk, admission, template, Locks(missing, waived))
        stack.callback(monitor.close)
        listener = stack.enter_context(listen(options.socket))
        stack.callback(options.socket.unlink, missing_ok=True)
        _end_on_signal(stack, listener, lifeline=options.lifeline)
        _tell_ready(options.ready_fd)
        GateServer(monitor, listener, trunk.log, _clock).run()


def _harden() -> None:
    """Let nobody look in: no core dump, not dumpable, files for their owner only."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl(PR_SET_DUMPABLE, 0)
    os.umask(0o077)


def _administrator(path: Path) -> VerifyingKey:
    try:
        with path.open("rb") as file:
            data = file.read(_ADMINISTRATOR_BYTES)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Misconfigured(message) from error
    return PublicKey.from_bytes(data).verifying()


def _power_on(kind: str, folder: Path) -> Device:
    module, _, name = DEVICES[kind].partition(":")
    device: Device = getattr(import_module(module), name).open(folder)
    return device


def _require_suite(device: Device, administrator: VerifyingKey) -> None:
    if device.suite_id != administrator.suite_id:
        message = (
            f"the device is of suite {device.suite_id}, the administrator's key of "
            f"{administrator.suite_id}: a deployment has one suite"
        )
        raise Misconfigured(message)


def _trunk(stack: ExitStack, device: Device, folder: Path | None) -> Trunk:
    """Make the monitor key of this boot; its seed never leaves secret memory."""
    row = suite(device.suite_id)
    seed = stack.enter_context(SecretBuffer(row.sign_seed_bytes))
    device.fill(seed)
    key = row.signing_key(seed.view, transient=True)
    evidence = device.attest(
        nonce=device.random(_NONCE_BYTES), monitor_key=key.public, now=_clock()
    )
    log = EventLog()
    if folder is not None:
        mac_key = stack.enter_context(device.derive(_LOG_PURPOSE, b"gate"))
        shown = Evidence(device.kind, evidence, b"")
        writer = Writer(key, mac_key.view, device.device_id, shown, _clock)
        log = EventLog(Segments(folder, writer))
    stack.callback(log.close)
    return Trunk(device, key, _clock, log)


def _clock() -> int:
    return int(time.time())


def _end_on_signal(
    stack: ExitStack, listener: socket.socket, *, lifeline: bool
) -> None:
    """Let SIGTERM, SIGINT and the end of stdin stop the server.

    Python runs a handler between two instructions, so one that comes just before
    `accept` enters the kernel would wait for a connection. The interpreter's wakeup
    descriptor is written at once, and a thread of its own reads it.
    """
    told, tell = map(stack.enter_context, socket.socketpair())
    tell.setblocking(False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(tell.fileno())
    stack.callback(signal.set_wakeup_fd, -1)

    def end() -> None:
        if told.recv(1):
            listener.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=end, daemon=True).start()
    if lifeline:
        threading.Thread(target=_watch_lifeline, daemon=True).start()


def _watch_lifeline() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _tell_ready(fd: int) -> None:
    if fd >= 0:
        os.write(fd, b"1")
        os.close(fd)
