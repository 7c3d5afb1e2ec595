"""The ledger against known truth, on a clock that jumps."""

from __future__ import annotations

import io
import math
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pandas
import pytest

from profiler.errors import StoreError, UsageError
from profiler.inference import infer_energies
from profiler.ledger import Ledger, Phase, read_ledger
from profiler.ledger.epochs_csv import epochs_csv
from profiler.ledger.stretches import alike, cut
from profiler.values.estimate import Basis
from tests.virtual.clock import FakeClock
from tests.virtual.ledger import VirtualLedger, virtual_ledger

EPOCH = ((Phase.DATA, 1.0, 100.0), (Phase.TRAIN, 4.0, 300.0), (Phase.EVALUATE, 1.5, 200.0))
BETWEEN = (0.5, 60.0)


def script_of(epochs: int) -> list[tuple[float, float]]:
    """Power that changes with the phases, after two seconds of setup at 50 W."""
    epoch = [(seconds, power_w) for _, seconds, power_w in EPOCH]
    return [(2.0, 50.0), *([*epoch, BETWEEN] * epochs), (1.0, 60.0)]


def run_epochs(ledger: VirtualLedger, epochs: Sequence[int], *, settled: bool = True) -> None:
    for epoch in epochs:
        for phase, seconds, _ in EPOCH:
            with ledger.phase(phase, epoch) as tally:
                ledger.sleep(seconds)
                if phase is Phase.TRAIN:
                    tally.item_count += 1000
        ledger.note_epoch(epoch, accuracy=0.1 * epoch)
        ledger.sleep(BETWEEN[0])
        if settled:
            ledger.settle(force=True)


def whole_run(folder: Path, epochs: int = 3, **options: bool) -> VirtualLedger:
    ledger = virtual_ledger(folder, {"gpu:0": script_of(epochs)}, epochs=5, **options).start()
    with ledger.phase(Phase.SETUP):
        ledger.sleep(2.0)
    run_epochs(ledger, range(1, epochs + 1))
    ledger.stop()
    return ledger


def test_a_hundred_watts_for_two_seconds_are_two_hundred_joules_in_every_phase(
    tmp_path: Path,
) -> None:
    ledger = virtual_ledger(tmp_path).start()
    ledger.sleep(1.0)
    for phase in Phase:
        with ledger.phase(phase, 1):
            ledger.sleep(2.0)
    ledger.sleep(0.5)
    ledger.stop()
    by_phase = ledger.summary().by_phase
    assert set(by_phase) == set(Phase)
    for phase, energy_j in by_phase.items():
        seconds = 3.5 if phase is Phase.OTHER else 2.0
        assert energy_j is not None
        assert energy_j.point == pytest.approx(100 * seconds, rel=5e-3)
        assert energy_j.basis is Basis.MEASURED


def test_joules_go_to_the_phase_that_drew_them_and_add_up_to_the_whole(tmp_path: Path) -> None:
    found = whole_run(tmp_path).summary()
    for phase, seconds, power_w in EPOCH:
        energy_j = found.by_phase[phase]
        assert energy_j is not None
        assert energy_j.point == pytest.approx(3 * seconds * power_w, rel=1e-3)
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(100 + 3 * (100 + 1200 + 300 + 30), rel=5e-3)
    parts_j = [energy_j.point for energy_j in found.by_phase.values() if energy_j is not None]
    assert found.energy_j.low <= math.fsum(parts_j) <= found.energy_j.high  # type: ignore[operator]  # has one
    assert math.fsum(e.duration_s for e in found.entries) == pytest.approx(found.duration_s)
    assert found.duration_s == pytest.approx(2.0 + 3 * 7.0, abs=0.2)


def test_what_lies_between_phases_belongs_to_the_epoch_before(tmp_path: Path) -> None:
    found = whole_run(tmp_path).summary()
    others = {e.epoch: e.energy_j for e in found.entries if e.phase == Phase.OTHER}
    assert set(others) == {1, 2, 3}
    assert others[1] is not None
    assert others[1].point == pytest.approx(30, rel=0.02)
    assert found.by_epoch[1] is not None
    assert found.by_epoch[1].point == pytest.approx(1630, rel=1e-3)


