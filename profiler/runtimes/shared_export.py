"""One export for all processes of a measurement: the first one makes it, the others load it.

An export may take minutes, and two of one model need not be the same file, so that processes which
export for themselves would differ by more than what is measured.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import ExportError
from profiler.files import write_whole_file
from profiler.values.codec import decode, encode

from .job import Exported, Layers, files_of

LOOK_EVERY_S = 0.05
RECORD = "exported.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord:
    """What the first process says of its files.

    Args:
        file: name of the one that is named.
        digests: SHA-256 of each file by its name.
        layers: how they will run, where the export tells.
    """

    file: str
    digests: dict[str, str]
    layers: Layers | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedExport:
    """A folder between the processes of one measurement.

    Args:
        folder: one for each model.
        is_first: whether this process makes the files. Where it fails, its error ends the
            measurement, and with it the processes that wait.
    """

    folder: Path
    is_first: bool

    def of_model(self, number: int) -> SharedExport:
        """The part for one of several models."""
        return SharedExport(folder=self.folder / str(number), is_first=self.is_first)

    def exported(self, export: Callable[[Path], Exported]) -> Exported:
        """The files: made here, or by the first process, which is waited for.

        Raises:
            ExportError: the export failed, or the files are not those that the first process made.
        """
        if self.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
            made = export(self.folder)
            record = ExportRecord(
                file=made.file.name, digests=_digests(made.file), layers=made.layers
            )
            write_whole_file(self.folder / RECORD, json.dumps(encode(record)))
            return made
        parent = os.getppid()
        while not (self.folder / RECORD).exists():
            if os.getppid() != parent:
                raise ExportError("the measurement that waits for this export has ended")
            time.sleep(LOOK_EVERY_S)
        told = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
        record = decode(told, ExportRecord)
        file = self.folder / record.file
        if _digests(file) != record.digests:
            raise ExportError(
                f"the exported files of {file.name} changed while they were measured",
                hint="measure again, and leave the folder of temporary files alone meanwhile",
            )
        return Exported(file=file, layers=record.layers)


def _digests(file: Path) -> dict[str, str]:
    found = {}
    for part in files_of(file):
        if part.exists():
            with part.open("rb") as stream:
                found[part.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found
