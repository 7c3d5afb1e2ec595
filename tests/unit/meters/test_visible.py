from __future__ import annotations

import pytest

from profiler.meters.visible import ListedGpu, Visibility, resolve

GPUS = (
    ListedGpu(uuid="GPU-aaaa-1", name="H100"),
    ListedGpu(uuid="GPU-aabb-2", name="H100", mig_uuids=("MIG-cccc", "MIG-dddd")),
    ListedGpu(uuid="GPU-ffff-3", name="H100"),
)


def seen(visible_devices: str | None) -> Visibility:
    return resolve(GPUS, visible_devices=visible_devices, device_order=None)


@pytest.mark.parametrize(
    ("variable", "indices"),
    [
        (None, (0, 1, 2)),
        ("2, 0", (2, 0)),
        ("GPU-f", (2,)),
        ("GPU-f,0", (2, 0)),
        ("MIG-dddd", (1,)),
        ("MIG-GPU-aabb-2/1/0", (1,)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
    ],
)
def test_entries_are_resolved_in_their_order(variable: str | None, indices: tuple) -> None:
    assert seen(variable).indices == indices


@pytest.mark.parametrize(
    ("variable", "indices", "stopped_at"),
    [
        ("0,3,1", (0,), "3"),
        ("0,GPU-aa,1", (0,), "GPU-aa"),
        ("0,0", (0,), "0"),
        ("cuda:0", (), "cuda:0"),
        ("0,+1", (0,), "+1"),
    ],
)
def test_reading_stops_at_what_names_no_gpu_or_more_than_one(variable, indices, stopped_at) -> None:
    assert seen(variable) == Visibility(indices=indices, stopped_at=stopped_at)
