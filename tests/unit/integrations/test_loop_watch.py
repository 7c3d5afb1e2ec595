from __future__ import annotations

import threading
from types import CodeType

import pytest

from profiler.integrations import loop_watch as watch
from profiler.integrations.loop_watch import LoopWatch, calling_loop

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def _poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.01)


def loop(left: threading.Event, *, fails: bool) -> LoopWatch:
    def own_code() -> CodeType | None:
        return calling_loop()

    found = own_code()
    assert found is own_code.__code__
    watcher = LoopWatch(loop.__code__, left.set).start()
    assert not left.wait(0.1)
    if fails:
        raise ValueError("mine")
    watcher.stop()
    return watcher


def test_a_loop_left_by_an_exception_is_noticed() -> None:
    left = threading.Event()
    with pytest.raises(ValueError, match="mine"):
        loop(left, fails=True)
    assert left.wait(PATIENCE_S)


def test_a_loop_that_ended_by_itself_is_not_called_left() -> None:
    left = threading.Event()
    loop(left, fails=False)
    assert not left.wait(0.1)


def test_without_a_loop_nothing_is_watched() -> None:
    left = threading.Event()
    LoopWatch(None, left.set).start().stop()
    assert not left.is_set()
