from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.meters import open_meter
from profiler.meters.hwmon import HwmonMeter
from profiler.meters.plausible import (
    HIGHEST_ENERGY_J,
    ImplausibleError,
    check_plausible,
    highest_power_w,
)
from profiler.values.trace import Channel, ChannelKind
from tests.virtual.clock import FakeClock
from tests.virtual.sysfs import SysfsTree


def power(device: str) -> Channel:
    return Channel(device=device, kind=ChannelKind.POWER, source="a meter")


COUNTER = Channel(device="psys", kind=ChannelKind.ENERGY, source="a counter")


@pytest.mark.parametrize("device", ["gpu:0", "cpu:package-0", "board", "battery:BAT0", "psys:1"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0xFFFFFFFF / 1e3, 0xFFFFFFFF / 1e6])
def test_what_no_power_can_be_is_refused_and_named(device: str, value: float) -> None:
    with pytest.raises(ImplausibleError, match=device):
        check_plausible(power(device), value)


@pytest.mark.parametrize("value", [math.nan, -1.0, (2**63 - 1) / 1e6, (2**64 - 1) / 1e6])
def test_what_no_counter_can_show_is_refused(value: float) -> None:
    with pytest.raises(ImplausibleError):
        check_plausible(COUNTER, value)


@given(share=st.floats(0, 0.999))
def test_what_lies_within_the_bounds_is_taken(share: float) -> None:
    check_plausible(power("gpu:0"), share * 4000)
    check_plausible(COUNTER, share * HIGHEST_ENERGY_J)


def test_the_bound_is_said() -> None:
    with pytest.raises(ImplausibleError, match="above the 5e\\+03 W that are believed"):
        check_plausible(power("gpu:3/memory"), 6000.0)
    assert highest_power_w("gpu:3/memory") == 5000


@pytest.mark.parametrize("shown_uw", [0xFFFFFFFF * 1000, 0xFFFFFFFF, -5])
def test_a_meter_that_shows_the_impossible_is_a_finding_and_no_channel(tmp_path, shown_uw) -> None:
    clock = FakeClock()
    tree = SysfsTree(tmp_path, clock.now_s)
    tree.add("hwmon0/name", "power_meter")
    tree.add("hwmon0/power1_average", shown_uw)
    meter = HwmonMeter(tree.root, tree.root / "absent", reader=tree)
    channels, (finding,) = open_meter(meter, clock=clock)
    assert channels == ()
    assert finding.kind == "sensor-implausible"
    assert "board:power" in finding.observed
