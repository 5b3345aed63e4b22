# SPDX-License-Identifier: Apache-2.0
"""The routes of whoever has the machine's files and carries its messages."""

from collections.abc import Callable
from typing import Final

from strongroom.attack import devices, freshness, kept, messages, paths
from strongroom.attack.route import REFUSALS, Known, Route
from strongroom.attack.target import Target
from strongroom.errors import (
    Misconfigured,
    NotFound,
    StrongroomError,
)

_OLDER = "sealed data has no age; what must be the newest belongs into storage"
_BROKEN = "it is the same as breaking the chip; a TPM keeps its counters itself"
_SAME_FILE = "a hard link is the file itself, and is its own user's to make"
_Row = tuple[str, Callable[[Target], bool], Known]
_Errors = tuple[type[StrongroomError], ...]


def _by(rule: str) -> Known:
    """Return the end of an attack that a rule of ours refuses, named by its id."""
    return Known("refused", by=rule)


def _routes(
    family: str, rows: tuple[_Row, ...], more: _Errors = ()
) -> tuple[Route, ...]:
    return tuple(
        Route(
            name=name,
            family=family,
            attempt=attempt,
            known={"host": ends},
            grade="SIM",
            gain="done",
            miss="no effect",
            refusals=(*REFUSALS, *more),
        )
        for name, attempt, ends in rows
    )


HOST: Final[tuple[Route, ...]] = (
    *_routes(
        "sealed data",
        (
            ("sealed data altered", freshness.altered_blob, _by("seal.data")),
            (
                "sealed data to another app",
                freshness.blob_to_another_app,
                _by("seal.measurement"),
            ),
            (
                "sealed data on another device",
                freshness.blob_to_another_device,
                _by("seal.device"),
            ),
            (
                "sealed data to an older version",
                freshness.blob_to_an_older_app,
                _by("seal.svn"),
            ),
            (
                "sealed data by an approval of another upgrade",
                kept.other_approval,
                _by("seal.measurement"),
            ),
            ("older sealed data put back", freshness.older_blob, Known("done", _OLDER)),
        ),
    ),
    *_routes(
        "protected storage",
        (
            (
                "an object altered",
                freshness.store_changed(freshness.flipped),
                _by("storage.altered"),
            ),
            (
                "objects exchanged",
                freshness.store_changed(freshness.exchanged),
                _by("storage.swapped"),
            ),
            (
                "an object deleted",
                freshness.store_changed(freshness.deleted),
                _by("storage.missing"),
            ),
            (
                "an object of yesterday put back",
                freshness.store_changed(freshness.older_content),
                _by("storage."),
            ),
            (
                "a symbolic link to an object of yesterday",
                freshness.store_changed(freshness.linked),
                _by("storage."),
            ),
            (
                "a hard link to an object of yesterday",
                freshness.store_changed(freshness.hard_linked),
                _by("storage."),
            ),
            (
                "the whole store set back",
                freshness.store_set_back,
                _by("storage.rollback"),
            ),
            (
                "the whole store emptied",
                freshness.store_emptied,
                _by("storage.rollback"),
            ),
        ),
    ),
    *_routes(
        "datasets, key rings and logs",
        (
            ("a sealed dataset altered", kept.dataset_altered, _by("floe.segment")),
            ("a sealed dataset cut short", kept.dataset_cut, _by("floe.")),
            (
                "a shredded key by the key ring of yesterday",
                kept.shredded_key,
                _by("storage.rollback"),
            ),
            ("a gate's log altered", kept.log_altered, _by("audit.entry")),
            ("a boot taken out of a gate's log", kept.log_cut, _by("audit.segment")),
            (
                "a gate's journal altered while it is down",
                kept.journal_of_log_altered,
                _by("audit.journal"),
            ),
        ),
    ),
    *_routes(
        "device and journal",
        (
            ("device counters set back", devices.counters_set_back, _by("storage.")),
            (
                "device counters and store set back together",
                devices.counters_and_store_set_back,
                Known("done", _BROKEN),
            ),
            ("device counters cleared", devices.counters_cleared, _by("device.file")),
            ("device counters removed", devices.counters_removed, _by("device.file")),
            (
                "device key by a symbolic link",
                devices.fuse_linked,
                _by("closed to others"),
            ),
            (
                "device key open to others",
                devices.fuse_open_to_others,
                _by("closed to others"),
            ),
            (
                "gate open to others",
                devices.gate_open_to_others,
                _by("this user's alone"),
            ),
            ("journal set back", devices.journal_set_back, _by("journal.rollback")),
            ("journal altered", devices.journal_altered, _by("journal.rollback")),
            ("an older version of an app", devices.older_version, _by("bundle.svn")),
            ("an older launch policy", devices.older_policy, _by("launch.version")),
            ("an app of a stranger", devices.strange_signer, _by("bundle.signer")),
        ),
        (Misconfigured,),
    ),
    *_routes(
        "channel and reports",
        (
            ("a record repeated", messages.repeated_record, _by("channel.record")),
            ("a record dropped", messages.dropped_record, _by("channel.record")),
            ("a record altered", messages.altered_record, _by("channel.record")),
            ("a record reflected", messages.reflected_record, _by("channel.record")),
            (
                "a record of another channel",
                messages.foreign_record,
                _by("channel.record"),
            ),
            ("an answer repeated", messages.repeated_answer, _by("channel.record")),
            ("a handshake repeated", messages.repeated_finish, _by("no offer waits")),
            ("an older offer", messages.older_offer, _by("app.nonce")),
            (
                "a key of the carrier's in an offer",
                messages.own_key_in_offer,
                _by("app.user_data"),
            ),
            ("an older report", messages.older_report, _by("app.nonce")),
            (
                "a report for other data",
                messages.report_for_other_data,
                _by("app.user_data"),
            ),
            (
                "a report of another app",
                messages.report_of_another_app,
                _by("app.measurement"),
            ),
            (
                "a report on another platform",
                messages.mixed_report,
                _by("app.signature"),
            ),
        ),
        (NotFound,),
    ),
    *_routes(
        "names and links",
        (
            (
                "names that lead out of a bundle",
                paths.names_in_manifest,
                _by("plain relative path"),
            ),
            (
                "files that a manifest does not name",
                paths.names_in_content,
                _by("plain relative path"),
            ),
            (
                "a symbolic link in an app's folder",
                paths.link_in_folder,
                _by("plain files and folders"),
            ),
            (
                "a linked folder in an app's folder",
                paths.folder_link_in_folder,
                _by("plain files and folders"),
            ),
            (
                "a hard link in an app's folder",
                paths.hard_link_in_folder,
                Known("done", _SAME_FILE),
            ),
            (
                "names that lead out of a store",
                paths.store_names,
                _by("a name in a store"),
            ),
            (
                "namespaces that lead out of a store",
                paths.store_spaces,
                _by("a namespace is named"),
            ),
        ),
    ),
)
