# SPDX-License-Identifier: Apache-2.0
"""What reading a document of another layout raises, whatever the layout was."""

NOT_LAID_OUT: tuple[type[Exception], ...] = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""Of `json`, `tomllib` and dates, and of taking values out of what they give."""
