from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from profiler.errors import StoreError
from profiler.meters.synthetic import SyntheticMeter
from profiler.recording.journal import Journal, last_instant_s, recover
from profiler.recording.recorder import Recorder
from profiler.recording.recording import Recording
from profiler.values.trace import CounterTrace, PowerTrace


def opened(**options: object) -> list:
    meter = SyntheticMeter([(1.0, 100.0)], update_period_s=0.02, with_power=True, **options)  # type: ignore[arg-type]  # its own options
    return [(meter, meter.open())]


def test_a_journal_gives_back_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    recording = Recording(opened(), journal=path).start()
    with recording.window("a"), recording.window("b"):
        time.sleep(0.3)
    recording.begin("open")
    recording.stop()
    traces, windows = recover(path)
    assert windows == recording.windows
    assert traces == recording.traces
    assert isinstance(traces[0], CounterTrace)
    assert isinstance(traces[1], PowerTrace)
    assert last_instant_s(traces, windows) >= windows[-1].start_s


def test_what_is_written_grows_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler.recording.journal.INTERVAL_S", 0.05)
    path = tmp_path / "journal.jsonl"
    recording = Recording(opened(), journal=path).start()
    recording.begin("long")
    for _ in range(5):
        with recording.window("step"):
            time.sleep(0.06)
    lines = path.read_text().splitlines()
    rows = [tuple(row) for line in lines for row in json.loads(line).get("rows", ())]
    assert len(lines) > 6
    assert len(rows) == len(set(rows))
    early_traces, early_windows = recover(path)
    assert early_windows[0].end_s is None
    recording.stop()
    traces, windows = recover(path)
    assert windows == recording.windows
    assert len(traces[0].energy_j) > len(early_traces[0].energy_j)  # type: ignore[union-attr]  # a counter


def test_a_torn_last_line_loses_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Recording(opened(), journal=path) as recording, recording.window("a"):
        time.sleep(0.1)
    path.write_text(path.read_text() + '{"moves": "synthetic:0:energy", "ro')
    assert recover(path)[1] == recording.windows


def test_a_torn_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"windows": []}\n{"moves"\n{"windows": []}\n')
    with pytest.raises(StoreError, match="line 2"):
        recover(path)


def test_a_missing_journal_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        recover(tmp_path / "none.jsonl")


def test_a_journal_that_cannot_be_created_stops_the_recording_again(tmp_path: Path) -> None:
    recording = Recording(opened(), journal=tmp_path / "no" / "folder.jsonl")
    with pytest.raises(StoreError, match="cannot be created"):
        recording.start()


def test_a_full_disk_ends_the_journal_and_not_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler.recording.journal.INTERVAL_S", 0.02)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "journal.jsonl"
    opens = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *rest, **more: opens(full, "wb", buffering=0)
        if self == path else opens(self, *rest, **more),
    )  # fmt: skip
    with Recording(opened(), journal=path) as recording, recording.window("a"):
        time.sleep(0.3)
    assert recording["a"].energy_j is not None
    ended = [f for f in recording.findings if f.kind == "journal-ended"]
    assert os.strerror(errno.ENOSPC) in ended[0].observed


def test_a_forked_child_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    recorder = Recorder(opened()).start()
    journal = Journal(path, recorder).start()
    child = os.fork()
    if child == 0:
        journal.stop()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert path.read_text() == ""
    recorder.stop()
    journal.stop()
    assert recover(path)[0] == recorder.traces()
