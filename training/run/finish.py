"""The result of a run, put together and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import scipy.special  # noqa: F401  # before the ledger: the first evaluation is not to pay for it

from profiler.files import write_whole_file
from profiler.ledger import Ledger, LedgerSummary, read_ledger
from profiler.ledger.epochs_csv import epochs_csv
from profiler.ledger.stretches import alike
from profiler.machine.codecarbon_tracker import CodeCarbonTracker
from profiler.machine.contention import CpuWatch, judge_contention
from profiler.machine.environment import describe
from profiler.machine.gpu_watch import GpuWatch
from profiler.measurement.codecarbon import second_opinion
from profiler.values.codecarbon import CodeCarbonOpinion
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from training.checkpoints.header import Info
from training.evaluation.accuracy import top1_accuracy
from training.evaluation.accuracy_note import Tested
from training.result import CurvePoint, TrainingResult, write_result
from training.run_folder import EPOCHS

from .learner import judge_fit
from .loss import teacher_finding
from .optimization import count_parameters
from .precision import judge_precision
from .training_run import Run


def conclude(
    run: Run,
    info: Info,
    stopped_by: str,
    tested: Tested | None,
    watches: tuple[GpuWatch, CpuWatch],
    tracker: CodeCarbonTracker,
    findings: tuple[Finding, ...],
) -> TrainingResult:
    """Put the outcome together, once the ledgers are closed, and write result.json.

    Args:
        run: what ran.
        info: where it stands.
        stopped_by: what ended it.
        tested: None where nothing was tested.
        watches: that looked at GPU and CPU since the start.
        tracker: CodeCarbon's, after its span.
        findings: of opening the sensors.
    """
    gpu_watch, cpu_watch = watches
    run.group.collect(run.folder)
    opinion, opinion_findings = _second_opinion(run, tracker)
    everything = (
        *run.device.findings,
        *findings,
        *run.group.findings,
        *gpu_watch.findings(),
        *(*judge_precision(run.recipe, run.device), *judge_fit(run.recipe, run.learner.fit)),
        # The ranks of one machine are each other's neighbours.
        *(judge_contention(run.device, cpu_watch) if run.group.world_size == 1 else ()),
        *_judge_splits(run),
        *opinion_findings,
    )
    outcome = None
    if run.group.is_first:
        ledger = _closed_ledger(run.folder)
        taught = teacher_finding(run.learner.criterion, ledger)
        outcome = TrainingResult(
            folder=str(run.folder),
            recipe=run.recipe,
            device=run.device.name,
            environment=describe(run.device.label, gpu_watch.facts()),
            data=run.splits.description,
            parameter_count=count_parameters(run.learner.model),
            test_accuracy=None if tested is None else tested.accuracy,
            confusion=None if tested is None else tested.confusion,
            validation_accuracy=_chosen_by(run, info),
            epochs_done=info.epochs_done,
            stopped_by=stopped_by,
            best_epoch=info.best_epoch,
            curve=_settled(info.curve, ledger),
            ledger=ledger,
            codecarbon=opinion,
            findings=everything if taught is None else (*everything, taught),
        )
        write_result(outcome, run.folder)
    shared = run.group.from_first(outcome)
    assert shared is not None
    return shared


def _closed_ledger(folder: Path) -> LedgerSummary:
    """What the ledgers of all hosts come to; its epochs are written beside them, as CSV."""
    ledger = read_ledger(folder)
    write_whole_file(folder / EPOCHS, epochs_csv(ledger))
    return ledger


def _second_opinion(
    run: Run, tracker: CodeCarbonTracker
) -> tuple[CodeCarbonOpinion | None, tuple[Finding, ...]]:
    """CodeCarbon's account beside that of the first host's ledger, of this segment."""
    if not isinstance(run.ledger, Ledger):
        return None, ()
    seen = run.ledger.seen()
    return second_opinion(tracker, seen.traces, alike(seen.windows), seen.now_s)


def _settled(curve: Sequence[CurvePoint], ledger: LedgerSummary) -> tuple[CurvePoint, ...]:
    """The curve with the joules and seconds that the closed ledger infers for its epochs.

    The values shown during the run lack the readings that came later.
    """
    notes = {note.epoch: note for note in ledger.epochs}
    return tuple(
        replace(
            point, energy_j=notes[point.epoch].energy_j, duration_s=notes[point.epoch].duration_s
        )
        if point.epoch in notes
        else point
        for point in curve
    )


def _chosen_by(run: Run, info: Info) -> Estimate | None:
    """The accuracy that chose the best weights, and therefore flatters them."""
    pixels, accuracy = run.splits.validation, info.best_accuracy
    if pixels is None or accuracy is None:
        return None
    total = len(pixels)
    source = f"top-1 on the validation split, {total:,} images, best of {info.epochs_done} epochs"
    return top1_accuracy(round(accuracy * total), total, source)


def _judge_splits(run: Run) -> list[Finding]:
    if run.splits.test is not None:
        return []
    return [
        Finding(
            kind="no-test-split",
            observed=f"'{run.recipe.data}' has no test split: no accuracy of the trained model on "
            "images that chose nothing is known",
            remedy="put some images aside, into a folder test or a file test.parquet",
        )
    ]
