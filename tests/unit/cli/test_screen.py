import re
from dataclasses import replace

from profiler.cli.screen import render_brief
from profiler.render.citations import Sources
from profiler.values.estimate import counted
from profiler.values.findings import Finding, stopped_by_budget
from profiler.values.profile import EnergyPart
from tests.sample import measured, sample_profile

CPU, RAM = "CodeCarbon's model", "20 W for the memory"


def brief(*profiles):
    return render_brief(profiles, [f"runs/{number}" for number in range(len(profiles))])


def two_parts():
    parts = tuple(
        EnergyPart(
            device=device, energy_j=measured(joules, 0.1, "J", source=source), net_energy_j=None
        )
        for device, joules, source in (("cpu", 0.1, CPU), ("ram", 0.3, RAM))
    )
    whole = measured(0.4, 0.1, "J", source=f"{CPU} + {RAM}")
    return replace(sample_profile(cpu=True), energy_j=whole, energy_parts=parts)


def test_a_source_is_written_out_once_and_cited_by_number():
    text = brief(two_parts())
    assert text.count(CPU) == text.count(RAM) == 1
    row = next(line for line in text.splitlines() if line.startswith("energy per image (gross)"))
    assert row.split()[-3:] == ["[2]", "+", "[3]"]


def test_the_parts_stand_under_their_total_per_image_with_their_share():
    lines = brief(two_parts()).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("energy per image (gross)"))
    assert [line.split("  ")[1] for line in lines[at + 1 : at + 3]] == [
        "of it cpu, 25 %",
        "of it ram, 75 %",
    ]
    assert "0.78 ± 0.08 mJ" in lines[at + 1] or "780 ± 80 µJ" in lines[at + 1]


def test_one_profile_fits_on_one_screen():
    text = brief(sample_profile())
    assert len(text.splitlines()) <= 45
    assert max(len(line) for line in text.splitlines()) <= 100


def test_what_was_not_seen_is_said_so():
    text = brief(replace(sample_profile(), energy_j=None, energy_parts=()))
    row = next(line for line in text.splitlines() if line.startswith("energy per image (gross)"))
    assert row.split()[-2:] == ["not", "seen"]


def test_findings_are_said_once_with_their_remedy_and_whose_they_are():
    finding = stopped_by_budget("energy", 0.1, 0.02, 3.0)
    first = replace(sample_profile(), findings=(finding,))
    second = replace(sample_profile(batch_size=1), findings=(finding,))
    assert brief(first, second).count("- energy reached") == 1
    alone = " ".join(brief(first, replace(second, findings=())).split())
    assert "- lightweight, batch 128: energy reached" in alone
    assert "Give more time with --max-seconds" in alone


def test_the_place_of_every_run_is_the_last_thing_said():
    assert brief(sample_profile(), sample_profile(batch_size=1)).splitlines()[-2:] == [
        "stored in runs/0",
        "stored in runs/1",
    ]


def test_without_a_batch_axis_figures_are_per_call():
    profile = sample_profile()
    text = brief(replace(profile, workload=replace(profile.workload, batch_size=None)))
    assert "energy per call (gross)" in text
    assert "per image" not in text
    assert "1 M inferences" not in text


def test_a_name_cannot_move_the_cursor():
    assert "\x1b" not in brief(replace(sample_profile(), name="net\x1b[2J"))


def test_a_part_is_cited_inside_a_source_only_as_whole_words():
    sources = Sources(["timer"])
    assert sources.cite(counted(1, "s", "timer, twice")) == "[1], twice"
    assert sources.cite(counted(1, "s", "timers")) == "[2]"
    assert sources.notes() == ("[1] timer", "[2] timers")


def test_what_was_measured_stands_under_the_headline():
    profile = sample_profile(cpu=True)
    assert brief(profile).splitlines()[3].startswith("inputs 128x3x32x32 (digits), fp32, 1 thread")


def test_items_are_called_what_they_are():
    profile = sample_profile()
    workload = replace(profile.workload, item="generated token")
    text = brief(replace(profile, workload=workload))
    for cell in ("energy per generated token", "energy, 1 M generated tokens"):
        assert re.search(rf"^{cell} .*\n\(gross\)$", text, flags=re.MULTILINE)
    assert "image" not in text


def test_layers_that_were_measured_are_shown_the_slowest_first():
    profile = sample_profile()
    unmeasured = tuple(replace(row, latency_s=None) for row in profile.layers)
    assert "Layers" not in brief(replace(profile, layers=unmeasured))
    rows = [
        replace(profile.layers[0], path=f"layer{number}", latency_s=measured(number, 0.1, "s"))
        for number in range(1, 23)
    ]
    lines = brief(replace(profile, layers=tuple(rows))).splitlines()
    at = lines.index("Layers, the slowest first; 2 more in the stored run")
    assert [line.split()[0] for line in lines[at + 3 : at + 5]] == ["layer22", "layer21"]


def test_findings_are_told_once_for_all_batches_the_decisive_first():
    def at(batch, *findings):
        return replace(sample_profile(batch_size=batch), findings=findings)

    short = [Finding(kind="budget-ended", observed=f"reached {n} %", remedy="wait") for n in (1, 2)]
    everywhere = Finding(kind="idle-drift", observed="idle drifted", remedy="")
    contended = Finding(kind="contended", observed="others", remedy="stop them")
    out = render_brief(
        [at(1, everywhere, short[0], contended), at(2, everywhere, short[1])], ["a", "b"]
    )
    points = [line for line in out.splitlines() if line.startswith("- ")]
    assert [point.split(": ")[-1].split(".")[0] for point in points] == [
        "others",
        "reached 2 %",
        "- idle drifted",
    ]
    assert out.count("Wait.") == 1
