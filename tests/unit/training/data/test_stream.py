"""Images that worker processes decode: without shared memory, and with workers that die."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch

from profiler.errors import InputDataError
from tests.unit.training.pictures import write_pictures
from training.data.splits import load_splits
from training.data.stream import StreamedPixels, explaining_lost_workers
from training.recipe import Recipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path, {"train": 20, "test": 2})
    return tmp_path


def streamed(folder: Path) -> StreamedPixels:
    recipe = Recipe(data=f"folder:{folder}", batch_size=4, crop_padding=0)
    pixels = load_splits(recipe, "cpu", most_bytes=100).train
    assert isinstance(pixels, StreamedPixels)
    return pixels


def one_by_one(count: int) -> list[torch.Tensor]:
    return [torch.tensor([number]) for number in range(count)]


def test_no_shared_memory_is_needed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*whatever: object, **named: object) -> None:
        raise RuntimeError("unable to allocate shared memory(shm): No space left on device (28)")

    # As in a container whose /dev/shm is full; the workers are forked, and meet it too.
    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", refuse)
    monkeypatch.setattr(torch.UntypedStorage, "_share_filename_cpu_", refuse)
    batches = list(streamed(folder).fetch([torch.arange(0, 3), torch.arange(3, 8)]))
    assert [tuple(batch.shape[:2]) for batch in batches] == [(3, 3), (5, 3)]


def test_a_worker_that_is_killed_ends_the_reading_with_a_sentence(folder: Path) -> None:
    batches = streamed(folder).fetch(one_by_one(40) * 50)
    for _ in range(3):
        next(batches)
    for child in multiprocessing.active_children():
        child.kill()
    # DataLoader raises when it hears of it, in whatever the program then does.
    with (
        pytest.raises(InputDataError, match="a process that decodes images was lost"),
        explaining_lost_workers(),
    ):
        list(batches)


def test_a_damaged_image_is_named_as_it_is_in_memory(folder: Path) -> None:
    pixels = streamed(folder)
    damaged = sorted((folder / "train").rglob("*.*"))[5]
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(InputDataError) as caught:
        list(pixels.fetch(one_by_one(40)))
    assert str(damaged.name) in caught.value.message
    assert "Traceback" not in str(caught.value)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explaining_lost_workers():
        raise RuntimeError("shapes do not fit")
