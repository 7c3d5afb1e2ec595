"""Lightning jobs of a second each; what they gave is one JSON object in result.json."""

from __future__ import annotations

import csv
import json
import pickle
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

from profiler.integrations.lightning import EnergyCallback
from tests.integration.hosts.sensor import broken, noted_recording, recording, samplers, told

pixels, labels = load_digits(return_X_y=True)
DIGITS = TensorDataset(torch.tensor(pixels, dtype=torch.float32) / 16, torch.tensor(labels))


class Linear(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("loss", self.training_step(batch, index))

    test_step = validation_step

    def predict_step(self, batch: Any, index: int) -> torch.Tensor:
        return self.layer(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Resting(Linear):
    """Makes epochs long enough for a counter of 20 ms to tell them when a checkpoint is saved."""

    def on_train_epoch_end(self) -> None:
        time.sleep(0.5)


class Failing(Linear):
    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        raise ValueError("the user's own")


class Refusing(CSVLogger):
    """A logger that takes everything but joules, and whose folder cannot be."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if any(name.startswith("energy_j") for name in metrics):
            raise RuntimeError("quota exceeded")
        super().log_metrics(metrics, step)


def batches() -> DataLoader[Any]:
    return DataLoader(DIGITS, batch_size=64)


def trainer(callback: EnergyCallback, **options: Any) -> Trainer:
    settings = {
        "max_epochs": 2,
        "accelerator": "cpu",
        "logger": CSVLogger("logs"),
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(callbacks=[callback], **{**settings, **options})


def plain() -> dict[str, Any]:
    energy = pickle.loads(pickle.dumps(EnergyCallback(record=recording, write=True)))
    job = trainer(energy)
    job.fit(Resting(), batches(), batches())
    after_fit = told(energy)
    job.test(Linear(), batches(), verbose=False)
    job.predict(Linear(), batches())
    folder = Path(job.logger.log_dir)
    resumed = EnergyCallback(record=recording)
    checkpoint = job.checkpoint_callback.best_model_path
    trainer(resumed, max_epochs=3).fit(Linear(), batches(), batches(), ckpt_path=checkpoint)
    return {
        "fit": after_fit,
        "all": told(energy),
        "resumed": told(resumed),
        "samplers": samplers(),
        "rows": list(csv.DictReader((folder / "metrics.csv").open(encoding="utf-8"))),
        "hparams": (folder / "hparams.yaml").read_text(encoding="utf-8"),
        "file": json.loads((folder / "energy.json").read_text(encoding="utf-8")),
    }


def failing() -> dict[str, Any]:
    energy = EnergyCallback(record=recording)
    try:
        trainer(energy).fit(Failing(), batches())
    except ValueError as error:
        return {"error": str(error), **told(energy), "samplers": samplers()}
    return {}


def without_sensor() -> dict[str, Any]:
    energy = EnergyCallback(record=broken, write=True)
    job = trainer(energy)
    job.fit(Linear(), batches(), batches())
    rows = list(csv.DictReader((Path(job.logger.log_dir) / "metrics.csv").open(encoding="utf-8")))
    return {**told(energy), "epochs": job.current_epoch, "rows": rows}


def refused() -> dict[str, Any]:
    Path("blocked").mkdir()
    energy = EnergyCallback(record=recording, write=True)
    refusing = Refusing("blocked", name="", version="")
    (Path(refusing.log_dir) / "energy.json" / "in the way").mkdir(parents=True)
    second = CSVLogger("second")
    job = trainer(energy, logger=[refusing, second])
    job.fit(Linear(), batches(), batches())
    rows = list(csv.DictReader((Path(second.log_dir) / "metrics.csv").open(encoding="utf-8")))
    return {**told(energy), "epochs": job.current_epoch, "rows": rows}


def forked() -> dict[str, Any]:
    energy = EnergyCallback(record=noted_recording, write=True)
    job = trainer(energy, devices=2, strategy="ddp_fork", max_epochs=1, logger=False)
    job.fit(Linear(), batches())
    return {
        "opened": Path("opened.txt").read_text(encoding="utf-8").splitlines(),
        "file": json.loads(Path("energy.json").read_text(encoding="utf-8")),
    }


class Brief(Linear):
    """An epoch of this is one small step."""

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(*DIGITS[:8]), batch_size=8)

    def val_dataloader(self) -> DataLoader[Any]:
        return self.train_dataloader()


def brief() -> dict[str, Any]:
    """Many short epochs, each with a checkpoint and a file to be written."""
    energy = EnergyCallback(record=recording, write=True)
    job = trainer(energy, max_epochs=60)
    job.fit(Brief())
    return {**told(energy), "text": energy.summary()}


class Uneven(Linear):
    """Its second epoch takes half as long as its first."""

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        time.sleep(0.5 / (1 + self.current_epoch))
        return super().training_step(batch, index)


def monitored() -> dict[str, Any]:
    """A checkpoint that is chosen by joules, with and without validation."""
    found = {}
    for name, validation in (("alone", None), ("validated", batches())):
        energy = EnergyCallback(record=recording)
        chosen = ModelCheckpoint(name, monitor="energy_j/train_epoch", mode="min")
        job = trainer(energy, logger=False, limit_train_batches=4, limit_val_batches=1)
        job.callbacks.append(chosen)
        job.fit(Uneven(), batches(), validation)
        found[name] = {
            "best": Path(chosen.best_model_path).name,
            "score": float(chosen.best_model_score),
            **told(energy),
        }
    return found


def documented() -> dict[str, Any]:
    """The README's example, on this module's model and data."""
    energy: dict[str, Any] = {"model": Linear(), "data": batches()}
    exec(Path("example.py").read_text(encoding="utf-8"), energy)
    return told(energy["energy"])


def main() -> None:
    torch.manual_seed(0)
    jobs = (forked, plain, failing, without_sensor, refused, brief, monitored, documented)
    Path("result.json").write_text(
        json.dumps({job.__name__: job() for job in jobs}), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
