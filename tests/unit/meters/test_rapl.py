from __future__ import annotations

import errno
from pathlib import Path

import pytest

from profiler.errors import SensorError
from profiler.meters.rapl import RaplMeter
from profiler.values.trace import Channel
from tests.virtual.clock import FakeClock
from tests.virtual.power import constant
from tests.virtual.sysfs import SysfsTree, add_domain, add_rapl, counter_uj


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tree(tmp_path: Path, clock: FakeClock) -> SysfsTree:
    return SysfsTree(tmp_path, clock.now_s)


def opened(tree: SysfsTree) -> tuple[RaplMeter, dict[str, Channel]]:
    meter = RaplMeter(tree.root, reader=tree)
    return meter, {channel.device: channel for channel in meter.open()}


def test_each_energy_is_shown_once_and_known_by_what_holds_it(tree, clock) -> None:
    add_rapl(tree, constant(100).at(clock.now_s()))
    _, channels = opened(tree)
    assert set(channels) == {"cpu:package-0", "cpu:package-0/core", "dram:package-0", "psys"}
    assert channels["cpu:package-0"].contains == ("cpu:package-0/core",)
    assert set(channels["psys"].contains) == set(channels) - {"psys"}
    assert channels["dram:package-0"].contains == ()


def test_two_sockets_are_two_packages(tree, clock) -> None:
    script = constant(100).at(clock.now_s())
    add_domain(tree, "intel-rapl:0", "package-0", counter_uj(script, start_uj=5e6))
    add_domain(tree, "intel-rapl:1", "package-1", counter_uj(script, start_uj=7e6))
    assert set(opened(tree)[1]) == {"cpu:package-0", "cpu:package-1"}


@pytest.mark.parametrize("second", ["psys-1", "psys"])
def test_each_socket_has_its_platform_which_holds_it_alone(tree, clock, second) -> None:
    script = constant(100).at(clock.now_s())
    add_domain(tree, "intel-rapl:0", "package-0", counter_uj(script))
    add_domain(tree, "intel-rapl:1", "package-1", counter_uj(script))
    add_domain(tree, "intel-rapl:1:0", "dram", counter_uj(script))
    add_domain(tree, "intel-rapl:2", "psys", counter_uj(script, share=2))
    add_domain(tree, "intel-rapl:3", second, counter_uj(script, share=2))
    _, channels = opened(tree)
    assert set(channels) == {"cpu:package-0", "cpu:package-1", "dram:package-1", "psys", "psys:1"}
    assert channels["psys"].contains == ("cpu:package-0",)
    assert channels["psys:1"].contains == ("cpu:package-1", "dram:package-1")


def test_one_platform_holds_both_sockets(tree, clock) -> None:
    script = constant(100).at(clock.now_s())
    for number in (0, 1):
        add_domain(tree, f"intel-rapl:{number}", f"package-{number}", counter_uj(script))
    add_domain(tree, "intel-rapl:2", "psys", counter_uj(script, share=3))
    assert opened(tree)[1]["psys"].contains == ("cpu:package-0", "cpu:package-1")


def masked(folder: Path) -> Path:
    """A class folder whose links lead nowhere, as under Docker."""
    root = folder / "class" / "powercap"
    root.mkdir(parents=True)
    for name in ("intel-rapl", "intel-rapl:0", "intel-rapl:0:0"):
        (root / name).symlink_to(f"../../devices/virtual/powercap/{name}")
    return root


def test_masked_counters_are_named_with_the_mount_that_mends_it(tmp_path) -> None:
    with pytest.raises(SensorError, match="masks /sys/devices/virtual/powercap") as caught:
        RaplMeter(masked(tmp_path), host_root=tmp_path / "absent").open()
    assert "-v /sys:/host/sys:ro" in caught.value.hint


def test_behind_a_mask_the_mounted_folder_of_the_host_is_read(tree, clock, tmp_path) -> None:
    add_domain(tree, "host/intel-rapl:0", "package-0", counter_uj(constant(9).at(clock.now_s())))
    (channel,) = RaplMeter(masked(tmp_path), host_root=tree.root / "host").open()
    assert channel.device == "cpu:package-0"


