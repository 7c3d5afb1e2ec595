from dataclasses import replace

from profiler.comparison.verdicts import compare
from profiler.values.estimate import Basis, Estimate
from tests.sample import sample_profile


def joules(point: float, half_width: float) -> Estimate:
    return Estimate(
        point=point, low=point - half_width, high=point + half_width, unit="J", confidence=0.95,
        basis=Basis.ASSUMED, source="a constant",
    )  # fmt: skip


def test_a_number_prints_with_its_interval_and_basis() -> None:
    number = joules(0.567, 0.022)
    assert str(number) == f"{number}" == "570 ± 20 mJ (assumed)"
    assert repr(number) == "<Estimate 570 ± 20 mJ (assumed) of 0.567 J: a constant>"


def test_a_profile_prints_its_figures_and_not_its_traces() -> None:
    profile = replace(sample_profile(), energy_j=joules(0.567, 0.022))
    lines = str(profile).splitlines()
    assert lines[0].startswith(f"{profile.name}: 128x3x32x32 on ")
    assert [line.split(maxsplit=1)[1] for line in lines if " energy_j " in line] == [
        "570 ± 20 mJ (assumed)"
    ]
    assert repr(profile) == str(profile)
    assert len(lines) < 30


def test_figures_and_layers_go_to_pandas() -> None:
    profile = sample_profile()
    frame = profile.to_pandas().set_index("figure")
    assert profile.latency_s is not None
    assert frame.loc["latency_s", "value"] == profile.latency_s.point
    assert frame.loc["latency_s", "unit"] == "s"
    assert frame.loc["mac_count", "basis"] == "counted"
    assert len(profile.layers_to_pandas()) == len(profile.layers)


def test_a_comparison_prints_ratios_and_verdicts() -> None:
    base = sample_profile()
    assert base.energy_j is not None
    half = replace(base, name="half", energy_j=base.energy_j.scaled(0.5, "J"))
    comparison = compare(base, half)
    text = str(comparison)
    assert text.startswith(f"half against {base.name}:")
    assert "less" in text
    frame = comparison.to_pandas().set_index("figure")
    assert (
        round(frame.loc["energy_j" if not comparison.per_item else "energy_per_item_j", "value"], 6)
        == 0.5
    )
