"""One export for all processes of a measurement."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from profiler.errors import ExportError
from profiler.runtimes.job import Exported, Layers
from profiler.runtimes.shared_export import RECORD, SharedExport
from profiler.values.applied_transform import LeftAlone

LAYERS = Layers(as_asked_count=3, fell_back=(LeftAlone(layer="fc", reason="too small"),))


def write(folder: Path) -> Exported:
    (folder / "model.xml").write_text("graph")
    (folder / "model.bin").write_bytes(b"weights")
    return Exported(file=folder / "model.xml", layers=LAYERS)


def never(_: Path) -> Exported:
    raise AssertionError("only the first process exports")


def test_the_others_wait_for_the_first_and_load_its_file(tmp_path: Path) -> None:
    found: list[Exported] = []
    other = SharedExport(folder=tmp_path, is_first=False).of_model(1)
    thread = threading.Thread(target=lambda: found.append(other.exported(never)))
    thread.start()
    made = SharedExport(folder=tmp_path, is_first=True).of_model(1).exported(write)
    thread.join(timeout=5)
    assert found == [made]
    assert found[0].layers == LAYERS


@pytest.mark.parametrize("part", ["model.xml", "model.bin"])
def test_a_file_that_changed_is_not_measured(tmp_path: Path, part: str) -> None:
    SharedExport(folder=tmp_path, is_first=True).exported(write)
    (tmp_path / part).write_text("other")
    with pytest.raises(ExportError, match="changed"):
        SharedExport(folder=tmp_path, is_first=False).exported(never)


def test_an_export_that_fails_leaves_no_record(tmp_path: Path) -> None:
    def fail(_: Path) -> Exported:
        raise ExportError("no such operator")

    with pytest.raises(ExportError, match="operator"):
        SharedExport(folder=tmp_path, is_first=True).exported(fail)
    assert not (tmp_path / RECORD).exists()
