"""The ledgers of all hosts in one folder, wherever each was written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from profiler.errors import StoreError


def own_files(folder: Path, host: int) -> dict[str, bytes]:
    """By name, the ledger and the journals that a host has written.

    Raises `StoreError` where one cannot be read.
    """
    paths = sorted(folder.glob(f"*-host{host}.jsonl"))
    try:
        return {path.name: path.read_bytes() for path in paths}
    except OSError as error:
        raise StoreError(
            f"the ledger of host {host} in {folder} cannot be read ({error.strerror})"
        ) from error


def put_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files that the folder does not hold already, each whole or not at all.

    A folder that the hosts share holds them all. Raises `StoreError` where one cannot be written.
    """
    for name, content in files.items():
        path = folder / name
        beside = folder / f".{name}.partial"
        try:
            if path.is_file() and path.read_bytes() == content:
                continue
            beside.write_bytes(content)
            os.replace(beside, path)
        except OSError as error:
            raise StoreError(
                f"the ledger {name} of another host cannot be written to {folder} "
                f"({error.strerror})",
                hint="make room on that disk, or share the folder between the hosts",
            ) from error
