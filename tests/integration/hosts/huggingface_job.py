"""Hugging Face jobs of a second each; what they gave is one JSON object in result.json."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

from profiler.integrations.huggingface import EnergyCallback
from tests.integration.hosts.sensor import broken, recording, samplers, told

VOCABULARY = 32
PATIENCE_S = 30.0


class Tokens(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        tokens = torch.arange(index, index + 8) % VOCABULARY
        return {"input_ids": tokens, "labels": tokens}


class FailingTokens(Tokens):
    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        raise ValueError("the user's own")


class Reporter(TrainerCallback):
    """What TensorBoard or W&B would be told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, float]] = []
        self.is_closed = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if self.is_closed and any(name.startswith("energy_j") for name in logs):
            raise AssertionError("a reporter was told of joules after it had closed its run")
        self.lines.append(dict(logs))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.is_closed = True


class RefusingReporter(TrainerCallback):
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if any(name.startswith("energy_j") for name in logs):
            raise RuntimeError("quota exceeded")


def model() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=8, n_embd=16, n_layer=1, n_head=2,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def arguments(folder: str, **options: Any) -> TrainingArguments:
    settings = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "logging_steps": 2,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
    }
    return TrainingArguments(output_dir=folder, **{**settings, **options})


def trainer(
    folder: str, *callbacks: TrainerCallback, data: Tokens | None = None, **options: Any
) -> Trainer:
    data = data or Tokens()
    return Trainer(
        model(), arguments(folder, **options), train_dataset=data, eval_dataset=Tokens(),
        callbacks=list(callbacks),
    )  # fmt: skip


def plain() -> dict[str, Any]:
    energy, reporter = EnergyCallback(record=recording, write=True), Reporter()
    job = trainer("plain", RefusingReporter(), reporter, energy)
    job.train()
    after_train = told(energy)
    history = list(job.state.log_history)
    with energy.window("evaluate"):
        job.evaluate()
    return {
        "train": after_train,
        "all": told(energy),
        "lines": reporter.lines,
        "history": history,
        "card": energy.co2_eq_emissions("FRA", training_type="fine-tuning"),
        "file": json.loads(Path("plain/energy.json").read_text(encoding="utf-8")),
        "samplers": samplers(),
    }


def resumed() -> dict[str, Any]:
    """From plain's first checkpoint, with and without the Trainer's own restoring."""
    result = {}
    for restoring in (False, True):
        energy = EnergyCallback(record=recording)
        job = trainer(
            f"resumed-{restoring}", energy, restore_callback_states_from_checkpoint=restoring
        )
        job.train(resume_from_checkpoint="plain/checkpoint-4")
        result[str(restoring)] = told(energy)
    return result


class TooLarge(TrainerCallback):
    """Lets no batch fit in memory that is as large as the first one."""

    def __init__(self) -> None:
        self.tries = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.tries += 1
        if self.tries == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")


def several() -> dict[str, Any]:
    """`train()` twice, with an exception in between that the user catches, and attempts at one."""
    energy, reporter = EnergyCallback(record=recording), Reporter()
    job = trainer("several", energy, reporter, num_train_epochs=1, save_strategy="no")
    job.train()
    reporter.is_closed, job.train_dataset = False, FailingTokens()
    with contextlib.suppress(ValueError):
        job.train()
    job.train_dataset = Tokens()
    job.train()
    searched = EnergyCallback(record=recording)
    trainer("searched", TooLarge(), searched, num_train_epochs=1, auto_find_batch_size=True).train()
    return {
        "twice": told(energy),
        "logged": [line["energy_j/train"] for line in reporter.lines if "energy_j/train" in line],
        "searched": told(searched),
    }


def joined_late() -> dict[str, Any]:
    """A job whose checkpoint was made without the callback."""
    trainer("late", num_train_epochs=1).train()
    energy = EnergyCallback(record=recording)
    job = trainer("late", energy)
    job.train(resume_from_checkpoint=True)
    return {**told(energy), "steps": job.state.global_step}


def failing() -> dict[str, Any]:
    energy = EnergyCallback(record=recording)
    try:
        trainer("failing", energy, data=FailingTokens()).train()
    except ValueError as error:
        give_up_s = time.monotonic() + PATIENCE_S
        while samplers() and time.monotonic() < give_up_s:
            time.sleep(0.05)
        return {"error": str(error), "samplers": samplers(), **told(energy)}
    return {}


def without_sensor() -> dict[str, Any]:
    energy, reporter = EnergyCallback(record=broken), Reporter()
    job = trainer("broken", reporter, energy)
    job.train()
    return {**told(energy), "steps": job.state.global_step, "lines": reporter.lines}


def unwritable() -> dict[str, Any]:
    Path("unwritable/energy.json/in the way").mkdir(parents=True)
    energy = EnergyCallback(record=recording, write=True)
    job = trainer("unwritable", energy, num_train_epochs=1)
    job.train()
    return {**told(energy), "steps": job.state.global_step}


def documented() -> dict[str, Any]:
    """The README's example, on this module's model and data."""
    names: dict[str, Any] = {
        "model": model(), "args": arguments("documented", eval_strategy="no"), "data": Tokens()
    }  # fmt: skip
    exec(Path("example.py").read_text(encoding="utf-8"), names)
    return told(names["energy"])


def one_of_two_hosts(rank: int) -> dict[str, Any]:
    """The first process of its host, with a sensor of its own."""
    os.environ.update(RANK=str(rank), LOCAL_RANK="0", WORLD_SIZE="2", LOCAL_WORLD_SIZE="1")
    energy = EnergyCallback(record=partial(recording, f"synthetic:{rank}"))
    reporter = Reporter()
    trainer("hosts", energy, reporter, save_strategy="no", ddp_backend="gloo").train()
    return {**told(energy), "lines": reporter.lines}


def two_hosts() -> list[Any]:
    """Both of them as forks, which need not load transformers again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    children = []
    for rank in (0, 1):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                write(f"host-{rank}.json", one_of_two_hosts(rank))
                status = 0
            except Exception:
                traceback.print_exc()  # a fork may not go on with its parent's work
            os._exit(status)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    return [json.loads(Path(f"host-{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]


def write(name: str, result: Any) -> None:
    Path(name).write_text(json.dumps(result), encoding="utf-8")


def main() -> None:
    jobs = (
        two_hosts, plain, resumed, several, joined_late, failing, without_sensor, unwritable,
        documented,
    )  # fmt: skip
    write("result.json", {job.__name__: job() for job in jobs})


if __name__ == "__main__":
    main()
