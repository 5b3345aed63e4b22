# SPDX-License-Identifier: Apache-2.0
"""Typed arguments: bytes of a dataset to a table, values of a request checked."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from strongroom.core.codec.bundle import Parameter
from strongroom.errors import Malformed

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "json": (dict, list, str, int, float, bool, type(None)),
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def check_values(
    parameters: tuple[Parameter, ...], values: object
) -> dict[str, object]:
    """Return the request's arguments if they are exactly the declared ones.

    Raises:
        Malformed: names the parameter that is missing, unknown or of another type.
    """
    declared = {p.name: p.type for p in parameters if not p.is_dataset}
    if not isinstance(values, Mapping) or set(values) != set(declared):
        names = ", ".join(declared) or "none"
        message = f"the request's values are not the declared ones: {names}"
        raise Malformed(message)
    for name, kind in declared.items():
        if type(values[name]) not in _PYTHON_TYPES[kind]:
            message = f"the value {name} is not of type {kind}"
            raise Malformed(message)
    return dict(values)


def start_readers() -> None:
    """Start Arrow's two threads by which the runtime reads tables: compute and input.

    The monitor leaves room for both; started before the app runs, they take none of
    the threads that it declares. A third, for signals, has no use here.
    """
    pa.enable_signal_handlers(False)
    pa_csv.read_csv(pa.BufferReader(b"a\n1\n"))


def read_table(media_type: str, data: memoryview) -> pa.Table:
    """Return the table in `data`; the buffer must outlive it for Arrow streams.

    Raises:
        Malformed: not of `media_type`, or a type that is no table.
    """
    source = pa.BufferReader(pa.py_buffer(data))
    try:
        if media_type == "text/csv":
            return pa_csv.read_csv(source)
        if media_type == "application/vnd.apache.parquet":
            return pa_parquet.read_table(source)
        if media_type == "application/vnd.apache.arrow.stream":
            return pa.ipc.open_stream(source).read_all()
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"a dataset is not the {media_type} that its description says"
        raise Malformed(message) from error
    message = f"a dataset of type {media_type} cannot be read as a table"
    raise Malformed(message)