def test_figures_derived_from_the_joules(tmp_path: Path) -> None:
    found = whole_run(tmp_path).summary()
    assert found.image_count == 3000
    assert found.images_per_joule is not None
    assert found.images_per_joule.point == pytest.approx(3000 / 4990, rel=5e-3)
    assert found.joules_per_epoch is not None
    assert found.joules_per_epoch.point == pytest.approx(1630, rel=5e-3)
    reached_j = found.joules_to(0.2)
    assert reached_j is not None
    assert reached_j.point == pytest.approx(100 + 1630 + 1600, rel=5e-3)
    assert found.joules_to(0.9) is None
    projected_j = found.projected_j()
    assert projected_j is not None
    assert projected_j.point == pytest.approx(4990 + 2 * 1630, rel=5e-3)
    assert projected_j.basis is Basis.ESTIMATED
    assert found.energy_kwh is not None
    assert found.energy_kwh.point == pytest.approx(4990 / 3.6e6, rel=5e-3)
    assert found.carbon_g is not None
    assert found.carbon_g.point == pytest.approx(4990 / 3.6e6 * 475, rel=5e-3)
    assert found.carbon_g.basis is Basis.ASSUMED


def test_an_epoch_that_is_not_a_number_is_noted_as_not_seen(tmp_path: Path) -> None:
    with virtual_ledger(tmp_path) as ledger:
        ledger.sleep(1.0)
        ledger.note_epoch(1, loss=math.nan, accuracy=0.5)
    assert read_ledger(tmp_path).epochs[0].metrics == {"loss": None, "accuracy": 0.5}


def test_settling_in_pieces_gives_what_the_whole_recording_gives(tmp_path: Path) -> None:
    """Only the neighbourhood of what is settled is looked at: a long recording stays cheap."""
    chance = random.Random(3)
    watts = [chance.uniform(80, 400) for _ in range(24)]
    script = [(1.0 if k % 2 else 3.0, power_w) for k, power_w in enumerate(watts)]
    ledger = virtual_ledger(tmp_path, {"gpu:0": script}).start()
    for epoch in range(12):
        with ledger.phase(Phase.TRAIN, epoch):
            ledger.sleep(3.0)
        with ledger.phase(Phase.EVALUATE, epoch):
            ledger.sleep(1.0)
        if epoch % 5 == 4:
            ledger.settle(force=True)
    ledger.sleep(1.0)
    ledger.stop()
    recorder = ledger.recorder
    stretches = cut(recorder.windows(), recorder.started_s or 0.0, recorder.now_s)
    at_once = infer_energies(
        recorder.traces(),
        [(stretch.window,) for stretch in stretches],
        alike(recorder.windows()),
        now_s=recorder.now_s,
    )
    entries = read_ledger(tmp_path).entries
    assert len(entries) == len(stretches) == 25
    for entry, stretch, whole in zip(entries, stretches, at_once, strict=True):
        truth_j = ledger.energy_between_j(stretch.start_s, stretch.end_s)
        assert entry.energy_j is not None
        assert whole.energy_j is not None
        for bound in (truth_j, whole.energy_j.point):
            assert entry.energy_j.low - 0.5 <= bound <= entry.energy_j.high + 0.5  # type: ignore[operator]  # has one


def test_what_is_settled_twice_is_counted_once(tmp_path: Path) -> None:
    often, seldom = tmp_path / "often", tmp_path / "seldom"
    whole_run(often)
    ledger = virtual_ledger(seldom, {"gpu:0": script_of(3)}, epochs=5).start()
    with ledger.phase(Phase.SETUP):
        ledger.sleep(2.0)
    run_epochs(ledger, (1, 2, 3), settled=False)
    ledger.stop()
    first, second = read_ledger(often), read_ledger(seldom)
    assert [(e.epoch, e.phase) for e in first.entries] == [
        (e.epoch, e.phase) for e in second.entries
    ]
    for one, other in zip(first.entries, second.entries, strict=True):
        assert one.duration_s == pytest.approx(other.duration_s)
        assert one.energy_j is not None
        assert other.energy_j is not None
        assert one.energy_j.point == pytest.approx(other.energy_j.point, rel=0.02)


def test_settling_waits_until_it_is_cheap(tmp_path: Path) -> None:
    ledger = virtual_ledger(tmp_path, {"gpu:0": script_of(2)}).start()
    run_epochs(ledger, (1, 2), settled=False)
    ledger.settle()
    assert '"settled"' not in (tmp_path / "ledger.jsonl").read_text()
    ledger.sleep(400.0)
    ledger.settle()
    assert '"settled"' in (tmp_path / "ledger.jsonl").read_text()
    ledger.stop()


def test_phases_do_not_nest(tmp_path: Path) -> None:
    with virtual_ledger(tmp_path) as ledger, ledger.phase(Phase.TRAIN, 1):
        inner = ledger.phase(Phase.EVALUATE, 1)
        with pytest.raises(UsageError, match="'evaluate 1' cannot begin inside 'train 1'"), inner:
            pass
        ledger.sleep(1.0)


