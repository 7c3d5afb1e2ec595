from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.values.estimate import Basis, counted, stated
from profiler.values.profile import EnergyPart
from reports.claims.factor_split import (
    CAUSES,
    HOST,
    IDLE,
    MACS,
    PJ_PER_MAC,
    UNIT,
    ProxyClaim,
    split_energy,
    split_ratio,
)
from reports.claims.study import load_claims
from reports.sections.split import split_sections
from tests.sample import measured, resnet18, sample_profile

CLAIM = ProxyClaim(energy_kwh=0.02, mac_count=15.8e6, pj_per_mac=4.6)


def joules(point: float):
    return measured(point, 0.01, "J")


def on_gpu(gross_j: float, net_j: float, host_j: float, macs: float = 12_159_488, batch: int = 1):
    profile = sample_profile(batch_size=batch)
    return replace(
        profile,
        mac_count=counted(macs * batch, "MAC", "counted"),
        energy_parts=(
            EnergyPart(device="gpu:0", energy_j=joules(gross_j), net_energy_j=joules(net_j)),
            EnergyPart(
                device="cpu:package-0", energy_j=joules(host_j), net_energy_j=None, in_total=False
            ),
        ),
    )


positive = st.floats(1e-6, 1e6)


@given(positive, st.floats(0.01, 1), positive, st.floats(1e3, 1e12), st.integers(1, 512))
def test_the_factors_multiply_to_the_whole(gross, share, host, macs, batch):
    split = split_energy(CLAIM, on_gpu(gross, gross * share, host, macs, batch))
    whole = (gross + host) / batch / (0.02 * 3.6e6 / 1e6)
    assert split.whole.point == pytest.approx(whole)
    assert math.prod(factor.ratio.point for factor in split.factors) == pytest.approx(whole)
    assert [factor.cause for factor in split.factors] == list(CAUSES)


def test_each_cause_has_its_own_factor():
    split = split_energy(CLAIM, on_gpu(2e-3, 1e-3, 2e-3))
    by = {factor.cause: factor.ratio for factor in split.factors}
    assert by[MACS].point == pytest.approx(12_159_488 / 15.8e6)
    assert by[MACS].basis is Basis.COUNTED
    assert by[PJ_PER_MAC].point == pytest.approx(1e-3 / 12_159_488 / 4.6e-12)
    assert by[UNIT].point == pytest.approx(1e-3, rel=0.02)  # kWh written for Wh
    assert by[UNIT].basis is Basis.QUOTED
    assert by[IDLE].point == pytest.approx(2)
    assert by[HOST].point == pytest.approx(2)


def test_a_second_sensor_of_the_host_is_not_added():
    profile = on_gpu(2e-3, 1e-3, 2e-3)
    modelled = stated(9.0, "J", Basis.ESTIMATED, "CodeCarbon")
    more = EnergyPart(device="cpu", energy_j=modelled, net_energy_j=None, in_total=False)
    doubled = replace(profile, energy_parts=(*profile.energy_parts, more))
    assert split_energy(CLAIM, doubled) == split_energy(CLAIM, profile)


def test_the_memory_of_a_cpu_is_its_host():
    profile = sample_profile(cpu=True)
    cpu, ram = profile.energy_parts
    net = replace(profile, energy_parts=(replace(cpu, net_energy_j=cpu.energy_j), ram))
    by = {factor.cause: factor.ratio.point for factor in split_energy(CLAIM, net).factors}
    assert by[HOST] == pytest.approx(1 / 0.4)
    assert by[IDLE] == pytest.approx(1)


def test_without_net_joules_idle_power_is_said_to_be_inside_the_picojoules():
    profile = on_gpu(2e-3, 1e-3, 0.1)
    for net in (None, counted(0.0, "J", "nothing left")):
        part = replace(profile.energy_parts[0], net_energy_j=net)
        split = split_energy(CLAIM, replace(profile, energy_parts=(part,)))
        by = {factor.cause: factor for factor in split.factors}
        assert by[IDLE].ratio.point == by[HOST].ratio.point == 1
        assert by[IDLE].here == "inside pJ per MAC"
        assert by[PJ_PER_MAC].ratio.point == pytest.approx(2e-3 / 12_159_488 / 4.6e-12)
        assert math.prod(f.ratio.point for f in split.factors) == pytest.approx(split.whole.point)


def test_without_macs_or_items_there_is_no_split():
    profile = on_gpu(2e-3, 1e-3, 0.1)
    assert split_energy(CLAIM, replace(profile, mac_count=None)) is None
    commandlike = replace(profile.workload, batch_size=None)
    assert split_energy(CLAIM, replace(profile, workload=commandlike)) is None


def test_the_split_of_a_ratio_is_factor_by_factor():
    large = ProxyClaim(energy_kwh=0.7, mac_count=555.5e6, pj_per_mac=4.6)
    over = split_energy(large, on_gpu(9e-3, 6e-3, 2e-3, 555_468_800))
    under = split_energy(CLAIM, on_gpu(2e-3, 1e-3, 2e-3))
    split = split_ratio(over, under)
    assert math.prod(f.ratio.point for f in split.factors) == pytest.approx(split.whole.point)
    assert split.whole.point == pytest.approx((11e-3 / 4e-3) / 35)


@pytest.mark.parametrize("field", ["energy_kwh", "mac_count", "pj_per_mac"])
def test_a_claim_of_nothing_is_no_claim(field):
    with pytest.raises(ValueError, match=field):
        replace(CLAIM, **{field: 0.0})


def test_the_report_has_a_table_for_each_energy_and_their_ratio():
    (study,) = (study for study in load_claims() if study.id == "lightweight-vs-resnet18")
    small = on_gpu(2e-3, 1e-3, 2e-3)
    large = replace(resnet18(), energy_parts=on_gpu(9e-3, 6e-3, 2e-3).energy_parts)
    large = replace(large, workload=replace(small.workload, model="resnet18"))
    (section,) = split_sections([study], [small, large])
    assert [table.caption.partition(":")[0] for table in section.tables] == [
        "lightweight", "resnet18", "resnet18 / lightweight",
    ]  # fmt: skip
    assert section.tables[0].rows[-1][0] == "here / paper"
    assert split_sections([study], []) == ()
