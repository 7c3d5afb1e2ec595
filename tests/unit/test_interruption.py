from __future__ import annotations

import ast
import contextlib
import os
import signal
from pathlib import Path

import pytest

from profiler.interruption import heed_interruption, noted_interruptions


def raised_from(cause: BaseException | None, error: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        raised_from(KeyboardInterrupt(), RuntimeError("tracing failed")),
        raised_from(raised_from(KeyboardInterrupt(), ValueError("x")), RuntimeError("y")),
        RuntimeError("KeyboardInterrupt: \n\nAt: site-packages/torch/jit/_trace.py(130)"),
    ],
)
def test_an_error_that_hides_an_interruption_is_one(error: Exception) -> None:
    with pytest.raises(KeyboardInterrupt):
        heed_interruption(error)


def test_an_error_of_its_own_is_none() -> None:
    heed_interruption(raised_from(ValueError("x"), RuntimeError("y")))
    heed_interruption()


def test_an_interruption_that_was_swallowed_is_still_heeded() -> None:
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with noted_interruptions() as seen:
            with contextlib.suppress(KeyboardInterrupt):  # a library that catches everything
                os.kill(os.getpid(), signal.SIGINT)
            assert seen == [signal.SIGINT]
            with pytest.raises(KeyboardInterrupt):
                heed_interruption()
        heed_interruption()  # another program in this process is not concerned
    finally:
        signal.signal(signal.SIGINT, before)


def test_every_broad_except_heeds_an_interruption() -> None:
    """Whoever catches all errors asks whether one of them hides Ctrl-C, or passes them all on."""
    root = Path(__file__).resolve().parents[2]
    careless = []
    for top in ("profiler", "training", "models", "reports"):
        for path in (root / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler) and is_broad(node.type):
                    text = ast.unparse(node)
                    where = path.relative_to(root).as_posix()
                    if "heed_interruption" not in text and not ends_by_raising(node):
                        careless.append(where)
    assert sorted(careless) == ALLOWED


ALLOWED = [
    "profiler/cli/program.py",  # the last to catch, which asks what was noted
    "profiler/machine/codecarbon_process.py",  # a program of its own, out of Ctrl-C's reach
    "profiler/recording/sampler.py",  # in the thread that samples, which no signal reaches
    "training/distribution/group.py",  # raises whatever it was
]
BROAD = ("Exception", "BaseException")


def is_broad(caught: object) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in BROAD for name in names)


def ends_by_raising(handler: object) -> bool:
    """Whether a handler's last statement is a bare `raise`."""
    assert isinstance(handler, ast.ExceptHandler)
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