def test_the_device_is_waited_for_at_both_edges_of_a_phase(tmp_path: Path) -> None:
    ledger = virtual_ledger(tmp_path)
    waited_s: list[float] = []
    ledger._synchronize = lambda: waited_s.append(ledger.clock.now_s())
    with ledger:
        begun_s = ledger.clock.now_s()
        with ledger.phase(Phase.TRAIN, 1):
            ledger.sleep(1.0)
    assert waited_s == [begun_s, begun_s + 1.0]


@pytest.mark.parametrize(
    ("error", "ended"),
    [(None, "finished"), (KeyboardInterrupt, "interrupted"), (ValueError, "failed")],
)
def test_a_segment_says_how_it_ended(
    tmp_path: Path, error: type[BaseException] | None, ended: str
) -> None:
    ledger = virtual_ledger(tmp_path)
    try:
        with ledger, ledger.phase(Phase.TRAIN, 1):
            ledger.sleep(1.0)
            if error is not None:
                raise error
    except (KeyboardInterrupt, ValueError):
        pass
    found = read_ledger(tmp_path)
    assert found.segments[0].ended == ended
    assert found.by_phase[Phase.TRAIN] is not None
    assert found.by_phase[Phase.TRAIN].point == pytest.approx(100, rel=0.02)


def test_an_ending_must_be_a_known_one(tmp_path: Path) -> None:
    with virtual_ledger(tmp_path) as ledger, pytest.raises(UsageError, match="not as 'killed'"):
        ledger.stop("killed")


def test_live_numbers_follow_the_truth_without_inference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*rest: object, **more: object) -> None:
        raise AssertionError("a live line asked for inference")

    ledger = virtual_ledger(tmp_path, {"gpu:0": [(10.0, 100.0), (60.0, 300.0)]}).start()
    monkeypatch.setattr("profiler.inference.infer_energies", never)
    assert ledger.joules_so_far is None
    ledger.sleep(20.0)
    energy_j, power_w = ledger.joules_so_far, ledger.power_w
    assert energy_j is not None
    assert energy_j.point == pytest.approx(4000, rel=0.01)
    assert energy_j.low <= 4000 <= energy_j.high  # type: ignore[operator]  # has one
    assert power_w is not None
    assert power_w.point == pytest.approx(300, rel=0.01)
    ledger.sleep(20.0)
    assert ledger.joules_so_far is not None
    assert ledger.joules_so_far.point == pytest.approx(10_000, rel=0.01)
    monkeypatch.undo()
    ledger.stop()


def test_live_numbers_go_on_where_an_earlier_segment_ended(tmp_path: Path) -> None:
    whole_run(tmp_path)
    again = virtual_ledger(tmp_path).start()
    again.sleep(10.0)
    assert again.joules_so_far is not None
    assert again.joules_so_far.point == pytest.approx(4990 + 1000, rel=0.01)
    again.stop()


def test_a_summary_of_a_running_ledger_writes_nothing(tmp_path: Path) -> None:
    ledger = virtual_ledger(tmp_path, {"gpu:0": script_of(2)}).start()
    run_epochs(ledger, (1, 2))
    before = (tmp_path / "ledger.jsonl").read_text()
    found = ledger.summary()
    assert (tmp_path / "ledger.jsonl").read_text() == before
    assert found.segments[0].ended == "running"
    assert found.by_epoch[2] is not None
    ledger.stop()


def test_gpus_that_are_not_in_use_do_not_count(tmp_path: Path) -> None:
    steady = [(1.0, 100.0)]
    scripts = {"gpu:0": steady, "gpu:1": [(1.0, 300.0)], "cpu:package-0": steady}
    ledger = virtual_ledger(tmp_path, scripts, devices=("gpu:0",)).start()
    ledger.sleep(10.0)
    ledger.stop()
    found = ledger.summary()
    assert set(found.segments[0].devices) == {"gpu:0", "cpu:package-0"}
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(2000, rel=0.02)


def test_without_any_sensor_joules_are_not_seen(tmp_path: Path) -> None:
    with virtual_ledger(tmp_path, {}) as ledger:
        run_epochs(ledger, (1, 2))
        assert ledger.joules_so_far is None
        assert ledger.power_w is None
    found = read_ledger(tmp_path)
    assert found.energy_j is None
    assert found.by_phase[Phase.TRAIN] is None
    assert found.joules_per_epoch is None
    assert found.projected_j() is None
    assert found.image_count == 2000
    assert found.duration_s == pytest.approx(14.0)


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        virtual_ledger(tmp_path),
        pytest.raises(StoreError, match="another process is training"),
    ):
        virtual_ledger(tmp_path).start()


