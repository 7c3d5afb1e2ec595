"""A disk that is full or closed costs the new checkpoint, never the older one."""

import errno
import os
import resource
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from profiler import files
from profiler.errors import StoreError
from tests.unit.training.checkpoints.samples import small_state
from training.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from training.run_folder import LAST


@pytest.fixture
def last(tmp_path):
    path = tmp_path / LAST
    save_checkpoint(path, small_state())
    return path


def assert_the_older_one_is_whole(path):
    assert load_checkpoint(path).info.step == 12
    assert sorted(item.name for item in path.parent.iterdir()) == ["last.json", LAST]


@pytest.fixture
def small_files():
    """This process may write 64 KiB into a file; more fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_ends_early_leaves_the_older_checkpoint(last, request):
    newer = small_state(step=24)
    request.getfixturevalue("small_files")
    with pytest.raises(StoreError, match="File too large") as caught:
        save_checkpoint(last, newer)
    assert "--out" in caught.value.hint
    assert_the_older_one_is_whole(last)


def test_a_full_disk_leaves_the_older_checkpoint(last, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "flush_to_disk", full)
    with pytest.raises(StoreError, match="No space left") as caught:
        save_checkpoint(last, small_state(step=24))
    assert "make room" in caught.value.hint
    assert_the_older_one_is_whole(last)


def test_ctrl_c_while_writing_leaves_the_older_checkpoint(last, monkeypatch):
    def pressed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "flush_to_disk", pressed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(last, small_state(step=24))
    assert_the_older_one_is_whole(last)


def test_a_real_full_file_system_leaves_the_older_checkpoint(tmp_path):
    mounted = tmp_path / "small"
    mounted.mkdir()
    size = 4_000_000
    options = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mounted)]
    if subprocess.run(options, capture_output=True).returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        path = mounted / LAST
        save_checkpoint(path, small_state())
        filler = mounted / "filler"
        filler.write_bytes(bytes(size - path.stat().st_size - 400_000))
        with pytest.raises(StoreError, match="No space left"):
            save_checkpoint(path, small_state(step=24))
        filler.unlink()
        assert_the_older_one_is_whole(path)
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write") as caught:
        save_checkpoint(tmp_path / "file" / LAST, small_state())
    assert "--out" in caught.value.hint


@pytest.fixture
def closed_folder():
    """A run's folder that this process may read and not write, whoever it is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_checkpoint(folder / LAST, small_state())
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:  # who may write anywhere
            os.seteuid(65_534)
        yield folder
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_is_told(closed_folder):
    with pytest.raises(StoreError, match="Permission denied") as caught:
        save_checkpoint(closed_folder / LAST, small_state(step=24))
    assert "--out" in caught.value.hint
    assert_the_older_one_is_whole(closed_folder / LAST)


def test_what_a_killed_process_left_is_removed_by_the_next_write(last):
    leftover = last.with_name(f"{LAST}.0a1b2c{files.PARTIAL_SUFFIX}")
    leftover.write_bytes(b"half")
    another = last.with_name(f"best.safetensors.0a1b2c{files.PARTIAL_SUFFIX}")
    another.write_bytes(b"half")
    save_checkpoint(last, small_state())
    assert not leftover.exists()
    assert another.exists()


def test_the_file_and_its_folder_are_flushed_before_the_old_one_goes(tmp_path, monkeypatch):
    events = []
    flush, replace = files.flush_to_disk, Path.replace
    monkeypatch.setattr(
        files, "flush_to_disk", lambda path: (events.append(path.suffix), flush(path))
    )
    monkeypatch.setattr(
        Path, "replace", lambda path, to: (events.append("replace"), replace(path, to))[1]
    )
    save_checkpoint(tmp_path / LAST, small_state())
    assert events[:3] == [files.PARTIAL_SUFFIX, "replace", ""]
