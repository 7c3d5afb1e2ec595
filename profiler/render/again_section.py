"""The commands that measure the runs of a report again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from profiler.values.profile import HOST, Profile, Workload

from .document import Column, Section, Table

_PLAIN = re.compile(r"[\w@%+=:,./-]+")
_IMAGES = re.compile(r"\d+x(\d+)x(\d+)x(\d+)")
_MADE_UP = ("caller", "")


def again_section(profiles: Sequence[Profile]) -> Section | None:
    """One command a set of models that were measured in turns; None for runs of commands alone."""
    groups: dict[str, list[Profile]] = {}
    for number, profile in enumerate(profiles):
        if profile.workload.device != HOST and profile.workload.data not in _MADE_UP:
            series = profile.repetition.series if profile.repetition else f"run {number}"
            groups.setdefault(series, []).append(profile)
    commands = tuple(dict.fromkeys(map(_command, groups.values())))
    if not commands:
        return None
    columns = (Column(label="command", role="code"),)
    table = Table(
        caption="Where the same code, weights and data are",
        columns=columns,
        rows=tuple((command,) for command in commands),
    )
    return Section(title="To measure it again", tables=(table,))


def _command(profiles: Sequence[Profile]) -> str:
    first = profiles[0].workload
    words = ["python -m profiler measure"]
    for profile in profiles:
        words += ["--model", _quoted(profile.workload.model)]
        if profile.workload.checkpoint is not None:
            words += ["--checkpoint", _quoted(profile.workload.checkpoint)]
    return " ".join([*words, *_flags(first)])


def _flags(workload: Workload) -> list[str]:
    flags = ["--device", workload.device]
    if workload.batch_size is not None:
        flags += ["--batch-size", str(workload.batch_size)]
    if workload.data:
        flags += ["--data", _quoted(workload.data)]
    if workload.executor in ("eager", "compile") and workload.dtype in ("bf16", "fp16"):
        flags += ["--dtype", workload.dtype]
    if workload.channels_last:
        flags.append("--channels-last")
    if workload.executor != "eager":
        flags += ["--runtime", workload.executor]
    if workload.class_count is not None:
        flags += ["--classes", str(workload.class_count)]
    if workload.threads is not None:
        flags += ["--threads", str(workload.threads)]
    if workload.seed is not None:
        flags += ["--seed", str(workload.seed)]
    return flags


def _quoted(word: str) -> str:
    return word if _PLAIN.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'"
