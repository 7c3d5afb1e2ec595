"""Raw readings as one Parquet table; what is not a reading rides in the table's metadata."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import Any

from profiler.errors import StoreError
from profiler.values.codec import decode, encode
from profiler.values.trace import CounterTrace, PowerTrace, Trace

TRACE_FILE = "trace.parquet"
_METADATA_KEY = b"wattprof.traces"
_SERIES = {
    CounterTrace: ("earliest_s", "latest_s", "energy_j", "epoch"),
    PowerTrace: ("time_s", "power_w"),
}
_FORMS = {CounterTrace: "counter", PowerTrace: "power"}
_COLUMNS = tuple(name for names in _SERIES.values() for name in names)


def write_traces(traces: tuple[Trace, ...], path: Path) -> None:
    """Write one row a reading: `trace` (index), then the series of its kind, null elsewhere.

    Raises:
        OSError: the file could not be written.
    """
    import pyarrow
    from pyarrow import parquet

    columns: dict[str, list[Any]] = {name: [] for name in ("trace", *_COLUMNS)}
    for index, trace in enumerate(traces):
        series = _SERIES[type(trace)]
        count = len(getattr(trace, series[0]))
        columns["trace"].extend([index] * count)
        for name in _COLUMNS:
            columns[name].extend(getattr(trace, name) if name in series else [None] * count)
    types = {"trace": pyarrow.int32(), "epoch": pyarrow.int32()}
    table = pyarrow.table(
        {
            name: pyarrow.array(values, types.get(name, pyarrow.float64()))
            for name, values in columns.items()
        }
    )
    table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(_heads(traces)).encode()})
    with path.open("wb") as file:  # pyarrow takes no path that is not UTF-8
        parquet.write_table(table, file, compression="zstd")


def read_traces(path: Path) -> tuple[Trace, ...]:
    """The traces that `write_traces` wrote, to the last bit.

    Raises:
        StoreError: the file cannot be read or is not of this form.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with path.open("rb") as file:
            table = parquet.read_table(file)
        heads = json.loads(table.schema.metadata[_METADATA_KEY])
        rows = table.to_pydict()
        spans = _spans(rows, len(heads))
        return tuple(_join(head, rows, span) for head, span in zip(heads, spans, strict=True))
    except (pyarrow.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path} is not a readable trace: {error}",
            hint="the profile beside it is whole: `report` and `compare` do not need the trace",
        ) from error


def _heads(traces: tuple[Trace, ...]) -> list[dict[str, Any]]:
    """All of a trace but its series, and which kind of trace it is."""
    return [
        {
            "form": _FORMS[type(trace)],
            **{
                item.name: encode(getattr(trace, item.name))
                for item in fields(trace)
                if item.name not in _COLUMNS
            },
        }
        for trace in traces
    ]


def _spans(rows: dict[str, list[Any]], count: int) -> list[slice]:
    spans = [slice(0, 0)] * count
    start = 0
    for index, group in groupby(rows["trace"]):
        stop = start + sum(1 for _ in group)
        spans[index] = slice(start, stop)
        start = stop
    return spans


def _join(head: dict[str, Any], rows: dict[str, list[Any]], span: slice) -> Trace:
    kind: type[Trace] = CounterTrace if head.pop("form") == "counter" else PowerTrace
    series = {name: rows[name][span] for name in _SERIES[kind]}
    return decode({**head, **series}, kind)
