"""A benchmark's table on disk: a JSON file that further runs add rows to, and the same as Markdown.

What was measured on one machine may not stand beside what was measured on another one: the file
says which kind of machine it is, and refuses rows of another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from profiler.files import write_whole_file
from profiler.machine.environment import cpu_flags, cpu_name

PACKAGES = (
    "torch", "torchao", "torch-pruning", "torchvision", "onnxruntime", "openvino", "nncf",
    "executorch",
)  # fmt: skip
KERNEL_FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
Row = Mapping[str, Any]


def machine(threads: int) -> dict[str, Any]:
    """The kind of machine and its software; nothing that tells whose it is."""
    return {
        "cpu": cpu_name(),
        "cpu_has": [flag for flag in KERNEL_FLAGS if flag in cpu_flags()],
        "threads": threads,
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def add_rows(
    folder: Path, name: str, rows: Sequence[Row], *, title: str, keys: Sequence[str], threads: int
) -> None:
    """Write NAME.json and NAME.md; a row takes the place of one with the same keys.

    Args:
        folder: made where it is not there.
        name: of both files.
        rows: flat, of text and numbers.
        title: the sentence above the table.
        keys: the columns that tell rows apart.
        threads: that were computed on.

    Raises:
        SystemExit: the file there is of another machine or of other software.
    """
    file, here = folder / f"{name}.json", machine(threads)
    before = json.loads(file.read_text()) if file.exists() else {"machine": here, "rows": []}
    if before["machine"] != here:
        raise SystemExit(f"error: {file} holds rows of another machine or of other versions")
    kept = {tuple(row[key] for key in keys): row for row in [*before["rows"], *rows]}
    table = list(kept.values())
    folder.mkdir(parents=True, exist_ok=True)
    write_whole_file(file, json.dumps({"machine": here, "rows": table}, indent=1) + "\n")
    write_whole_file(folder / f"{name}.md", _markdown(title, here, table))


def _markdown(title: str, where: Mapping[str, Any], rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    versions = ", ".join(f"{name} {found}" for name, found in where["packages"].items())
    threads = "1 thread" if where["threads"] == 1 else f"{where['threads']} threads"
    lines = [
        f"# {title}",
        "",
        f"{where['cpu']} ({', '.join(where['cpu_has'])}), {threads}; {versions}.",
        "",
        f"| {' | '.join(columns)} |",
        f"|{' --- |' * len(columns)}",
        *(f"| {' | '.join(_cell(row.get(column)) for column in columns)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return (f"{value:.4g}" if isinstance(value, float) else str(value)).replace("|", "\\|")
