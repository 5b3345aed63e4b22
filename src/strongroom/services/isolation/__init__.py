# SPDX-License-Identifier: Apache-2.0
"""Isolated computing (隔离计算): the ordinary side of create, call and destroy."""

from strongroom.services.isolation.enclave import Enclave
from strongroom.services.isolation.isolation import (
    EnclaveStatus,
    Isolation,
    MonitorStatus,
)
from strongroom.services.isolation.launch import MonitorProcess, start_monitor

__all__ = [
    "Enclave",
    "EnclaveStatus",
    "Isolation",
    "MonitorProcess",
    "MonitorStatus",
    "start_monitor",
]