def test_a_forked_child_writes_nothing_and_lets_go_of_the_lock(tmp_path: Path) -> None:
    ledger = virtual_ledger(tmp_path).start()
    ledger.sleep(1.0)
    before = (tmp_path / "ledger.jsonl").read_text()
    child = os.fork()
    if child == 0:
        with ledger.phase(Phase.TRAIN, 1):
            pass
        ledger.note_epoch(1, loss=0.5)
        ledger.settle(force=True)
        ledger.stop()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "ledger.jsonl").read_text() == before
    ledger.stop()
    assert read_ledger(tmp_path).segments[0].ended == "finished"


def test_hosts_add_up_and_their_devices_are_told_apart(tmp_path: Path) -> None:
    clock = FakeClock()
    for host, power_w in enumerate((100.0, 300.0)):
        script = {"gpu:0": [(1.0, power_w)]}
        ledger = virtual_ledger(tmp_path, script, clock=clock, host=host, host_count=2).start()
        with ledger.phase(Phase.TRAIN, 1) as tally:
            ledger.sleep(10.0)
            tally.item_count = 500
        ledger.note_epoch(1, accuracy=0.5)
        ledger.sleep(1.0)
        ledger.stop()
    found = read_ledger(tmp_path)
    assert {finding.kind for finding in found.findings} & {"host-missing", "other-sensors"} == set()
    assert found.by_phase[Phase.TRAIN] is not None
    assert found.by_phase[Phase.TRAIN].point == pytest.approx(4000, rel=0.01)
    assert found.duration_s == pytest.approx(11.0, abs=0.2)
    assert found.image_count == 1000
    assert [set(segment.devices) for segment in found.segments] == [
        {"host0/gpu:0"},
        {"host1/gpu:0"},
    ]
    reached_j = found.joules_to(0.5)
    assert reached_j is not None
    assert reached_j.point == pytest.approx(4000, rel=0.01)


def test_a_host_whose_ledger_is_elsewhere_is_named(tmp_path: Path) -> None:
    with virtual_ledger(tmp_path, host_count=3, host=1) as ledger:
        ledger.sleep(1.0)
    (missing,) = (one for one in read_ledger(tmp_path).findings if one.kind == "host-missing")
    assert "3 hosts" in missing.observed
    assert "host 0, 2 is not" in missing.observed


def test_an_unwritable_folder_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be written .*No such file"):
        Ledger(
            tmp_path / "none",
            recipe={},
            epochs=1,
            carbon=virtual_ledger(tmp_path)._carbon,
            meters=[],
        ).start()


def test_a_ledger_that_was_not_started_says_how(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has not been started"):
        virtual_ledger(tmp_path).note_epoch(1)


def test_epochs_as_csv_are_read_back_with_joules_by_device_and_phase(tmp_path: Path) -> None:
    frame = pandas.read_csv(io.StringIO(epochs_csv(whole_run(tmp_path).summary())))
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame["accuracy"].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert frame["loss"].isna().all()  # which nobody noted
    assert frame["duration_s"].tolist() == pytest.approx([7.0] * 3, abs=0.1)
    assert frame["energy_j"].tolist() == pytest.approx([1630] * 3, rel=2e-3)
    assert (frame["energy_low_j"] <= frame["energy_j"]).all()
    assert (frame["energy_high_j"] >= frame["energy_j"]).all()
    assert set(frame["energy_basis"]) == {"measured"}
    assert frame["energy_gpu:0_j"].tolist() == pytest.approx([1630] * 3, rel=2e-3)
    assert frame["energy_train_j"].tolist() == pytest.approx([1200] * 3, rel=2e-3)
    assert frame["carbon_g"].tolist() == pytest.approx([1630 / 3.6e6 * 475] * 3, rel=5e-3)
    assert set(frame["carbon_basis"]) == {"assumed"}
    # The joules between two epochs belong to the earlier one, and come after its end.
    assert frame["energy_so_far_j"].tolist() == pytest.approx([1700, 3330, 4960], rel=5e-3)


def test_the_csv_of_a_run_without_an_epoch_is_a_heading(tmp_path: Path) -> None:
    with virtual_ledger(tmp_path) as ledger:
        ledger.sleep(1.0)
    assert epochs_csv(ledger.summary()) == "epoch\n"
