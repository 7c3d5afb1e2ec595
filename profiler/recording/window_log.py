"""The windows that a caller opens and closes, in bounded memory, found by name and by time."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from profiler.errors import UsageError
from profiler.values.trace import Window

WINDOW_CAPACITY = 200_000


@dataclass(slots=True)
class _OpenWindow:
    """A window that is still growing."""

    number: int
    name: str
    start_s: float
    thread_id: int
    end_s: float | None = None
    iteration_count: int | None = None
    item_count: int | None = None
    _frozen: Window | None = None

    def frozen(self) -> Window:
        if self._frozen is not None and self._frozen.end_s is not None:
            return self._frozen
        self._frozen = Window(
            name=self.name,
            start_s=self.start_s,
            end_s=self.end_s,
            iteration_count=self.iteration_count,
            item_count=self.item_count,
        )
        return self._frozen


class WindowLog:
    """All windows of a recording, by number in the order in which they were opened."""

    def __init__(self) -> None:
        self.dropped_count = 0
        self._spans: dict[int, _OpenWindow] = {}
        self._open: dict[str, list[_OpenWindow]] = {}
        self._numbers: dict[str, list[int]] = {}
        self._edges_s = array("d")  # rising, with the number of the window of each
        self._edge_numbers = array("l")
        self._opened_count = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._spans)

    def begin(self, name: str, start_s: float) -> None:
        """Open a window."""
        with self._lock:
            number = self._opened_count
            self._spans[number] = span = _OpenWindow(number, name, start_s, threading.get_ident())
            self._numbers.setdefault(name, []).append(number)
            self._note_edge(start_s, number)
            self._opened_count += 1
            self._open.setdefault(name, []).append(span)
            if len(self._spans) > WINDOW_CAPACITY:
                self._forget()

    def end(
        self, name: str, end_s: float, iteration_count: int | None, item_count: int | None
    ) -> None:
        """Close the window of that name that this thread, or else any thread, opened last."""
        thread_id = threading.get_ident()
        with self._lock:
            spans = self._open.get(name)
            if not spans:
                raise UsageError(
                    f"no window named {name!r} is open", hint=f'open it with begin("{name}")'
                )
            own = [index for index, span in enumerate(spans) if span.thread_id == thread_id]
            span = spans.pop(own[-1] if own else -1)
            if not spans:
                del self._open[name]
            span.iteration_count = iteration_count
            span.item_count = item_count
            self._close(span, end_s)

    def close_all(self, end_s: float) -> None:
        """Close what is still open."""
        with self._lock:
            for spans in self._open.values():
                for span in spans:
                    self._close(span, end_s)
            self._open.clear()

    def _close(self, span: _OpenWindow, end_s: float) -> None:
        self._note_edge(end_s, span.number)
        span.end_s = end_s  # last: whoever reads a window that has ended may keep it

    def _note_edge(self, edge_s: float, number: int) -> None:
        place = bisect_right(self._edges_s, edge_s)  # at the end, save for windows named late
        self._edges_s.insert(place, edge_s)
        self._edge_numbers.insert(place, number)

    def all(self) -> tuple[Window, ...]:
        """All windows so far."""
        with self._lock:
            spans = list(self._spans.values())
        return tuple(span.frozen() for span in spans)

    def named(self, name: str) -> tuple[Window, ...]:
        """Those of one name; `KeyError` without any."""
        with self._lock:
            spans = [self._spans[number] for number in self._numbers[name]]
        return tuple(span.frozen() for span in spans)

    def since(self, count: int, among: Iterable[int]) -> dict[int, Window]:
        """By their number, windows opened after the first `count`, and those of `among`."""
        with self._lock:
            fresh = range(count, self._opened_count)
            spans = {n: self._spans[n] for n in (*among, *fresh) if n in self._spans}
        return {number: span.frozen() for number, span in spans.items()}

    def beside(self, targets: Iterable[Window], margin_s: float) -> tuple[Window, ...]:
        """Windows that begin or end within so many seconds of an edge of a target."""
        edges_s = sorted(e for w in targets for e in (w.start_s, w.end_s) if e is not None)
        with self._lock:
            found: set[int] = set()
            last = 0
            for edge_s in edges_s:
                first = max(last, bisect_left(self._edges_s, edge_s - margin_s))
                last = max(last, bisect_right(self._edges_s, edge_s + margin_s))
                found.update(self._edge_numbers[first:last])
            spans = [self._spans[number] for number in sorted(found)]
        return tuple(span.frozen() for span in spans)

    def edges_s(self) -> Sequence[float]:
        """All instants at which a window began or ended, rising."""
        with self._lock:
            return self._edges_s.tolist()

    def renew_lock(self) -> None:
        """In a fork: the thread that held the lock is not there to give it back."""
        self._lock = threading.Lock()

    def _forget(self) -> None:
        """Drop a quarter of the closed windows: of names used most often, and the oldest first.

        So a window in every step of a run of days does not fill the memory, nor drive out the few
        windows around its epochs.
        """
        newer: Counter[str] = Counter()
        ranked: list[tuple[int, int]] = []
        for number, span in reversed(self._spans.items()):
            newer[span.name] += 1
            if span.end_s is not None:
                ranked.append((-newer[span.name], number))
        dropped = sorted(ranked)[: WINDOW_CAPACITY // 4]
        for _, number in dropped:
            del self._spans[number]
        kept = [place for place, n in enumerate(self._edge_numbers) if n in self._spans]
        self._edges_s = array("d", [self._edges_s[place] for place in kept])
        self._edge_numbers = array("l", [self._edge_numbers[place] for place in kept])
        self._numbers = {}
        for number, span in self._spans.items():
            self._numbers.setdefault(span.name, []).append(number)
        self.dropped_count += len(dropped)
