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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from profiler.errors import StoreError
from profiler.values.codec import FormError, decode
from profiler.values.trace import (
    Channel,
    ChannelKind,
    CounterTrace,
    Fault,
    PowerTrace,
    Trace,
    Window,
)

from .recorder import Recorder

INTERVAL_S = 1.0
JOURNAL_FILE = "journal.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A line of any kind, which has the fields of its own kind alone."""

    channel: Channel | None = None
    moves: str | None = None
    power: str | None = None
    rows: tuple[Any, ...] = ()
    seen: str | None = None
    time_s: float | None = None
    faults: tuple[Fault, ...] = ()
    windows: tuple[Mapping[str, Any], ...] = ()


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
    rows: dict[str, list[Sequence[float]]] = {}
    seen: dict[str, _Entry] = {}
    windows: dict[int, Window] = {}
    for number, line in _lines(Path(path)):
        try:
            entry = decode(line, _Entry)
            for fields in entry.windows:
                windows[decode(fields.get("index"), int, "index")] = decode(fields, Window)
        except FormError as error:
            raise StoreError(f"line {number} of {path} is not a journal entry: {error}") from error
        if entry.channel is not None:
            channels[entry.channel.key] = entry.channel
        if entry.seen is not None:
            seen[entry.seen] = entry
        key = entry.moves or entry.power
        if key is not None:
            rows.setdefault(key, []).extend(entry.rows)
    try:
        traces = tuple(
            _trace(channel, rows.get(key, []), seen.get(key, _Entry()))
            for key, channel in channels.items()
        )
    except (TypeError, ValueError) as error:
        raise StoreError(f"the rows of {path} are not those of its channels: {error}") from error
    return traces, tuple(windows[index] for index in sorted(windows))


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Number and content of each whole line."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"the journal {path} cannot be read ({reason})") from error
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                return  # the process was killed while it wrote this line
            raise StoreError(f"line {number} of {path} is not a journal entry") from error


def _trace(channel: Channel, rows: Sequence[Sequence[float]], seen: _Entry) -> Trace:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    if channel.kind is ChannelKind.POWER:
        time_s, power_w = columns[:2]
        return PowerTrace(
            channel=channel,
            time_s=tuple(map(float, time_s)),
            power_w=tuple(map(float, power_w)),
            last_seen_s=seen.time_s,
            faults=seen.faults,
        )
    earliest_s, latest_s, energy_j, epoch = columns
    return CounterTrace(
        channel=channel,
        earliest_s=tuple(map(float, earliest_s)),
        latest_s=tuple(map(float, latest_s)),
        energy_j=tuple(map(float, energy_j)),
        epoch=tuple(map(int, epoch)),
        last_seen_s=seen.time_s,
        faults=seen.faults,
    )


def last_instant_s(traces: Sequence[Trace], windows: Sequence[Window]) -> float:
    """The last instant that a journal knows of."""
    seen_s = [trace.last_seen_s for trace in traces if trace.last_seen_s is not None]
    edges_s = [window.end_s or window.start_s for window in windows]
    return max([*seen_s, *edges_s], default=0.0)
