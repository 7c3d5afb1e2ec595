"""CSV in long form: one row a number, which says by itself what it is of.

A new quantity adds no column. A row is of a whole call; of a part of the machine where `part` is
set ("cpu", "ram", "gpu:0"), and of a layer where `layer` is. Trainings have rows of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from profiler.render.document import Document, Record
from profiler.values.estimate import Basis, Estimate, counted, stated
from profiler.values.layer_cost import LayerCost
from profiler.values.layer_table import Scalar, write_csv
from profiler.values.profile import Profile
from profiler.values.quantities import QUANTITIES

IDENTITY = (
    "run_id",
    "kind",
    "name",
    "created_utc",
    "model",
    "variant",
    "runtime",
    "device",
    "device_name",
    "environment",
    "dtype",
    "batch_size",
    "input_shape",
    "threads",
    "data",
    "seed",
    "checkpoint",
    "country",
    "findings",
)
COLUMNS = (
    *IDENTITY,
    "part",
    "layer",
    "quantity",
    "value",
    "low",
    "high",
    "unit",
    "confidence",
    "basis",
    "source",
)
_COUNTS = {
    "call_count": "",
    "parameter_count": "",
    "mac_count": "MAC",
    "read_bytes": "B",
    "written_bytes": "B",
}


def render(document: Document) -> str:
    """Print every number of every profile and training; empty cells for what was not seen."""
    return write_csv(COLUMNS, _rows(document))


def _rows(document: Document) -> Iterator[dict[str, Scalar]]:
    names = document.run_ids or ("",) * len(document.profiles)
    for run_id, profile in zip(names, document.profiles, strict=True):
        identity = _identity(run_id, profile)
        for part, layer, key, estimate in _numbers(profile):
            yield {**identity, "part": part, "layer": layer, **_number(key, estimate)}
    for record in document.records:
        for key, estimate in record.figures.items():
            yield {**_of_record(record), **_number(key, estimate)}


def _identity(run_id: str, profile: Profile) -> dict[str, Scalar]:
    workload, carbon = profile.workload, profile.carbon
    return {
        "run_id": run_id,
        "kind": "run",
        "name": profile.name,
        "created_utc": profile.created_utc,
        "model": workload.model,
        "variant": "+".join(item.name for item in profile.transforms),
        "runtime": workload.executor,
        "device": workload.device,
        "device_name": profile.environment.device_name,
        "environment": profile.environment.fingerprint,
        "dtype": workload.dtype,
        "batch_size": workload.batch_size,
        "input_shape": " and ".join(workload.input_shapes),
        "threads": workload.threads,
        "data": workload.data,
        "seed": workload.seed,
        "checkpoint": workload.checkpoint,
        "country": None if carbon is None else carbon.intensity_g_per_kwh.source,
        "findings": " ".join(dict.fromkeys(finding.kind for finding in profile.findings)),
    }


def _of_record(record: Record) -> dict[str, Scalar]:
    facts = {key: record.facts.get(key) for key in IDENTITY}
    return {**facts, "run_id": record.run_id, "kind": record.kind}


def _numbers(profile: Profile) -> Iterator[tuple[str, str, str, Estimate | None]]:
    """(part, layer, quantity, number): of the call, of CodeCarbon, of the parts, of the layers."""
    for quantity in QUANTITIES:
        yield "", "", quantity.key, quantity.of(profile)
    if profile.codecarbon is not None:
        for key, estimate in profile.codecarbon.numbers():
            yield "", "", key, estimate
    for part in profile.energy_parts:
        yield part.device, "", "energy_j", part.energy_j
        yield part.device, "", "net_energy_j", part.net_energy_j
    for layer in profile.layers:
        for key, estimate in _of_layer(layer):
            yield "", layer.path or "(the model itself)", key, estimate


def _of_layer(layer: LayerCost) -> Iterator[tuple[str, Estimate | None]]:
    for key, unit in _COUNTS.items():
        value = getattr(layer, key)
        if layer.uncounted_ops and key == "mac_count":
            # Without an interval: a count that is known to be incomplete.
            yield key, stated(value, unit, Basis.COUNTED, "some operators have no formula")
        else:
            yield key, counted(value, unit, layer.kind)
    yield "latency_s", layer.latency_s
    yield "energy_j", layer.energy_j


def _number(key: str, estimate: Estimate | None) -> dict[str, Scalar]:
    return {
        "quantity": key,
        "value": None if estimate is None else estimate.point,
        "low": None if estimate is None else estimate.low,
        "high": None if estimate is None else estimate.high,
        "unit": "" if estimate is None else estimate.unit,
        "confidence": None if estimate is None else estimate.confidence,
        "basis": "not seen" if estimate is None else estimate.basis.value,
        "source": "" if estimate is None else estimate.source,
    }
