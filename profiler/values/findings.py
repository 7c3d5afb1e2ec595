"""What a reader must know before trusting a number: values, not log lines.

Every judgement of the product is made in this module; renderers only print it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .plain_text import few_digits, some_of

CONTENDED = "contended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation about a measurement, and what the reader can do about it.

    Args:
        kind: a stable slug for machines ("too-short", "throttled", "sensor-lost", ...).
        observed: one sentence with the values that were seen.
        remedy: the command, flag or habit that mends it; "" where there is nothing to do.
    """

    kind: str
    observed: str
    remedy: str


def in_sentences(observed: str, remedy: str) -> str:
    """What was observed, and then what to do about it, for a list of points."""
    advice = f". {remedy[:1].upper()}{remedy[1:]}" if remedy else ""
    return f"{observed}{advice}."


def no_sensor() -> Finding:
    """Nothing on this machine could be read."""
    return Finding(
        kind="no-sensor",
        observed="no energy sensor of this machine could be read",
        remedy="run `python -m profiler doctor` to see what is there and what it needs",
    )


def forked() -> Finding:
    """The process was forked after the recording had started."""
    return Finding(
        kind="forked",
        observed="this process was forked from the one that records, and samples nothing itself",
        remedy="start a recording of its own in the child process",
    )


def windows_forgotten(count: int) -> Finding:
    """More windows were opened than a recording keeps."""
    return Finding(
        kind="windows-forgotten",
        observed=f"the {count} oldest windows of the names used most often are no longer kept: "
        "what is shown of these names covers the later ones",
        remedy="read windows as they close, or open one for many steps",
    )


def not_recorded(meter: str, reason: str) -> Finding:
    """A meter could not be sampled."""
    return Finding(
        kind="not-recorded",
        observed=f"the sensors of {meter} were not recorded: {reason}",
        remedy="allow this user more threads (ulimit -u, or the container's --pids-limit)",
    )


def journal_ended(reason: str) -> Finding:
    """The journal of a recording could not be written any more."""
    return Finding(
        kind="journal-ended",
        observed=f"the journal could not be written to its end: {reason}",
        remedy="make room on that disk, or allow more threads; the recording itself is whole",
    )


def fell_back_to_cpu(reason: str) -> Finding:
    """`auto` found no GPU."""
    return Finding(
        kind="cpu-fallback",
        observed=f"the model ran on the CPU because {reason}",
        remedy="ask for a GPU with --device cuda to make its absence an error",
    )


def stopped_by_budget(
    quantity: str, reached: float | None, asked: float, spent_s: float
) -> Finding:
    """Time ran out before the interval was as narrow as asked."""
    how_far = (
        "has no interval yet" if reached is None else f"reached ±{few_digits(100 * reached)} %"
    )
    return Finding(
        kind="budget-ended",
        observed=f"{quantity} {how_far} in {spent_s:.0f} s; ±{few_digits(100 * asked)} % was asked "
        "for",
        remedy="give more time with --max-seconds, quieten the machine, or relax --precision",
    )


def never_steady(spent_s: float) -> Finding:
    """Warm-up ended with the latency still moving."""
    return Finding(
        kind="not-steady",
        observed=f"latency still had a trend after {spent_s:.1f} s of warm-up",
        remedy="give more time with --max-seconds, or stop what else runs on this machine",
    )


def idle_drifted(before_w: float, after_w: float) -> Finding:
    """Idle power before and after the measurement disagree."""
    return Finding(
        kind="idle-drift",
        observed=f"idle power was {before_w:.1f} W before and {after_w:.1f} W after",
        remedy="net joules carry this in their interval; let the device cool, or use gross joules",
    )


def estimate_only(device: str, source: str) -> Finding:
    """No sensor covered the device: its joules are a model's."""
    return Finding(
        kind="estimate-only",
        observed=f"the joules of {device} are not measured: {source}",
        remedy="run `python -m profiler doctor` to see which sensor is missing and what it needs",
    )


