"""A recording on disk while it runs: one JSON object a line, appended every second.

A process that is killed leaves whole lines, at most the last one torn. `recover` gives back what
was seen until then.

    {"channel": {...}}                                   before its readings, and when more of it is
                                                         known: the last one holds
    {"moves": "gpu:0:energy", "rows": [[earliest_s, latest_s, energy_j, epoch], ...]}
    {"power": "gpu:0:power", "rows": [[time_s, power_w], ...]}
    {"seen": "gpu:0:energy", "time_s": ..., "faults": [...]}
    {"windows": [...]}                                   windows that opened or closed since
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from typing import Any

from profiler.errors import StoreError
from profiler.values.estimate import Basis
from profiler.values.trace import (
    Channel,
    ChannelKind,
    CounterTrace,
    Fault,
    FaultKind,
    PowerTrace,
    Trace,
    Window,
)

from .recorder import Recorder

INTERVAL_S = 1.0
JOURNAL_FILE = "journal.jsonl"


class Journal:
    """Appends what a recorder saw to a file, from a thread of its own.

    A disk that fills up ends the journal, not the recording: `failure` then says why.
    """

    def __init__(self, path: Path, recorder: Recorder) -> None:
        self.failure: str | None = None
        self._path = path
        self._recorder = recorder
        self._written_s: dict[str, float] = {}
        self._channels: dict[str, Channel] = {}
        self._window_count = 0
        self._open_windows: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wattprof-journal", daemon=True)
        self._file: FileIO | None = None

    def start(self) -> Journal:
        """Create the file and begin; raises `StoreError` where it cannot be written."""
        try:
            # Unbuffered: a fork must not find half a line in a buffer, to write it a second time.
            self._file = self._path.open("xb", buffering=0)
        except OSError as error:
            raise StoreError(
                f"the journal {self._path} cannot be created ({error.strerror})",
                hint="name a folder that you may write to with --out",
            ) from error
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads are allowed
            self.failure = str(error)
        return self

    def stop(self) -> None:
        """Write what is left and close the file."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)
        if self._file is not None:
            self.append()
            self._file.close()
            self._file = None

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self.append()

    def append(self) -> None:
        """Write what is new now, without waiting for the next turn."""
        with self._lock:
            self._append()

    def _append(self) -> None:
        if self._file is None or self.failure is not None or self._recorder.forked:
            return
        lines = "".join(json.dumps(entry) + "\n" for entry in self._new_entries()).encode()
        try:
            while lines:
                lines = lines[self._file.write(lines) :]
        except OSError as error:
            self.failure = error.strerror or str(error)

    def _new_entries(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        for trace in self._recorder.traces(self._written_s):
            entries += self._trace_entries(trace)
        changed = self._changed_windows()
        if changed:
            entries.append({"windows": changed})
        return entries

    def _trace_entries(self, trace: Trace) -> list[dict[str, Any]]:
        key = trace.channel.key
        entries: list[dict[str, Any]] = []
        if self._channels.get(key) != trace.channel:
            entries.append({"channel": asdict(trace.channel)})
            self._channels[key] = trace.channel
            self._written_s.setdefault(key, float("-inf"))
        times_s = trace.latest_s if isinstance(trace, CounterTrace) else trace.time_s
        if times_s:
            self._written_s[key] = times_s[-1]
            entries.append(_rows(trace))
        entries.append(
            {
                "seen": key,
                "time_s": trace.last_seen_s,
                "faults": [asdict(fault) for fault in trace.faults],
            }
        )
        return entries

    def _changed_windows(self) -> list[dict[str, Any]]:
        known, still_open = self._window_count, self._open_windows
        changed = []
        for number, window in self._recorder.windows_since(known, still_open).items():
            if number >= known or window.end_s is not None:
                changed.append({"index": number, **asdict(window)})
            if window.end_s is None:
                still_open.add(number)
            else:
                still_open.discard(number)
            self._window_count = max(self._window_count, number + 1)
        return changed


def _rows(trace: Trace) -> dict[str, Any]:
    if isinstance(trace, CounterTrace):
        rows = zip(trace.earliest_s, trace.latest_s, trace.energy_j, trace.epoch, strict=True)
        return {"moves": trace.channel.key, "rows": [list(row) for row in rows]}
    samples = zip(trace.time_s, trace.power_w, strict=True)
    return {"power": trace.channel.key, "rows": [list(row) for row in samples]}


def recover(path: Path | str) -> tuple[tuple[Trace, ...], tuple[Window, ...]]:
    """Traces and windows of a journal, also of one whose last line is torn.

    Raises `StoreError` where the file is no journal at all.
    """
    channels: dict[str, Channel] = {}
    rows: dict[str, list[list[float]]] = {}
    seen: dict[str, dict[str, Any]] = {}
    windows: dict[int, Window] = {}
    for entry in _entries(Path(path)):
        if "channel" in entry:
            channel = _channel(entry["channel"])
            channels[channel.key] = channel
        elif "windows" in entry:
            for fields in entry["windows"]:
                number = fields.pop("index")
                windows[number] = Window(**fields)
        elif "seen" in entry:
            seen[entry["seen"]] = entry
        else:
            key = str(entry.get("moves") or entry.get("power"))
            rows.setdefault(key, []).extend(entry["rows"])
    traces = tuple(
        _trace(channel, rows.get(key, []), seen.get(key, {})) for key, channel in channels.items()
    )
    return traces, tuple(windows[index] for index in sorted(windows))


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise StoreError(f"the journal {path} cannot be read ({error.strerror})") from error
    entries = []
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number == len(lines) - 1:
                break  # the process was killed while it wrote this line
            raise StoreError(f"line {number + 1} of {path} is not a journal entry") from error
    return entries


def _channel(fields: dict[str, Any]) -> Channel:
    kinds = {
        "kind": ChannelKind(fields["kind"]),
        "basis": Basis(fields["basis"]),
        "contains": tuple(fields["contains"]),
    }
    return Channel(**{**fields, **kinds})


def _trace(channel: Channel, rows: list[list[float]], seen: dict[str, Any]) -> Trace:
    faults = tuple(
        Fault(**{**fault, "kind": FaultKind(fault["kind"])}) for fault in seen.get("faults", ())
    )
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    if channel.kind is ChannelKind.POWER:
        return PowerTrace(
            channel=channel,
            time_s=tuple(columns[0]),
            power_w=tuple(columns[1]),
            last_seen_s=seen.get("time_s"),
            faults=faults,
        )
    return CounterTrace(
        channel=channel,
        earliest_s=tuple(columns[0]),
        latest_s=tuple(columns[1]),
        energy_j=tuple(columns[2]),
        epoch=tuple(int(epoch) for epoch in columns[3]),
        last_seen_s=seen.get("time_s"),
        faults=faults,
    )


def last_instant_s(traces: Sequence[Trace], windows: Sequence[Window]) -> float:
    """The last instant that a journal knows of."""
    seen_s = [trace.last_seen_s for trace in traces if trace.last_seen_s is not None]
    edges_s = [window.end_s or window.start_s for window in windows]
    return max([*seen_s, *edges_s], default=0.0)
