"""A pickled or copied recording can be read, and no more."""

from __future__ import annotations

import copy
import pickle

import pytest

from profiler.errors import UsageError
from profiler.recording.recording import Recording, record
from tests.virtual.nvml import Scenario, VirtualGpu
from tests.virtual.power import constant
from tests.virtual.recording import virtual_recording


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_a_copy_tells_the_same_as_the_recording(copied) -> None:
    gpu = VirtualGpu(script=constant(300, 60).at(1000.0))
    with virtual_recording(Scenario(gpus=(gpu,))) as recording:
        recording.sleep(0.5)
        with recording.window("work"):
            recording.sleep(2.0)
        recording.begin("open")
        running = copied(recording)
        recording.sleep(0.5)
    past = copied(recording)
    assert past["work"] == recording["work"]
    assert past.windows == recording.windows
    assert past.traces == recording.traces
    assert past.findings == recording.findings
    assert running["work"].energy_j is not None
    assert running.windows[-1].end_s == running.now_s
    assert copied(past)["work"] == past["work"]


def test_a_copy_records_nothing_more() -> None:
    with Recording([]) as recording:
        past = pickle.loads(pickle.dumps(recording))
    with pytest.raises(UsageError, match="copy of a recording"):
        past.begin("more")
    with pytest.raises(UsageError):
        past.end("more")
    past.stop()


def test_a_recording_that_has_not_begun_can_be_pickled_and_started() -> None:
    past = pickle.loads(pickle.dumps(record(without="nvml")))
    with pytest.raises(UsageError, match="not been started"):
        past.windows  # noqa: B018 # reading it is the test
