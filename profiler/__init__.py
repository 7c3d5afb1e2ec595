"""Hardware-aware efficiency profiling of PyTorch models, with measured energy.

Importing this package imports neither torch nor numpy: every public name is loaded at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .comparison import Comparison, compare
    from .counting import Costs, count
    from .errors import ProfilerError
    from .estimate import Basis, Estimate
    from .findings import Finding
    from .layercost import LayerCost
    from .layers import LayerReport, measure_layers
    from .measurement import measure
    from .profile import Profile
    from .recording import Recording, record
    from .score import efficiency_score
    from .store import load, save

_HOMES = {
    "Basis": "estimate",
    "Comparison": "comparison",
    "Costs": "counting",
    "Estimate": "estimate",
    "Finding": "findings",
    "LayerCost": "layercost",
    "LayerReport": "layers",
    "Profile": "profile",
    "ProfilerError": "errors",
    "Recording": "recording",
    "compare": "comparison",
    "count": "counting",
    "efficiency_score": "score",
    "load": "store",
    "measure": "measurement",
    "measure_layers": "layers",
    "record": "recording",
    "save": "store",
}

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
    "record",
    "save",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
