"""CSV in long form: one row a quantity and profile, so that a new quantity adds no column."""

from __future__ import annotations

from collections.abc import Iterator

from profiler.render.document import Document
from profiler.values.estimate import Estimate
from profiler.values.layer_table import Scalar, write_csv
from profiler.values.profile import Profile
from profiler.values.quantities import QUANTITIES

COLUMNS = (
    "name",
    "created_utc",
    "model",
    "device",
    "device_name",
    "dtype",
    "batch_size",
    "quantity",
    "value",
    "low",
    "high",
    "unit",
    "confidence",
    "basis",
    "source",
)


def render(document: Document) -> str:
    """Print every quantity of every profile; empty cells for what was not seen."""
    rows = (
        _row(profile, key, estimate)
        for profile in document.profiles
        for key, estimate in _quantities(profile)
    )
    return write_csv(COLUMNS, rows)


def _quantities(profile: Profile) -> Iterator[tuple[str, Estimate | None]]:
    """What every profile has, and CodeCarbon's account of the whole where there is one."""
    for quantity in QUANTITIES:
        yield quantity.key, quantity.of(profile)
    if profile.codecarbon is not None:
        yield from profile.codecarbon.numbers()


def _row(profile: Profile, key: str, estimate: Estimate | None) -> dict[str, Scalar]:
    return {
        "name": profile.name,
        "created_utc": profile.created_utc,
        "model": profile.workload.model,
        "device": profile.workload.device,
        "device_name": profile.environment.device_name,
        "dtype": profile.workload.dtype,
        "batch_size": profile.workload.batch_size,
        "quantity": key,
        "value": None if estimate is None else estimate.point,
        "low": None if estimate is None else estimate.low,
        "high": None if estimate is None else estimate.high,
        "unit": "" if estimate is None else estimate.unit,
        "confidence": None if estimate is None else estimate.confidence,
        "basis": "not seen" if estimate is None else estimate.basis.value,
        "source": "" if estimate is None else estimate.source,
    }
