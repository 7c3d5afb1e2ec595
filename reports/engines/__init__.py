"""Engines that run the jobs of a study: the table of them, one file each."""

from __future__ import annotations

from collections.abc import Callable

from .base import Engine
from .job import EngineJob, JobEnd

__all__ = ["ENGINES", "Engine", "EngineJob", "JobEnd"]


def _local(devices: tuple[str, ...], address: str | None) -> Engine:
    from .local import LocalEngine

    return LocalEngine()


def _ray(devices: tuple[str, ...], address: str | None) -> Engine:
    from .ray import RayEngine

    return RayEngine(devices, address)


ENGINES: dict[str, Callable[[tuple[str, ...], str | None], Engine]] = {
    "local": _local,
    "ray": _ray,
}
"""By name: what makes an engine for some devices, at an address where it has one."""
