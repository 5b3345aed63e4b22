# SPDX-License-Identifier: Apache-2.0
"""The routes of whoever has the machine's files and carries its messages."""

from collections.abc import Callable
from typing import Final

from strongroom.attack import devices, freshness, messages, paths
from strongroom.attack.route import REFUSALS, Known, Route
from strongroom.attack.target import Target
from strongroom.errors import (
    Misconfigured,
    NotFound,
    StrongroomError,
)

_REFUSED = Known("refused")
_OLDER = "sealed data has no age; what must be the newest belongs into storage"
_BROKEN = "it is the same as breaking the chip; a TPM keeps its counters itself"
_SAME_FILE = "a hard link is the file itself, and is its own user's to make"
_Row = tuple[str, Callable[[Target], bool], Known]
_Errors = tuple[type[StrongroomError], ...]


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
            ("sealed data altered", freshness.altered_blob, _REFUSED),
            ("sealed data to another app", freshness.blob_to_another_app, _REFUSED),
            (
                "sealed data on another device",
                freshness.blob_to_another_device,
                _REFUSED,
            ),
            (
                "sealed data to an older version",
                freshness.blob_to_an_older_app,
                _REFUSED,
            ),
            ("older sealed data put back", freshness.older_blob, Known("done", _OLDER)),
        ),
    ),
    *_routes(
        "protected storage",
        (
            ("an object altered", freshness.store_changed(freshness.flipped), _REFUSED),
            (
                "objects exchanged",
                freshness.store_changed(freshness.exchanged),
                _REFUSED,
            ),
            ("an object deleted", freshness.store_changed(freshness.deleted), _REFUSED),
            (
                "an object of yesterday put back",
                freshness.store_changed(freshness.older_content),
                _REFUSED,
            ),
            (
                "a symbolic link to an object of yesterday",
                freshness.store_changed(freshness.linked),
                _REFUSED,
            ),
            (
                "a hard link to an object of yesterday",
                freshness.store_changed(freshness.hard_linked),
                _REFUSED,
            ),
            ("the whole store set back", freshness.store_set_back, _REFUSED),
            ("the whole store emptied", freshness.store_emptied, _REFUSED),
        ),
    ),
    *_routes(
        "device and journal",
        (
            ("device counters set back", devices.counters_set_back, _REFUSED),
            (
                "device counters and store set back together",
                devices.counters_and_store_set_back,
                Known("done", _BROKEN),
            ),
            ("device counters cleared", devices.counters_cleared, _REFUSED),
            ("device counters removed", devices.counters_removed, _REFUSED),
            ("device key by a symbolic link", devices.fuse_linked, _REFUSED),
            ("device key open to others", devices.fuse_open_to_others, _REFUSED),
            ("gate open to others", devices.gate_open_to_others, _REFUSED),
            ("journal set back", devices.journal_set_back, _REFUSED),
            ("journal altered", devices.journal_altered, _REFUSED),
            ("an older version of an app", devices.older_version, _REFUSED),
            ("an older launch policy", devices.older_policy, _REFUSED),
            ("an app of a stranger", devices.strange_signer, _REFUSED),
        ),
        (Misconfigured,),
    ),
    *_routes(
        "channel and reports",
        (
            ("a record repeated", messages.repeated_record, _REFUSED),
            ("a record dropped", messages.dropped_record, _REFUSED),
            ("a record altered", messages.altered_record, _REFUSED),
            ("a record reflected", messages.reflected_record, _REFUSED),
            ("a record of another channel", messages.foreign_record, _REFUSED),
            ("an answer repeated", messages.repeated_answer, _REFUSED),
            ("a handshake repeated", messages.repeated_finish, _REFUSED),
            ("an older offer", messages.older_offer, _REFUSED),
            ("a key of the carrier's in an offer", messages.own_key_in_offer, _REFUSED),
            ("an older report", messages.older_report, _REFUSED),
            ("a report for other data", messages.report_for_other_data, _REFUSED),
            ("a report of another app", messages.report_of_another_app, _REFUSED),
            ("a report on another platform", messages.mixed_report, _REFUSED),
        ),
        (NotFound,),
    ),
    *_routes(
        "names and links",
        (
            ("names that lead out of a bundle", paths.names_in_manifest, _REFUSED),
            ("files that a manifest does not name", paths.names_in_content, _REFUSED),
            ("a symbolic link in an app's folder", paths.link_in_folder, _REFUSED),
            (
                "a linked folder in an app's folder",
                paths.folder_link_in_folder,
                _REFUSED,
            ),
            (
                "a hard link in an app's folder",
                paths.hard_link_in_folder,
                Known("done", _SAME_FILE),
            ),
            ("names that lead out of a store", paths.store_names, _REFUSED),
            ("namespaces that lead out of a store", paths.store_spaces, _REFUSED),
        ),
    ),
)
