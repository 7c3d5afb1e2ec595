"""What is said of a run-time before any number."""

from __future__ import annotations

import math

from profiler.cli.screen import render_brief
from profiler.render.citations import Sources
from profiler.render.deployment_table import deployment_sentences, deployment_table
from profiler.values.applied_transform import LeftAlone
from profiler.values.deployment import Deployment
from profiler.values.estimate import Basis, Estimate, counted, stated
from profiler.values.units import show
from tests.sample import measured, sample_profile

SECONDS = stated(1.25, "s", Basis.MEASURED, "monotonic clock, once")


def deployment(**changes: object) -> Deployment:
    values: dict[str, object] = {
        "runtime": "onnxruntime",
        "version": "1.32.0",
        "precision": "int8",
        "export_s": SECONDS,
        "file_bytes": counted(270_000, "B", "the files that are deployed"),
        "sqnr_db": measured(42.5, 0.01, "dB", "256 items of digits, against eager torch"),
        "top1_agreement": Estimate(
            point=0.996, low=0.978, high=0.999, unit="", confidence=0.95, basis=Basis.MEASURED,
            source="256 items of digits",
        ),
        "as_asked_count": 6,
        **changes,
    }  # fmt: skip
    return Deployment(**values)  # type: ignore[arg-type] # any field may be replaced


def test_agreement_comes_first_with_its_interval_and_what_it_was_seen_on() -> None:
    first, second = deployment_sentences(deployment())
    assert first == (
        "Run by onnxruntime 1.32.0 in int8, which agrees with eager torch: 42.5 ± 0.4 dB (256 "
        "items of digits, against eager torch), first guess the same for 0.996 [0.978, 0.999] of "
        "them."
    )
    assert second == "6 layers run in int8; nothing fell back."


def test_layers_that_fell_back_are_named_and_the_rest_counted() -> None:
    left = tuple(LeftAlone(layer=f"layer{n}", reason="runs in fp32") for n in range(5))
    (_, second) = deployment_sentences(deployment(fell_back=left))
    assert second.endswith("layer1 runs in fp32; layer2 runs in fp32; and 2 more.")


def test_the_same_answers_are_said_to_be_identical() -> None:
    sqnr_db = stated(math.inf, "dB", Basis.MEASURED, "2 items of noise")
    first, _ = deployment_sentences(deployment(sqnr_db=sqnr_db, top1_agreement=None))
    assert "identical (2 items of noise)" in first


def test_agreement_that_was_not_seen_is_said_so() -> None:
    first, _ = deployment_sentences(deployment(sqnr_db=None, top1_agreement=None))
    assert first.endswith("whose agreement with eager torch was not seen.")


def test_the_table_holds_what_was_seen_and_no_more() -> None:
    table = deployment_table(deployment(export_s=None), Sources())
    assert [row[0] for row in table.rows] == [
        "signal to noise against eager torch",
        "first guess as eager torch",
        "deployed file",
    ]
    assert table.rows[2][1] == show(counted(270_000, "B", ""))


def test_a_terminal_shows_agreement_before_any_number() -> None:
    from dataclasses import replace

    profile = sample_profile()
    workload = replace(profile.workload, runtime="onnxruntime")
    shown = render_brief([replace(profile, workload=workload, deployment=deployment())], ["run"])
    assert shown.index("agrees with eager torch") < shown.index("latency per call")
