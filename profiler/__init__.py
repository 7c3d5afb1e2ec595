"""Hardware-aware efficiency profiling of PyTorch models, with measured energy.

Importing this package imports neither torch nor numpy: every public name is loaded at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from . import variants
    from .comparison.verdicts import Comparison, compare
    from .counting import Costs, count
    from .errors import ProfilerError
    from .layers import LayerReport, measure_layers
    from .measurement.model import measure, measure_together
    from .recording.recording import Recording, record
    from .store import load, save
    from .values.estimate import Basis, Estimate
    from .values.findings import Finding
    from .values.layer_cost import LayerCost
    from .values.profile import Profile
    from .values.score import efficiency_score
    from .variants.apply import transform

_HOMES = {
    "Basis": "values.estimate",
    "Comparison": "comparison.verdicts",
    "Costs": "counting",
    "Estimate": "values.estimate",
    "Finding": "values.findings",
    "LayerCost": "values.layer_cost",
    "LayerReport": "layers",
    "Profile": "values.profile",
    "ProfilerError": "errors",
    "Recording": "recording.recording",
    "compare": "comparison.verdicts",
    "count": "counting",
    "efficiency_score": "values.score",
    "load": "store",
    "measure": "measurement.model",
    "measure_layers": "layers",
    "measure_together": "measurement.model",
    "record": "recording.recording",
    "save": "store",
    "transform": "variants.apply",
}
_ROOMS = ("variants",)

__all__ = [
    "Basis",
    "Comparison",
    "Costs",
    "Estimate",
    "Finding",
    "LayerCost",
    "LayerReport",
    "Profile",
    "ProfilerError",
    "Recording",
    "__version__",
    "compare",
    "count",
    "efficiency_score",
    "load",
    "measure",
    "measure_layers",
    "measure_together",
    "record",
    "save",
    "transform",
    "variants",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
