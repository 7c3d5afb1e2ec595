"""How right exported files are, run by the run-times' own Python APIs: nothing of ours runs them.

Each file is written by `python -m profiler export` from a checkpoint of `python -m training train`,
and judged on the test images that eager torch is judged on.

    python -m tests.bench.deployed --checkpoint FILE --data cifar10 --out reports/results/X
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from profiler.cli import main as wattprof
from profiler.machine.device import find_device
from profiler.runtimes import RUNTIMES
from profiler.values.statistics import wilson_interval
from training.evaluation.checkpoint_evaluation import labelled_split, load_network
from training.evaluation.forward import normalized

from .table_file import add_rows

Run = Callable[[np.ndarray], np.ndarray]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the exit code is 1 where an export failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--transform", default="int8")
    parser.add_argument("--images", type=int, default=2000, help="the first of the test split")
    parser.add_argument("--runtimes", nargs="+", default=list(OPENERS), choices=list(OPENERS))
    parser.add_argument("--out", type=Path, help="folder whose deployed.json gets the rows, too")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    images, labels, eager, model = _reference(chosen)
    failed = False
    for runtime in chosen.runtimes:
        with TemporaryDirectory() as folder:
            file = Path(folder) / f"model{RUNTIMES[runtime].suffix}"
            failed |= _export(chosen, f"{model}+{chosen.transform}", runtime, file) != 0
            if not file.exists():
                continue
            answers = OPENERS[runtime](file)
            got = np.concatenate([answers(image[None]) for image in images])
            row = {"model": f"{model}+{chosen.transform}", "run-time": runtime}
            row |= _row(got.argmax(1), eager, labels)
            row["bytes"] = sum(part.stat().st_size for part in Path(folder).iterdir())
        print(*row.values(), sep=" | ", flush=True)
        if chosen.out is not None:
            add_rows(
                chosen.out, "deployed", [row], title=__doc__.splitlines()[0],
                keys=("model", "run-time"), threads=1,
            )  # fmt: skip
    return int(failed)


def _reference(chosen: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """The images as the model sees them, their labels, eager torch's guesses, and the reference."""
    file, cpu = chosen.checkpoint, find_device("cpu")
    network, info, _ = load_network(
        file, cpu, model=None, data=chosen.data, split="test", image_size=None, root=None
    )
    pixels, _ = labelled_split(file, info, chosen.data, "test", cpu, None)
    numbers = torch.arange(min(chosen.images, len(pixels)))
    (raw,) = pixels.fetch([numbers])
    images = normalized(raw, info.normalization)
    with torch.no_grad():
        guesses = torch.cat([network(part).argmax(1) for part in images.split(100)])
    return images.numpy(), pixels.labels[numbers].numpy(), guesses.numpy(), info.recipe.model


def _export(chosen: argparse.Namespace, reference: str, runtime: str, file: Path) -> int:
    words = ["export", "--model", reference, "--checkpoint", str(chosen.checkpoint), "--quiet"]
    words += ["--data", chosen.data, "--runtime", runtime, "--out", str(file), "--threads", "1"]
    with redirect_stdout(sys.stderr):
        return wattprof(words)


def _row(got: np.ndarray, eager: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    right, eager_right, count = got == labels, eager == labels, len(labels)
    share = wilson_interval(int(right.sum()), count)
    return {
        "images": count,
        "right": int(right.sum()),
        "accuracy %": f"{100 * share.point:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]",
        "right in eager fp32": int(eager_right.sum()),
        "right in the file alone": int((right & ~eager_right).sum()),
        "right in eager alone": int((eager_right & ~right).sum()),
        "same first guess": int((got == eager).sum()),
    }


def _onnxruntime(file: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})[0]


def _openvino(file: Path) -> Run:
    import openvino

    # By itself it would compute what is not quantized in bf16 where the CPU can.
    compiled = openvino.Core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda batch: np.array(compiled(batch)[0])


def _executorch(file: Path) -> Run:
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(file.read_bytes())
    method = program.load_method("forward")

    def run(batch: np.ndarray) -> np.ndarray:
        _ = program  # whose memory the method reads
        return method.execute([torch.from_numpy(batch.copy())])[0].numpy().copy()

    return run


OPENERS: dict[str, Callable[[Path], Run]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "executorch": _executorch,
}

if __name__ == "__main__":
    raise SystemExit(main())
