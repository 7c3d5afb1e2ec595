from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from profiler.integrations import nodes
from profiler.integrations.nodes import RankPlace, gather, merge
from profiler.integrations.segment import SegmentEnergy
from profiler.values.codec import encode
from profiler.values.estimate import Basis, Estimate


def energy(energy_j: float) -> Estimate:
    return Estimate(
        point=energy_j, low=energy_j - 3, high=energy_j + 3, unit="J", confidence=0.95,
        basis=Basis.MEASURED, source="counter",
    )  # fmt: skip


def host(name: str, energy_j: float | None, **parts: float) -> SegmentEnergy:
    return SegmentEnergy(
        key=name, stage="train", started_utc="2026-11-22T00:00:00Z", duration_s=10.0, complete=True,
        energy_j=None if energy_j is None else energy(energy_j),
        parts={key: energy(value) for key, value in parts.items()},
        sensors=(f"{name}/GPU-1",), hardware=f"GPU of {name}",
    )  # fmt: skip


def place(rank: int, *, local_rank: int = 0, world_size: int = 2) -> RankPlace:
    return RankPlace(
        local_rank=local_rank, global_rank=rank, world_size=world_size, local_world_size=1
    )


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from torch.distributed import HashStore

    shared = HashStore()
    monkeypatch.setattr(nodes, "_store", lambda: shared)
    return shared


def test_one_host_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "_store", lambda: pytest.fail("no store is needed"))
    alone = RankPlace(world_size=8, local_world_size=8)
    assert gather(host("a", 100.0), alone, 1) == host("a", 100.0)


def test_the_first_process_gets_the_sum_over_hosts(store: Any) -> None:
    own = gather(host("b", 50.0, epoch=20.0), place(1), 1)
    assert own is not None
    assert own.findings[0].kind == "one-host"
    joined = gather(host("a", 100.0, epoch=40.0), place(0), 1)
    assert joined is not None
    assert joined.energy_j is not None
    assert joined.energy_j.point == 150.0
    assert joined.parts["epoch"] is not None
    assert joined.parts["epoch"].point == 60.0
    assert joined.hardware == "GPU of a + GPU of b"
    assert joined.findings == ()


def test_processes_that_read_no_sensor_are_not_missed(store: Any) -> None:
    assert gather(None, place(1, local_rank=1, world_size=3), 1) is None
    gather(host("b", 50.0), place(2, world_size=3), 1)
    joined = gather(host("a", 100.0), place(0, world_size=3), 1, deadline_s=0.1)
    assert joined is not None
    assert joined.energy_j is not None
    assert joined.energy_j.point == 150.0


def test_without_one_host_there_is_no_total(store: Any) -> None:
    joined = gather(host("a", 100.0, epoch=40.0), place(0), 1, deadline_s=0.05)
    assert joined is not None
    assert joined.energy_j is None
    assert joined.parts == {"epoch": None}
    assert joined.findings[0].kind == "hosts-missing"
    assert "100 J" in joined.findings[0].observed


def test_a_host_whose_callback_broke_is_missing(store: Any) -> None:
    gather(None, place(1), 1)
    joined = gather(host("a", 100.0), place(0), 1, deadline_s=0.1)
    assert joined is not None
    assert joined.energy_j is None


def test_each_turn_has_its_own_messages(store: Any) -> None:
    gather(host("b", 50.0), place(1), 1)
    later = gather(host("a", 100.0), place(0), 2, deadline_s=0.05)
    assert later is not None
    assert later.energy_j is None


def test_without_torch_distributed_a_share_is_not_shown_as_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nodes, "_store", lambda: None)
    share = gather(host("a", 100.0), place(0), 1)
    assert share is not None
    assert share.energy_j is None


def test_a_sensor_that_two_processes_read_yields_no_sum() -> None:
    joined = merge([host("a", 100.0), host("a", 100.0)])
    assert joined is not None
    assert joined.energy_j is None
    assert joined.findings[0].kind == "sensor-read-twice"


def test_a_host_that_saw_nothing_makes_the_sum_unknown() -> None:
    joined = merge([host("a", 100.0), host("b", None)])
    assert joined is not None
    assert joined.energy_j is None


def test_a_segment_travels_as_json() -> None:
    from profiler.values.codec import decode

    sent = host("a", 100.0, epoch=40.0)
    assert decode(json.loads(json.dumps(encode(sent))), SegmentEnergy) == sent
