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
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from tests.virtual.nvml import Scenario, VirtualNvml, substitute

VARIABLE = "WATTPROF_TEST_NVML"
ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).resolve().parent / "inside"


def environment(scenario: Scenario) -> dict[str, str]:
    """The environment of a Python child (and its Python children) that meets this hardware."""
    paths = [str(INSIDE), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        VARIABLE: json.dumps(scenario.to_json()),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


class _PatchingLoader(Loader):
    def __init__(self, loader: Loader, scenario: Scenario) -> None:
        self._loader = loader
        self._scenario = scenario

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        substitute(VirtualNvml(self._scenario, time.monotonic, time.sleep))


class _PynvmlFinder(MetaPathFinder):
    """Lets `pynvml` be imported as ever, and puts the virtual library under it once it is."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name != "pynvml":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchingLoader(spec.loader, self._scenario)
        return spec


def install_when_imported() -> None:
    """Called by the child's sitecustomize; does nothing without a scenario in the environment."""
    if VARIABLE in os.environ:
        scenario = Scenario.from_json(json.loads(os.environ[VARIABLE]))
        sys.meta_path.insert(0, _PynvmlFinder(scenario))