def cpu_not_measured(remedy: str) -> Finding:
    """No counter covers this machine's CPU; `remedy` says what would show one."""
    return Finding(
        kind="estimate-only",
        observed="no sensor measures this machine's CPU and memory: CodeCarbon estimates them",
        remedy=remedy,
    )


def no_second_opinion(devices: Sequence[str] = ()) -> Finding:
    """What is shown and what would check it are one and the same model; () for all of it."""
    what = f"the joules of {' and '.join(devices)}" if devices else "the joules"
    return Finding(
        kind="no-second-opinion",
        observed=f"no sensor measured {what}: they are CodeCarbon's model already, and nothing "
        "independent stands beside them",
        remedy="run `python -m profiler doctor` to see which sensor is missing and what it needs",
    )


def part_assumed(device: str, share: float) -> Finding:
    """A large share of a total rests on an assumption."""
    return Finding(
        kind="assumed-share",
        observed=f"{share:.0%} of the joules are assumed for {device}",
        remedy="read energy_parts for the rest alone",
    )


def nonfinite_weights(names: tuple[str, ...]) -> Finding:
    """The model computes with NaN or infinity."""
    return Finding(
        kind="non-finite-weights",
        observed=f"weights hold NaN or infinity: {', '.join(names)}",
        remedy="load a sound checkpoint; arithmetic on such values can draw other power",
    )


def accuracy_not_taken(checkpoint: str, reason: str) -> Finding:
    """A checkpoint states an accuracy that does not hold for what was measured."""
    return Finding(
        kind="accuracy-not-taken",
        observed=f"the accuracy that '{checkpoint}' states is left out: {reason}",
        remedy="measure the model, image size and --dtype that the checkpoint was evaluated with",
    )


def contended(other_cpus: float, threads: int, cpu_count: int) -> Finding:
    """Other work took CPUs that the model's threads needed."""
    return Finding(
        kind=CONTENDED,
        observed=f"other work kept {other_cpus:.1f} of {cpu_count} CPUs busy while the model ran "
        f"on {threads} thread(s): its time and joules hold for that state only",
        remedy="stop the other work, or leave room for it with --threads",
    )


def throttled(reasons: str) -> Finding:
    """The GPU slowed itself down."""
    return Finding(
        kind="throttled",
        observed=f"the GPU lowered its clocks while it was measured ({reasons})",
        remedy="see its power limit and cooling; numbers hold for this state only",
    )


def warmed_up(before_c: float, after_c: float) -> Finding:
    """The device was not at a constant temperature; hotter silicon draws more."""
    return Finding(
        kind="temperature-drift",
        observed=f"the device went from {before_c:.0f} to {after_c:.0f} degrees Celsius",
        remedy="warm it up longer with --max-seconds; leakage grows with temperature",
    )


def variant_note(note: str) -> Finding:
    """What a transform did that the reader must know."""
    return Finding(
        kind="variant",
        observed=note,
        remedy="",
    )


def inputs_renewed(paths: tuple[str, ...]) -> Finding:
    """The model writes into its inputs, so that a second call would see other values."""
    return Finding(
        kind="inputs-renewed",
        observed=f"the model changes its inputs ({some_of(paths)}): they are put back before every "
        "call, and that is inside latency and joules",
        remedy="let the model write to tensors of its own",
    )


def state_renewed(paths: tuple[str, ...]) -> Finding:
    """The model keeps something from call to call."""
    return Finding(
        kind="state-renewed",
        observed=f"the model keeps state between calls ({some_of(paths)}): it is put back to what "
        "it was before every call, and that is inside latency and joules",
        remedy="numbers hold for a call from the state in which the model was given",
    )


def state_not_renewed(paths: tuple[str, ...]) -> Finding:
    """What calls change and nothing can put back."""
    return Finding(
        kind="state-not-renewed",
        observed=f"every call changes {some_of(paths)}, which cannot be put back: no two calls are "
        "alike",
        remedy="let the model leave it as it is, or read the numbers as means over such calls",
    )


def gradients_on() -> Finding:
    """The model differentiates inside its forward."""
    return Finding(
        kind="gradients-on",
        observed="the model asks for gradients inside its forward: it is called with gradients on",
        remedy="numbers include what autograd keeps for them",
    )
