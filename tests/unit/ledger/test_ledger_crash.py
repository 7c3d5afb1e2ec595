"""Ledgers of processes that were killed, of disks that were full, and of files that were torn."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from profiler.errors import StoreError
from profiler.ledger import Phase, read_ledger
from profiler.ledger.ledger_file import LedgerFile, read_lines
from profiler.ledger.lines import Note
from tests.virtual.ledger import VirtualLedger, virtual_ledger

STEADY_W = 200.0


def begun(folder: Path, *, epochs: int = 4, settled_after: int = 2) -> VirtualLedger:
    """A run at 200 W: epochs of 3 s, settled after the second, in the middle of another one."""
    ledger = virtual_ledger(folder, {"gpu:0": [(1.0, STEADY_W)]}, epochs=8).start()
    for epoch in range(1, epochs + 1):
        with ledger.phase(Phase.TRAIN, epoch) as tally:
            ledger.sleep(2.0)
            tally.item_count = 100
        with ledger.phase(Phase.EVALUATE, epoch):
            ledger.sleep(1.0)
        ledger.note_epoch(epoch, accuracy=0.2 * epoch)
        if epoch == settled_after:
            ledger.settle(force=True)
    return ledger


def killed(folder: Path, last_words_s: float = 0.5) -> float:
    """Kill a run in its fifth epoch, half a second after its journal was written; its seconds."""
    ledger = begun(folder)
    phase = ledger.phase(Phase.TRAIN, 5)
    phase.__enter__()
    ledger.sleep(1.0)
    ledger.journal_now()
    seconds = ledger.clock.now_s() - (ledger.recorder.started_s or 0.0)
    ledger.sleep(last_words_s)
    ledger.die()
    return seconds


def test_a_killed_run_misses_only_what_came_after_its_last_reading(tmp_path: Path) -> None:
    seconds = killed(tmp_path)
    found = read_ledger(tmp_path)
    (segment,) = found.segments
    assert segment.ended == "killed"
    assert segment.duration_s == pytest.approx(seconds, abs=0.11)
    assert segment.energy_j is not None
    assert segment.energy_j.point == pytest.approx(STEADY_W * seconds, rel=0.02)
    partial = [entry for entry in found.entries if entry.epoch == 5]
    assert [entry.phase for entry in partial] == [Phase.TRAIN]
    assert partial[0].energy_j is not None
    assert partial[0].energy_j.point == pytest.approx(STEADY_W * 1.0, rel=0.1)
    kinds = {finding.kind for finding in found.findings}
    assert {"segment-killed", "images-not-counted"} <= kinds


def test_nothing_is_counted_twice_when_ledger_and_journal_are_joined(tmp_path: Path) -> None:
    killed(tmp_path)
    found = read_ledger(tmp_path)
    names = [(entry.epoch, entry.phase) for entry in found.entries]
    assert len(names) == len(set(names)) == 9
    assert sum(entry.duration_s for entry in found.entries) == pytest.approx(found.duration_s)
    parts_j = sum(energy_j.point for energy_j in found.by_phase.values() if energy_j is not None)
    assert found.energy_j is not None
    assert parts_j == pytest.approx(found.energy_j.point, rel=0.01)


def test_what_is_settled_is_not_inferred_again(tmp_path: Path) -> None:
    killed(tmp_path)
    settled = read_lines(tmp_path / "ledger.jsonl")
    found = read_ledger(tmp_path)
    entries = [entry for record in settled for entry in getattr(record, "entries", ())]
    assert len(entries) >= 3
    for entry in entries:
        if entry.epoch == 1:
            assert entry in found.entries


def test_a_resumed_run_goes_on_in_the_same_ledger(tmp_path: Path) -> None:
    seconds = killed(tmp_path)
    again = virtual_ledger(tmp_path, {"gpu:0": [(1.0, 100.0)]}, epochs=8).start()
    for epoch in (5, 6):
        with again.phase(Phase.TRAIN, epoch) as tally:
            again.sleep(4.0)
            tally.item_count = 100
        again.note_epoch(epoch, accuracy=0.2 * epoch)
    again.stop("target")
    found = read_ledger(tmp_path)
    assert [(s.number, s.ended) for s in found.segments] == [(0, "killed"), (1, "target")]
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(STEADY_W * seconds + 100 * 8.0, rel=0.02)
    assert [note.epoch for note in found.epochs] == [1, 2, 3, 4, 5, 6]
    assert found.repeated_j is not None
    assert found.repeated_j.point == pytest.approx(STEADY_W * 1.0, rel=0.1)
    assert found.joules_per_epoch is not None
    assert found.joules_per_epoch.point == pytest.approx((4 * 600 + 2 * 400) / 6, rel=0.02)
    reached_j = found.joules_to(1.0)
    assert reached_j is not None
    assert reached_j.point == pytest.approx(STEADY_W * seconds + 400, rel=0.02)


def test_a_run_that_is_still_alive_is_not_called_killed(tmp_path: Path) -> None:
    ledger = begun(tmp_path)
    ledger.journal_now()
    found = read_ledger(tmp_path)
    assert found.segments[0].ended == "running"
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(STEADY_W * 12, rel=0.02)
    ledger.stop()


def test_a_process_killed_before_its_first_reading_costs_nothing_that_is_known(
    tmp_path: Path,
) -> None:
    ledger = virtual_ledger(tmp_path).start()
    ledger.die()
    found = read_ledger(tmp_path)
    assert found.energy_j is None
    assert found.duration_s == 0.0
    assert found.entries == ()


def test_every_cut_through_both_files_can_be_read(tmp_path: Path) -> None:
    """Whatever byte a process dies at, whole lines before it count and nothing is an error."""
    source = tmp_path / "source"
    killed(source)
    known_j = read_ledger(source).energy_j
    assert known_j is not None
    ledger = (source / "ledger.jsonl").read_bytes()
    journal = (source / "journal-0.jsonl").read_bytes()
    start = ledger.index(b"\n") + 1
    for share in (0.0, 0.35, 0.62, 0.999):
        folder = tmp_path / f"cut-{share}"
        shutil.copytree(source, folder)
        at = start + int(share * (len(ledger) - start))
        (folder / "ledger.jsonl").write_bytes(ledger[:at])
        found = read_ledger(folder)
        assert found.energy_j is not None
        assert found.energy_j.point == pytest.approx(known_j.point, rel=1e-6)
        (folder / "journal-0.jsonl").write_bytes(journal[: int(share * len(journal))])
        assert read_ledger(folder).segments[0].ended == "killed"


def test_a_torn_last_line_is_cut_off_before_the_run_goes_on(tmp_path: Path) -> None:
    killed(tmp_path)
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(path.read_bytes() + b'{"settled": {"segm')
    virtual_ledger(tmp_path).start().stop()
    lines = path.read_text().splitlines()
    assert all(json.loads(line) for line in lines)
    assert len(read_ledger(tmp_path).segments) == 2


@pytest.mark.parametrize(
    "line", [b"{}", b"not JSON", b'{"settled": {}}', b'{"other": 1}', b"[1]", b'{"note": 3}']
)
def test_a_broken_line_in_the_middle_is_an_error_with_its_number(
    tmp_path: Path, line: bytes
) -> None:
    file = LedgerFile(tmp_path / "ledger.jsonl").open()
    file.append(*(Note(segment=0, epoch=epoch, time_s=1.0, metrics={}) for epoch in (1, 2)))
    file.close()
    lines = file.path.read_bytes().split(b"\n")
    file.path.write_bytes(b"\n".join([lines[0], line, *lines[1:]]))
    with pytest.raises(StoreError, match=r"line 2 of .* is not a ledger line"):
        read_ledger(tmp_path)


def test_a_line_of_a_newer_program_says_so(tmp_path: Path) -> None:
    ledger = virtual_ledger(tmp_path).start()
    ledger.die()
    path = tmp_path / "ledger.jsonl"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(StoreError, match="version 2 is newer"):
        read_ledger(tmp_path)


def test_a_folder_without_ledger_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no ledger in"):
        read_ledger(tmp_path)
    with pytest.raises(StoreError, match="no ledger in"):
        read_ledger(tmp_path / "none")


def test_without_its_journal_a_killed_segment_ends_where_it_was_settled(tmp_path: Path) -> None:
    killed(tmp_path)
    (tmp_path / "journal-0.jsonl").unlink()
    found = read_ledger(tmp_path)
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(STEADY_W * 5, rel=0.2)
    assert "readings-gone" in {finding.kind for finding in found.findings}


def test_a_broken_journal_is_an_error_to_read_and_none_to_train_on(tmp_path: Path) -> None:
    killed(tmp_path)
    journal = tmp_path / "journal-0.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], "broken", *lines[1:]]) + "\n")
    with pytest.raises(StoreError, match="line 2 of"):
        read_ledger(tmp_path)
    virtual_ledger(tmp_path).start().stop()
    found = read_ledger(tmp_path)
    assert "readings-gone" in {finding.kind for finding in found.findings}


class FullDisk:
    """Stands for the file on a disk with room for a few more bytes."""

    def __init__(self, ledger: VirtualLedger, room: int) -> None:
        self._file, self.room = ledger._file._file, room
        assert self._file is not None
        self._ledger = ledger
        ledger._file._file = self  # type: ignore[assignment]  # all that is called of it

    def write(self, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = min(self.room, len(data))
        self.room -= count
        assert self._file is not None
        return self._file.write(data[:count])

    def fileno(self) -> int:
        assert self._file is not None
        return self._file.fileno()

    def close(self) -> None:
        assert self._file is not None
        self._file.close()


def test_a_full_disk_does_not_end_the_training(tmp_path: Path) -> None:
    ledger = begun(tmp_path, epochs=1)
    disk = FullDisk(ledger, room=100)
    with ledger.phase(Phase.TRAIN, 2):
        ledger.sleep(2.0)
    ledger.note_epoch(2, accuracy=0.7)
    ledger.sleep(0.5)
    ledger.settle(force=True)
    disk.room = 0
    ledger.stop()
    found = ledger.summary()
    assert found.joules_to(0.7) is not None
    unwritten = [finding for finding in found.findings if finding.kind == "ledger-unwritten"]
    assert os.strerror(errno.ENOSPC) in unwritten[0].observed
    assert all(json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines())
    on_disk = read_ledger(tmp_path)
    assert on_disk.segments[0].ended == "killed"
    assert on_disk.energy_j is not None
    assert on_disk.energy_j.point == pytest.approx(STEADY_W * 5.5, rel=0.05)


def test_what_a_full_disk_refused_is_written_once_there_is_room(tmp_path: Path) -> None:
    ledger = begun(tmp_path, epochs=1)
    disk = FullDisk(ledger, room=7)
    ledger.note_epoch(2, accuracy=0.7)
    assert ledger._file.failure is not None
    disk.room = 10**6
    ledger.stop()
    found = read_ledger(tmp_path)
    assert [note.epoch for note in found.epochs] == [1, 2]
    assert found.segments[0].ended == "finished"


def test_a_reader_holds_nobody_up(tmp_path: Path) -> None:
    first = LedgerFile(tmp_path / "ledger.jsonl").open()
    first.append(Note(segment=0, epoch=1, time_s=1.0, metrics={}))
    assert len(read_lines(first.path)) == 1
    first.close()
    LedgerFile(first.path).open().close()
