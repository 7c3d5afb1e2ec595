"""`eager`: torch runs the module, operator by operator. It leaves no file."""

from __future__ import annotations

from pathlib import Path

import torch

from .job import Executable, Job


def export(job: Job, folder: Path) -> None:
    """Nothing: torch runs the module itself."""


def load(job: Job, file: None) -> Executable:
    """The model's own call."""
    return Executable(call=job.model, version=torch.__version__)