def test_a_die_that_mirrors_its_package_is_left_out_with_its_parts(tree, clock) -> None:
    script = constant(100).at(clock.now_s())
    add_domain(tree, "intel-rapl:0", "package-0-die-0", counter_uj(script))
    add_domain(tree, "intel-rapl:1", "package-0-die-1", counter_uj(script))
    add_domain(tree, "intel-rapl:1:0", "core", counter_uj(script, share=0.5))
    assert set(opened(tree)[1]) == {"cpu:package-0-die-0"}


def test_mmio_alone_is_read(tree, clock) -> None:
    add_domain(tree, "intel-rapl-mmio:0", "package-0", counter_uj(constant(100)))
    assert set(opened(tree)[1]) == {"cpu:package-0"}


def test_the_raw_counter_wraps_where_the_channel_says(tree, clock) -> None:
    add_rapl(tree, constant(100).at(clock.now_s()), wrap_uj=10e6)
    meter, channels = opened(tree)
    package = channels["cpu:package-0"]
    assert package.wrap_j == 10.0
    before_j = meter.read(package)
    clock.advance(0.06)
    after_j = meter.read(package)
    clock.advance(0.04)
    assert after_j - before_j == pytest.approx(6 - (10 if after_j < before_j else 0), abs=0.01)
    assert meter.read(package) == pytest.approx(before_j, abs=0.01)


def test_unreadable_counters_are_an_error_with_the_commands_that_mend_it(tree, clock) -> None:
    add_rapl(tree, constant(100).at(clock.now_s()))
    tree.deny("*/energy_uj")
    with pytest.raises(SensorError, match="root only") as caught:
        opened(tree)
    assert "sudo chmod a+r" in caught.value.hint
    assert "udev" in caught.value.hint


def test_some_unreadable_counters_are_a_finding(tree, clock) -> None:
    add_rapl(tree, constant(100).at(clock.now_s()))
    tree.deny("intel-rapl:1/energy_uj")
    meter, channels = opened(tree)
    assert "psys" not in channels
    assert "cpu:package-0" in channels
    assert "sudo chmod" in meter.findings[0].remedy


def test_a_counter_that_has_no_value_yet_is_told_and_asked_again(tree, clock) -> None:
    add_rapl(tree, constant(100).at(clock.now_s()))
    tree.deny("intel-rapl:1/energy_uj", errno.ENODATA)
    meter, channels = opened(tree)
    assert [finding.kind for finding in meter.findings] == ["sensor-silent"]
    with pytest.raises(SensorError):
        meter.read(channels["psys"])
    tree.forgive()
    assert meter.read(channels["psys"]) > 0


def test_a_domain_that_vanishes_raises_and_may_come_back(tree, clock) -> None:
    add_rapl(tree, constant(100).at(clock.now_s()))
    meter, channels = opened(tree)
    tree.remove("intel-rapl:0")
    with pytest.raises(SensorError, match="intel-rapl:0"):
        meter.read(channels["cpu:package-0"])
    assert meter.read(channels["psys"]) > 0


@pytest.mark.parametrize("content", [{}, {"dtpm/enabled": "1"}, {"intel-rapl:0/name": "package-0"}])
def test_a_machine_without_counters_has_no_channels(tree, content) -> None:
    for path, text in content.items():
        tree.add(path, text)
    meter, channels = opened(tree)
    assert channels == {}
    assert meter.findings == ()


def test_a_missing_root_has_no_channels(tmp_path) -> None:
    assert RaplMeter(tmp_path / "absent").open() == ()


def test_files_written_by_tick_read_the_same_without_the_stand_in(tree, clock) -> None:
    add_rapl(tree, constant(100).at(clock.now_s()))
    plain = RaplMeter(tree.root)
    package = plain.open()[0]
    before_j = plain.read(package)
    clock.advance(3)
    tree.tick()
    assert plain.read(package) - before_j == pytest.approx(300)


def test_a_counter_whose_name_may_not_be_read_is_told(tree, clock) -> None:
    add_rapl(tree, constant(100).at(clock.now_s()))
    tree.deny("intel-rapl:1/name")
    meter, channels = opened(tree)
    assert "psys" not in channels
    (finding,) = meter.findings
    assert finding.kind == "sensor-unreadable"
    assert "intel-rapl:1/name" in finding.observed
    assert f"chmod a+r {tree.root}/*/name" in finding.remedy
