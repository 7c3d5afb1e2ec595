"""Virtual hardware in a real process: `python -m profiler run -- sleep 1` meets a virtual H100.

    gpu = VirtualGpu(script=constant(300, 60).at(time.monotonic()))
    subprocess.run([sys.executable, ...], env=environment(Scenario(gpus=(gpu,))))

The script is anchored on CLOCK_MONOTONIC, which all processes of a host share, so that the parent
can integrate the truth of any interval that the child reports.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from tests.virtual import cuda
from tests.virtual.nvml import Scenario, VirtualNvml, substitute

VARIABLE = "WATTPROF_TEST_NVML"
CUDA_VARIABLE = "WATTPROF_TEST_CUDA"
ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).resolve().parent / "inside"


def environment(scenario: Scenario, *, has_cuda: bool = False) -> dict[str, str]:
    """The environment of a Python child (and its Python children) that meets this hardware.

    With `has_cuda` torch takes the first of its GPUs for one of its own: tests/virtual/cuda.py.
    """
    paths = [str(INSIDE), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        **({CUDA_VARIABLE: "1"} if has_cuda else {}),
        VARIABLE: json.dumps(scenario.to_json()),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


class _PatchingLoader(Loader):
    def __init__(self, loader: Loader, patch: Callable[[ModuleType], object]) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._patch(module)


class _PatchingFinder(MetaPathFinder):
    """Lets a module be imported as ever, and patches it once it is."""

    def __init__(self, name: str, patch: Callable[[ModuleType], object]) -> None:
        self._name = name
        self._patch = patch

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchingLoader(spec.loader, self._patch)
        return spec


def install_when_imported() -> None:
    """Called by the child's sitecustomize; does nothing without a scenario in the environment."""
    if VARIABLE in os.environ:
        scenario = Scenario.from_json(json.loads(os.environ[VARIABLE]))
        library = VirtualNvml(scenario, time.monotonic, time.sleep)
        sys.meta_path.insert(0, _PatchingFinder("pynvml", lambda _: substitute(library)))
    if os.environ.get(CUDA_VARIABLE):
        for name, patch in (
            ("torch", cuda.install),
            ("profiler.layers.calibration", cuda.shrink_calibration),
            ("profiler.layers.load_response", cuda.shrink_load),
        ):
            sys.meta_path.insert(0, _PatchingFinder(name, patch))
