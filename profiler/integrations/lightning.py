"""A callback for Lightning: joules of `fit`, of each epoch, of validation, test and prediction.

    from lightning.pytorch import Trainer
    from profiler.integrations.lightning import EnergyCallback

    energy = EnergyCallback()
    trainer = Trainer(max_epochs=3, callbacks=[energy])
    trainer.fit(model, data)
    print(energy.summary())

Loggers get `energy_j/train_epoch` and `energy_j/validation` of each epoch, `energy_j/fit` at the
end, and once, as a hyperparameter, where the numbers come from. In a job of one process the first
two are in `trainer.callback_metrics` when an epoch ends, so that `ModelCheckpoint` and
`EarlyStopping` can monitor them: by the latest readings, and NaN where these tell too little.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from profiler.recording.recording import Recording, record
from profiler.values.estimate import Estimate

from .callback import EnergyReport, for_loggers
from .harmless import harmless
from .job import JobEnergy
from .latest import LatestReadings
from .nodes import RankPlace

HOSTS = ("lightning.pytorch", "pytorch_lightning")
FIT = "fit"


def _host_callback() -> Any:
    """The base class of the Lightning that the user imported, under either of its names."""
    for name in sorted(HOSTS, key=lambda host: host not in sys.modules):
        try:
            return import_module(f"{name}.callbacks").Callback
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
    raise ModuleNotFoundError(
        'this callback needs Lightning: pip install "wattprof[lightning]"', name=HOSTS[0]
    )


_Callback: Any = _host_callback()


class EnergyCallback(EnergyReport, _Callback):
    """Records the joules of a Lightning trainer's runs; never breaks the job.

    In a distributed job local rank 0 of each host reads its sensors, and global rank 0 logs.

    Args:
        write: keep `energy.json` in the trainer's log folder, renewed while the job runs.
        record: makes the recording; `profiler.record` by default.
    """

    def __init__(self, *, write: bool = False, record: Callable[[], Recording] = record) -> None:
        super().__init__(write=write, record=record)
        self._steps: dict[int, int] = {}
        self._tells_basis = True
        self._latest = LatestReadings(_JoulesSoFar(self._job))

    @harmless
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        world_size = trainer.world_size
        place = RankPlace(
            local_rank=trainer.local_rank,
            global_rank=trainer.global_rank,
            world_size=world_size,
            local_world_size=max(1, world_size // max(1, trainer.num_nodes)),
        )
        self._job.start(_name(stage), place)

    @harmless
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        # A job that resumes within an epoch is not told of the epoch's start.
        self._job.switch("train_epoch", trainer.current_epoch)

    @harmless
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._job.switch("train_epoch", trainer.current_epoch)
        self._latest.forget()
        self._latest.enter("train_epoch")
        self._log_parts(trainer, self._job.settled_parts())

    @harmless
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._steps[trainer.current_epoch] = trainer.global_step
        self._job.pause()
        self._latest.leave()
        self._offer(trainer, pl_module)

    @harmless
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._job.pause()

    @harmless
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.state.fn == FIT:
            stage = "sanity_check" if trainer.sanity_checking else "validation"
            self._job.switch(stage, trainer.current_epoch)
            self._latest.enter(stage)

    @harmless
    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.state.fn == FIT and not trainer.sanity_checking:
            self._offer(trainer, pl_module)

    @harmless
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.state.fn == FIT and not trainer.sanity_checking:
            self._job.switch("train_epoch", trainer.current_epoch)
            self._latest.enter("train_epoch")
        else:
            self._job.pause()

    @harmless
    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._log_parts(trainer, self._job.finish())
        if self._job.place.is_first:
            whole_j = self._job.whole_j(_name(stage))
            self._log(trainer, {_name(stage): whole_j}, trainer.global_step)
        self._write_to(lambda: _log_folder(trainer))

    @harmless
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._job.finish(complete=False)
        self._write_to(lambda: _log_folder(trainer))

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint, plain values: every segment, the running one as far as it is known."""
        with self.shield("save the energies in a checkpoint"):
            return self._job.state()
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the joules of the job that the checkpoint is of."""
        with self.shield("restore the energies from a checkpoint"):
            self._job.restore(state_dict)

    def _offer(self, trainer: Any, pl_module: Any) -> None:
        """Let what the trainer decides by know the joules of this epoch."""
        if trainer.world_size > 1:
            return  # whose processes must agree, and only some of them read sensors
        with self.shield("hand joules to the trainer's callback_metrics"):
            for stage in ("train_epoch", "validation"):
                joules = self._latest.joules(stage)
                pl_module.log(f"energy_j/{stage}", joules, logger=False, batch_size=1)

    def _log_parts(self, trainer: Any, parts: tuple[tuple[str, int, Estimate], ...]) -> None:
        by_epoch: dict[int, dict[str, Estimate | None]] = {}
        for stage, epoch, energy_j in parts:
            by_epoch.setdefault(epoch, {})[stage] = energy_j
        if not self._job.place.is_first:
            return
        for epoch, values in by_epoch.items():
            self._log(trainer, values, self._steps.get(epoch, trainer.global_step), epoch)
        if parts:
            self._write_to(lambda: _log_folder(trainer))

    def _log(
        self, trainer: Any, values: dict[str, Estimate | None], step: int, epoch: int | None = None
    ) -> None:
        # What one host drew must not pass for what the job drew.
        alone = epoch is None or not self._job.place.has_other_hosts
        metrics = for_loggers(values, "energy_j" if alone else "energy_j/host_0")
        if not metrics:
            return
        if epoch is not None:
            metrics["epoch"] = epoch
        for logger in trainer.loggers:
            name = type(logger).__name__
            with self.shield(f"log joules to {name}"):
                logger.log_metrics(metrics, step=max(0, step - 1))
            if self._tells_basis:
                with self.shield(f"log the source of joules to {name}"):
                    _tell_basis(logger, values)
        self._tells_basis = False


class _JoulesSoFar:
    """What a job has drawn; pickled with it, which a closure is not."""

    def __init__(self, job: JobEnergy) -> None:
        self._job = job

    def __call__(self) -> Estimate | None:
        return self._job.so_far_j


def _tell_basis(logger: Any, values: dict[str, Estimate | None]) -> None:
    """Say in words where the joules come from; a second call for hyperparameters is harmless."""
    known = next(value for value in values.values() if value is not None)
    text = f"{known.basis}: {known.source}"
    if hasattr(logger.experiment, "add_text"):
        # TensorBoard's hyperparameters would come with a metric of -1 that hides the user's own.
        logger.experiment.add_text("energy_basis", text)
    else:
        logger.log_hyperparams({"energy_basis": text})


def _name(stage: Any) -> str:
    """A stage as text: Lightning hands over a member of an enumeration."""
    return str(getattr(stage, "value", stage))


def _log_folder(trainer: Any) -> Path:
    """`trainer.log_dir`, which is a broadcast that every process would have to join."""
    for logger in trainer.loggers:
        folder = getattr(logger, "log_dir", None) or getattr(logger, "save_dir", None)
        if folder:
            return Path(folder)
    return Path(trainer.default_root_dir)
