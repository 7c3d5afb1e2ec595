"""The commands that measure the runs of a report again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from profiler.values.profile import HOST, Profile, Workload

from .document import Column, Section, Table

_PLAIN = re.compile(r"[\w@%+=:,./-]+")
# Sources that are known by name alone, and those that lie somewhere, of which a run keeps no path.
_NAMED = frozenset({"digits", "cifar10", "cifar100", "synthetic"})
_LYING = frozenset({"parquet", "folder", "text"})


def again_section(profiles: Sequence[Profile]) -> Section | None:
    """One command a set of models that were measured in turns; None for runs of commands alone."""
    groups: dict[str, list[Profile]] = {}
    for number, profile in enumerate(profiles):
        if profile.workload.device != HOST and _data(profile.workload) is not None:
            series = profile.repetition.series if profile.repetition else f"run {number}"
            groups.setdefault(series, []).append(profile)
    commands = tuple(dict.fromkeys(map(_command, groups.values())))
    if not commands:
        return None
    columns = (Column(label="command", role="code"),)
    table = Table(
        caption="Where the same code, weights and data are; PATH is where yours lie",
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
    flags += ["--data", _data(workload) or ""]
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


def _data(workload: Workload) -> str | None:
    """What --data takes; None for inputs of another kind, which no flag brings back."""
    name = workload.data.partition(":")[0]
    if name in _LYING:
        return f"{name}:PATH"
    return name if name in _NAMED else None


def _quoted(word: str) -> str:
    return word if _PLAIN.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'"
