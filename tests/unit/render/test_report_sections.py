"""What the sections of a report say beyond the figures of each run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.render.again_section import again_section
from profiler.render.carbon_section import carbon_section
from profiler.render.labels import labels_of
from profiler.render.places import places_of
from profiler.render.power_section import MOST_POINTS, power_section
from profiler.render.proxy_section import layer_proxy_section, proxy_section
from profiler.render.report import tell
from profiler.render.tradeoff_section import tradeoff_section
from profiler.render.trust_section import trust_section
from profiler.values.estimate import Basis, stated
from profiler.values.quantities import carbon_per_million_g
from profiler.values.trace import CounterTrace, Window
from profiler.values.units import show
from tests.sample import measured, resnet18, sample_profile, sample_traces


def with_accuracy(profile, share: float, data: str = "cifar10: test split"):
    return replace(profile, accuracy=measured(share, 0.01, ""), accuracy_data=data)


def places(*profiles):
    return places_of(profiles, labels_of(profiles))


def test_no_two_runs_are_called_alike() -> None:
    first = sample_profile()
    others = [
        replace(first, workload=replace(first.workload, threads=2)),
        replace(first, workload=replace(first.workload, data="cifar10: test split")),
        replace(first, created_utc="2026-11-23T01:30:00Z"),
        first,
        first,
    ]
    labels = labels_of([first, *others])
    assert len(set(labels)) == 6
    assert labels[1].endswith("threads 2")
    assert labels_of([first, first]) == (
        "lightweight, batch 128, number 1",
        "lightweight, batch 128, number 2",
    )


def test_joules_of_two_places_are_on_no_one_axis() -> None:
    found = places(resnet18(), sample_profile(), sample_profile(batch_size=1), resnet18(cpu=True))
    assert [len(place.members) for place in found] == [2, 1, 1]
    assert [member.label for member in found[0].members] == ["resnet18", "lightweight"]
    unseen = replace(resnet18(), energy_j=None)
    assert places(unseen) == ()


def test_the_front_is_told_and_another_exam_stands_apart() -> None:
    good = with_accuracy(sample_profile("good"), 0.9)
    worse = with_accuracy(sample_profile("worse", energy_j=0.5), 0.8)
    other = with_accuracy(sample_profile("other"), 0.99, "digits")
    section = tradeoff_section(places(good, worse, other))
    assert section is not None
    (table,) = section.tables
    assert [(row[0], row[-1]) for row in table.rows] == [("good", "yes"), ("worse", "no")]
    (chart,) = section.charts
    assert [dot.is_on_front for dot in chart.dots] == [True, False]
    assert chart.dots[0].y == pytest.approx(90)
    assert tradeoff_section(places(good, other)) is None


def test_pairs_that_macs_misjudge_are_listed_and_what_agrees_is_not() -> None:
    grouped = sample_profile("grouped", mac_count=1_000_000, energy_j=2.0)
    dense = sample_profile("dense", mac_count=8_000_000, energy_j=1.0)
    large = sample_profile("large", mac_count=80_000_000, energy_j=9.0)
    section = proxy_section(places(grouped, dense, large))
    assert section is not None
    table = next(each for each in section.tables if each.caption.startswith("Pairs that MACs"))
    (row,) = table.rows
    assert row[:2] == ("grouped", "dense")
    assert row[2].startswith("0.5")
    assert row[3] == "the other way round"
    assert proxy_section(places(dense)) is None


def test_layers_are_fitted_by_themselves() -> None:
    section = layer_proxy_section(places(resnet18(), sample_profile(), sample_profile("third")))
    assert section is not None
    assert len(section.charts) == 2
    assert [row[0] for row in section.tables[0].rows] == ["resnet18", "lightweight", "third"]
    assert {dot.label for dot in section.charts[0].dots} == {
        "features.0",
        "features.3",
        "classifier",
    }


def test_power_is_what_a_counter_moved_over_the_time_between() -> None:
    channel = sample_traces()[0].channel
    trace = CounterTrace(
        channel=channel,
        earliest_s=(10.0, 11.0, 13.0),
        latest_s=(10.0, 11.0, 13.0),
        energy_j=(0.0, 100.0, 140.0),
        epoch=(0, 0, 0),
        last_seen_s=13.0,
    )
    windows = (
        Window(name="block", start_s=11.0, end_s=12.0),
        Window(name="before", start_s=1.0, end_s=2.0),
    )
    profile = replace(resnet18(), traces=(trace,), windows=windows)
    twin = replace(profile, name="twin")
    section = power_section([profile, twin], labels_of([profile, twin]))
    assert section is not None
    (chart,) = section.charts  # of one recording, shown once
    assert chart.lines[0].points == ((0.0, 100.0), (1.0, 100.0), (1.0, 20.0), (3.0, 20.0))
    assert [(span.start, span.end) for span in chart.spans] == [(1.0, 2.0)]
    assert power_section([replace(profile, traces=())], ["x"]) is None


def test_a_long_trace_is_thinned_without_losing_a_joule() -> None:
    count = 10 * MOST_POINTS + 1
    seconds = tuple(float(n) for n in range(count))
    trace = CounterTrace(
        channel=sample_traces()[0].channel,
        earliest_s=seconds,
        latest_s=seconds,
        energy_j=tuple(50.0 * at for at in seconds),
        epoch=(0,) * count,
        last_seen_s=seconds[-1],
    )
    section = power_section([replace(resnet18(), traces=(trace,))], ["x"])
    assert section is not None
    points = section.charts[0].lines[0].points
    assert len(points) <= 2 * MOST_POINTS
    assert {watts for _, watts in points} == {50.0}


def test_grams_of_a_country_are_those_of_its_intensity() -> None:
    profile = resnet18()
    intensities = {"FRA": stated(50.0, "g/kWh", Basis.QUOTED, "table: France")}
    section = carbon_section([profile], ["r"], intensities)
    assert section is not None
    (row,) = section.tables[0].rows
    own = carbon_per_million_g(profile)
    assert row[1].startswith(show(own))
    assert row[2] == show(own.scaled(50 / 369, "g"))
    assert "table: France" in section.notes[0]
    assert carbon_section([replace(profile, carbon=None)], ["r"], intensities) is None


def test_estimated_joules_are_said_to_be_no_measurement() -> None:
    assert "No joule here was measured" in trust_section([resnet18(cpu=True)], ["r"]).paragraphs[0]
    mixed = [resnet18(cpu=True), resnet18()]
    assert "1 of 2 runs were not measured" in trust_section(mixed, ["a", "b"]).paragraphs[0]
    assert "All joules were measured" in trust_section([resnet18()], ["r"]).paragraphs[0]


def test_the_command_that_measures_again_has_what_the_run_had() -> None:
    profile = sample_profile("mine", batch_size=8)
    workload = replace(
        profile.workload,
        model="my net:Net",
        data="digits: 100 images of 8x8",
        channels_last=True,
        dtype="bf16",
        runtime="compile",
        checkpoint="best.safetensors",
    )
    section = again_section([replace(profile, workload=workload)])
    assert section is not None
    assert section.tables[0].rows == (
        (
            "python -m profiler measure --model 'my net:Net' --checkpoint best.safetensors "
            "--device cuda:0 --batch-size 8 --data digits --dtype bf16 --channels-last "
            "--runtime compile --threads 1 --seed 0",
        ),
    )
    given = replace(profile, workload=replace(profile.workload, data="ids:1x128"))
    assert again_section([given]) is None


def test_many_variants_are_one_table_against_their_base_with_details_folded() -> None:
    profiles = [resnet18(), *(sample_profile(f"v{n}") for n in range(4))]
    document = tell(profiles)
    assert document.title == "resnet18 and 4 more"
    against = next(each for each in document.sections if each.title.startswith("Against"))
    assert [row[0] for row in against.tables[0].rows] == ["v0", "v1", "v2", "v3"]
    folded = [section.title for section in document.sections if section.fold]
    assert "v0 against resnet18, batch 128" in folded
    assert "v3, batch 128" in folded
