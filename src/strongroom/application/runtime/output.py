# SPDX-License-Identifier: Apache-2.0
"""Output rules: what of an app's result may leave the room, and in which bytes.

The app's result arrives as plain bytes from the worker, never as objects. What the
manifest does not name is refused; what the agreement does not name is left out.
JSON is padded to whole kibibytes, so that a ciphertext's length does not tell one
conclusion from another.
"""

import io
import json
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from strongroom.core.codec.bundle import OutputRule
from strongroom.errors import LimitReached, Malformed, Refused

PADDING_BYTES = 1024
MEDIA_TYPES = {
    "json": "application/json",
    "table": "text/csv",
    "bytes": "application/octet-stream",
}


@dataclass(frozen=True)
class Output:
    """A result that the rule lets leave."""

    media_type: str
    columns: tuple[str, ...]
    rows: int | None
    data: bytes


def narrow(measured: OutputRule, agreed: OutputRule) -> OutputRule:
    """Return the agreed rule if it is no wider than the app's measured one.

    Raises:
        Refused: the agreement asks for more than the app declares.
    """
    wider = (
        agreed.type != measured.type
        or not set(agreed.fields) <= set(measured.fields)
        or agreed.max_rows > measured.max_rows
        or agreed.max_bytes > measured.max_bytes
        or agreed.min_group < measured.min_group
        or agreed.group_column != (measured.group_column or agreed.group_column)
    )
    if wider:
        raise Refused.because(
            "output.agreed",
            "app provider",
            expected="an output rule within the app's own",
            got="a wider one",
            remedy="Propose an agreement that asks for no more than the app declares.",
        )
    return agreed


def check_output(
    kind: str, data: bytes, measured: OutputRule, agreed: OutputRule
) -> Output:
    """Return what may leave of an app's result.

    Args:
        kind: what the worker says `data` is: "json", "table" (Arrow stream), "bytes".
        data: the app's result.
        measured: the rule in the app's manifest.
        agreed: the rule of the agreement, within `measured`.

    Raises:
        Refused: the result breaks a rule; the finding names which.
        LimitReached: too many rows or bytes.
        Malformed: not what the worker says it is.
    """
    rule = narrow(measured, agreed)
    if kind != rule.type:
        raise _refused("output.type", f"a result of type {rule.type}", f"type {kind}")
    if kind == "json":
        output = _check_json(data, measured, rule)
    elif kind == "table":
        output = _check_table(data, measured, rule)
    else:
        output = Output(MEDIA_TYPES["bytes"], (), None, data)
    if len(output.data) > rule.max_bytes + PADDING_BYTES:
        message = (
            f"the result has over {rule.max_bytes} bytes, the output rule's max_bytes"
        )
        raise LimitReached(message)
    return output


def _check_json(data: bytes, measured: OutputRule, rule: OutputRule) -> Output:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        message = "the app's result is not JSON"
        raise Malformed(message) from error
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, dict) for row in rows):
        raise _refused("output.fields", "named fields", "values without a name")
    _check_rows(len(rows), rule)
    for row in rows:
        _check_fields(set(row), measured)
        if rule.group_column:
            _check_group(row.get(rule.group_column), rule)
    kept = [{name: row[name] for name in rule.fields if name in row} for row in rows]
    text = json.dumps(kept if isinstance(value, list) else kept[0], ensure_ascii=False)
    try:
        body = text.encode()
    except UnicodeEncodeError as error:
        message = "the app's result holds half a character (a lone surrogate)"
        raise Malformed(message) from error
    body += b" " * (-len(body) % PADDING_BYTES)
    return Output(MEDIA_TYPES["json"], rule.fields, len(rows), body)


def _check_table(data: bytes, measured: OutputRule, rule: OutputRule) -> Output:
    try:
        table = pa.ipc.open_stream(data).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        message = "the app's result is not a table"
        raise Malformed(message) from error
    if len(set(table.column_names)) != table.num_columns:
        message = "the app's result has two columns of one name"
        raise Malformed(message)
    _check_rows(table.num_rows, rule)
    _check_fields(set(table.column_names), measured)
    if rule.group_column and table.num_rows:
        if rule.group_column not in table.column_names:
            _check_group(None, rule)
        _check_groups(table[rule.group_column], rule)
    kept = table.select([name for name in rule.fields if name in table.column_names])
    columns = tuple(kept.column_names)
    return Output(MEDIA_TYPES["table"], columns, kept.num_rows, _csv(kept))


def _csv(table: pa.Table) -> bytes:
    body = io.BytesIO()
    try:
        pa_csv.write_csv(table, body)
    except pa.ArrowException as error:
        message = "the app's result has a column that CSV cannot hold"
        raise Malformed(message) from error
    return body.getvalue()


def _check_fields(found: set[str], measured: OutputRule) -> None:
    extra = sorted(found - set(measured.fields))
    if extra:
        raise _refused(
            "output.fields",
            f"only {', '.join(measured.fields)}",
            f"{len(extra)} field(s) that the app's manifest does not declare",
        )


def _check_rows(rows: int, rule: OutputRule) -> None:
    if rows > rule.max_rows:
        message = (
            f"the result has over {rule.max_rows} rows, the output rule's max_rows"
        )
        raise LimitReached(message)


def _check_groups(groups: pa.ChunkedArray, rule: OutputRule) -> None:
    """Hold every value of a group column; a null or NaN is no group that is enough."""
    try:
        enough = pc.all(pc.greater_equal(groups, rule.min_group), skip_nulls=False)
        smallest = rule.min_group if enough.as_py() is True else None
    except pa.ArrowException:
        smallest = None
    _check_group(smallest, rule)


def _check_group(smallest: object, rule: OutputRule) -> None:
    if type(smallest) not in (int, float) or not smallest >= rule.min_group:  # type: ignore[operator]
        raise _refused(
            "output.min-group",
            f"groups of at least {rule.min_group} in {rule.group_column}",
            "a smaller group",
        )


def _refused(rule: str, expected: str, got: str) -> Refused:
    return Refused.because(
        rule,
        "app manifest and agreement",
        expected=expected,
        got=got,
        remedy="Change the app so that its result keeps to its output rule.",
    )
