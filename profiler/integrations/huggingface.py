"""A callback for the Hugging Face Trainer: joules of `train`, of each epoch, evaluation and save.

    from transformers import Trainer
    from profiler.integrations.huggingface import EnergyCallback

    energy = EnergyCallback()
    trainer = Trainer(model, args, train_dataset=data, callbacks=[energy])
    trainer.train()
    print(energy.summary())
    card.data["co2_eq_emissions"] = energy.co2_eq_emissions("FRA", training_type="fine-tuning")

Reporters (TensorBoard, W&B, ...) and `state.log_history` get `energy_j/train_epoch`,
`energy_j/evaluate` and `energy_j/save` of each epoch, and `energy_j/train` at the end.

The Trainer has no event for the start of an evaluation outside `train()`. Enclose it:

    with energy.window("evaluate"):
        trainer.evaluate()
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakValueDictionary

from profiler.recording.recording import Recording, record
from profiler.values.estimate import Estimate

from .callback import EnergyReport, for_loggers
from .harmless import MEASURE, harmless
from .job import JobEnergy
from .loop_watch import LoopWatch, calling_loop
from .nodes import RankPlace

try:
    from transformers.trainer_callback import CallbackHandler, ExportableState, TrainerCallback
except ModuleNotFoundError as error:
    if error.name != "transformers":
        raise
    raise ModuleNotFoundError(
        'this callback needs transformers: pip install "wattprof[huggingface]"',
        name="transformers",
    ) from None

TRAIN = "train"


@dataclass(frozen=True, slots=True)
class _Event:
    """What a Trainer hands to a callback."""

    args: Any
    state: Any
    control: Any
    context: dict[str, Any]


# A Trainer that restores callbacks from a checkpoint replaces them by copies that it makes itself:
# they find the job of the callback that the user holds, by the arguments of their Trainer.
_jobs: WeakValueDictionary[int, JobEnergy] = WeakValueDictionary()


class EnergyCallback(EnergyReport, TrainerCallback, ExportableState):
    """Records the joules of `Trainer.train()`; never breaks the job.

    In a distributed job local rank 0 of each host reads its sensors, and global rank 0 logs.

    Args:
        write: keep `energy.json` in the output folder, renewed while the job runs.
        record: makes the recording; `profiler.record` by default.
    """

    def __init__(self, *, write: bool = False, record: Callable[[], Recording] = record) -> None:
        super().__init__(write=write, record=record)
        self.restored: dict[str, Any] | None = None
        self._epoch = 0
        self._is_training = False
        self._was_left, self._batch_size = False, 0
        self._watch: LoopWatch | None = None

    def __getstate__(self) -> dict[str, Any]:
        """A copy watches no loop."""
        return {**self.__dict__, "_watch": None, "_is_training": False}

    def give_up(self) -> None:
        """Record no more; the joules of this job are not known then."""
        self._stop_watching()
        super().give_up()

    @contextmanager
    def window(self, name: str) -> Iterator[None]:
        """Record the enclosed code under a name of its own; inside `train()` it adds nothing."""
        begun = False
        with self.shield(MEASURE):
            begun = not self._job.is_running
            self._job.start(name, self._job.place)
        complete = False
        try:
            yield
            complete = True
        finally:
            if begun:
                with self.shield(MEASURE):
                    self._job.finish(complete=complete)

    @harmless
    def on_init_end(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        self._job.place = _place(args)
        _jobs[id(args)] = self._job

    @harmless
    def on_train_begin(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        if self.restored is not None:
            self._job = _jobs.get(id(args), self._job)
        self._stop_watching()
        if self._is_training:
            self._interrupt(args)
        # A Trainer that looks for a batch size that fits begins again, with a smaller one.
        again = self._was_left and state.train_batch_size < self._batch_size
        self._was_left, self._batch_size = False, state.train_batch_size
        with self.shield("restore the energies from a checkpoint"):
            self._restore(state)
        _ready_to_save(state)
        self._job.start(TRAIN, _place(args), again=again)
        self._is_training = True
        self._watch = LoopWatch(calling_loop(), lambda: self._interrupt(args)).start()

    def _restore(self, state: Any) -> None:
        if state.global_step == 0:
            return  # of a training that begins; what it holds of us is of the one before
        stored = state.stateful_callbacks.get(EnergyCallback.__name__) or {}
        for entry in stored if isinstance(stored, list) else [stored]:
            self._job.restore(entry.get("attributes", {}).get("restored") or {})

    @harmless
    def on_epoch_begin(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        self._epoch = int((state.epoch or 0.0) + 1e-6)
        self._job.switch("train_epoch", self._epoch)
        self._log_parts(_Event(args, state, control, context), self._job.settled_parts())

    @harmless
    def on_step_begin(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        if self._is_training and self._job.is_between:
            # Since an evaluation or a save, only the batch of this step was fetched.
            self._job.switch_earlier("train_epoch", self._epoch)
        elif self._is_training:
            self._job.switch("train_epoch", self._epoch)

    @harmless
    def on_step_end(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        if control.should_evaluate or control.should_save:
            _ready_to_save(state)
            self._job.pause()

    @harmless
    def on_epoch_end(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        _ready_to_save(state)
        self._job.pause()

    @harmless
    def on_prediction_step(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        if self._is_training and self._job.is_between:
            # The Trainer has no event for the start of an evaluation: it began with this stretch.
            self._job.switch_earlier("evaluate", self._epoch)
        elif self._is_training:
            self._job.switch("evaluate", self._epoch)

    @harmless
    def on_evaluate(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        _ready_to_save(state)
        if self._is_training:
            self._job.pause()

    @harmless
    def on_save(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        if self._is_training and self._job.is_between:
            self._job.switch_earlier("save", self._epoch)
            self._job.pause()

    @harmless
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **context: Any) -> None:
        # The Trainer's last line comes before its reporters close their runs.
        if self._is_training and "train_runtime" in (logs or {}):
            self._finish(_Event(args, state, control, context))

    @harmless
    def on_train_end(self, args: Any, state: Any, control: Any, **context: Any) -> None:
        if self._is_training:
            self._finish(_Event(args, state, control, context))

    def state(self) -> dict[str, Any]:
        """For a checkpoint: how to make this callback again, and what it has recorded."""
        with self.shield("save the energies in a checkpoint"):
            restored = self._job.state()
            return {"args": {"write": self._write}, "attributes": {"restored": restored}}
        return {"args": {}, "attributes": {}}

    def _finish(self, event: _Event) -> None:
        self._is_training = False
        self._stop_watching()
        self._log_parts(event, self._job.finish(), closing=True)
        if self._job.place.is_first:
            whole = for_loggers({TRAIN: self._job.whole_j(TRAIN)})
            if event.state.log_history:
                event.state.log_history[-1].update(whole)
            self._tell_reporters(event, whole)
        self._write_to(lambda: Path(event.args.output_dir))

    def _interrupt(self, args: Any) -> None:
        """Take note that `train()` was left by an exception: the Trainer has no event for it."""
        self._is_training, self._was_left = False, True
        with self.shield("record the interruption"):
            self._job.finish(complete=False)
        self._write_to(lambda: Path(args.output_dir))

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def _log_parts(
        self,
        event: _Event,
        parts: tuple[tuple[str, int, Estimate], ...],
        *,
        closing: bool = False,
    ) -> None:
        if not self._job.place.is_first or not parts:
            return
        by_epoch: dict[int, dict[str, Estimate | None]] = {}
        for stage, epoch, energy_j in parts:
            by_epoch.setdefault(epoch, {})[stage] = energy_j
        # What one host drew must not pass for what the job drew.
        prefix = "energy_j/host_0" if self._job.place.has_other_hosts else "energy_j"
        history = event.state.log_history
        for epoch, values in by_epoch.items():
            logs = {**for_loggers(values, prefix), "epoch": epoch + 1.0}
            # Users take the last entry for the Trainer's closing line.
            place = max(0, len(history) - closing)
            history.insert(place, {**logs, "step": event.state.global_step})
            self._tell_reporters(event, logs)
        self._write_to(lambda: Path(event.args.output_dir))

    def _tell_reporters(self, event: _Event, logs: dict[str, float]) -> None:
        """Hand floats to the Trainer's other callbacks one by one, as its own log lines are.

        The handler's own `on_log` would withdraw the host's wish to log, and would end with the
        first reporter that refuses.
        """
        for callback in _fellow_callbacks() if logs else ():
            if not isinstance(callback, EnergyCallback):
                with self.shield(f"log joules to {type(callback).__name__}"):
                    callback.on_log(
                        event.args, event.state, event.control, logs=dict(logs), **event.context
                    )


def _place(args: Any) -> RankPlace:
    local_world_size = os.environ.get("LOCAL_WORLD_SIZE")
    return RankPlace(
        local_rank=args.local_process_index,
        global_rank=args.process_index,
        world_size=args.world_size,
        local_world_size=None if local_world_size is None else int(local_world_size),
    )


def _ready_to_save(state: Any) -> None:
    """Make room for our state: a Trainer resumed from a checkpoint without it fails to save."""
    state.stateful_callbacks.setdefault(EnergyCallback.__name__, {})


def _fellow_callbacks() -> list[Any]:
    """The callbacks of the Trainer that is calling us.

    A Trainer gives its callbacks no way to log, nor to reach it: its handler of callbacks is found
    where it called from. Without it the joules are still in the log history.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        handler = frame.f_locals.get("self")
        if isinstance(handler, CallbackHandler):
            return list(handler.callbacks)
        frame = frame.f_back
    return []
