"""Every transform on torchvision's classifiers: it works, or one sentence says which layer.

Random weights, images of 224x224. An int8 network is run uncompiled: what is asked here is whether
it can be made at all.

    python -m tests.bench.transforms --models vit_b_16 --transforms int8 --out reports/results/X
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from profiler.errors import ProfilerError
from profiler.variants import TRANSFORMS, build
from profiler.workload.quantized import QuantizedModule
from profiler.workload.transformed import transforms_of

from .table_file import add_rows

MODELS = (
    "resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "vgg11_bn",
    "densenet121", "vit_b_16", "convnext_tiny",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the exit code is 1 where anything but our own errors was raised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--transforms", nargs="+", default=[*_calls(), *PAIRS])
    parser.add_argument("--out", type=Path, help="folder whose transforms.json gets the rows, too")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    is_clean = True
    for model in chosen.models:
        for call in chosen.transforms:
            row, was_clean = _try(model, call)
            print(*row.values(), sep=" | ", flush=True)
            is_clean &= was_clean
            if chosen.out is not None:
                add_rows(
                    chosen.out, "transforms", [row], title=__doc__.splitlines()[0],
                    keys=("model", "transform"), threads=1,
                )  # fmt: skip
    return 0 if is_clean else 1


PAIRS = ("prune=0.5+int8", "groups=2+bf16")


def _calls() -> list[str]:
    return [
        name if item.value is None else f"{name}={item.value.example.replace('8', '2')}"
        for name, item in TRANSFORMS.items()
        if name != "int8-qat"  # minutes each
    ]


def _try(model: str, call: str) -> tuple[dict[str, str], bool]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result, told = _run(f"torchvision:{model}+{call}")
            is_clean = True
        except ProfilerError as error:
            result, told, is_clean = "refused", error.message, "\n" not in error.message
        except Exception as error:  # what this benchmark looks for
            result, told, is_clean = "TRACEBACK", f"{type(error).__name__}: {error}", False
    return {"model": model, "transform": call, "result": result, "it says": told}, is_clean


def _run(reference: str) -> tuple[str, str]:
    torch.manual_seed(0)
    dense = build(reference.partition("+")[0]).model
    variant = build(reference).model.eval()
    bare = variant.module if isinstance(variant, QuantizedModule) else variant
    with torch.no_grad():
        answer = bare(torch.randn(1, 3, 224, 224))
    if answer.shape != (1, 1000) or not bool(torch.isfinite(answer).all()):
        raise AssertionError(f"an answer of {tuple(answer.shape)} that is not finite")
    share = _size(variant) / _size(dense)
    left = [
        f"{item.layer} {item.reason}"
        for transform in transforms_of(variant)
        for item in transform.left_alone
    ]
    return f"{share:.0%} of the bytes", f"left {len(left)}: {'; '.join(left[:2])}" if left else ""


def _size(model: torch.nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))


if __name__ == "__main__":
    raise SystemExit(main())
