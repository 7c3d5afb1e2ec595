"""A training ledger on a clock that jumps, with sensors whose truth is known.

ledger = virtual_ledger(folder, power_w=100.0).start()
with ledger.phase(Phase.TRAIN, 1):
    ledger.sleep(2.0)
ledger.stop()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from profiler.ledger import Ledger
from profiler.machine.carbon import carbon_factors
from profiler.meters import OpenMeter
from profiler.meters.synthetic import PowerScript, SyntheticMeter
from profiler.recording.recording import Recording
from tests.virtual.clock import FakeClock
from tests.virtual.recording import VirtualRecorder, VirtualRecording

STEADY = ((1.0, 100.0),)


class VirtualLedger(Ledger):
    """A ledger whose time passes only in `sleep`."""

    clock: FakeClock
    sensor_clock: FakeClock
    truth: Mapping[str, SyntheticMeter]

    def _new_recording(self, meters: Sequence[OpenMeter], journal: Path | None) -> Recording:
        return VirtualRecording(meters, self.clock, self.sensor_clock, journal=journal)

    @property
    def recorder(self) -> VirtualRecorder:
        recorder = self._running().recorder
        assert isinstance(recorder, VirtualRecorder)
        return recorder

    def sleep(self, duration_s: float) -> None:
        self.recorder.pass_time(duration_s)

    def journal_now(self) -> None:
        """What the journal's thread does every second."""
        journal = self._running().recording.journal
        assert journal is not None
        journal.append()

    def die(self) -> None:
        """What a killed process does not do: nothing is stopped, nothing is written any more."""
        journal = self._running().recording.journal
        assert journal is not None
        journal._stop.set()
        journal._thread.join()
        if journal._file is not None:
            journal._file.close()
            journal._file = None
        self._file.close()

    def energy_between_j(self, start_s: float, end_s: float, device: str = "gpu:0") -> float:
        return self.truth[device].energy_between_j(start_s, end_s)


def virtual_ledger(
    folder: Path,
    scripts: Mapping[str, PowerScript] | None = None,
    *,
    clock: FakeClock | None = None,
    epochs: int = 10,
    host: int = 0,
    host_count: int = 1,
    devices: Sequence[str] | None = None,
    update_period_s: float = 0.01,
    with_power: bool = False,
) -> VirtualLedger:
    """A ledger on synthetic counters, 100 W on gpu:0 if nothing else is asked for.

    Args:
        folder: of the run.
        scripts: power of each device by name, as `SyntheticMeter` takes it, from now on.
        clock: where the time comes from.
        epochs: of the whole run.
        host: number of the host.
        host_count: how many there are.
        devices: the GPUs in use.
        update_period_s: of every counter; a fast one has no lag to be looked for, which is quick.
        with_power: whether each device has a power sensor besides.
    """
    clock = clock or FakeClock()
    sensor_clock = FakeClock(clock.now_s())
    truth = {
        device: SyntheticMeter(
            power_w,
            update_period_s=update_period_s,
            clock=sensor_clock,
            device=device,
            with_power=with_power,
        )
        for device, power_w in ({"gpu:0": STEADY} if scripts is None else scripts).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    ledger = VirtualLedger(
        folder,
        recipe={"model": "lightweight", "epochs": epochs},
        epochs=epochs,
        carbon=carbon_factors(),
        host=host,
        host_count=host_count,
        meters=[(meter, meter.open()) for meter in truth.values()],
        devices=devices,
        clock=clock,
    )
    ledger.clock, ledger.sensor_clock, ledger.truth = clock, sensor_clock, truth
    return ledger
