"""How a model was run by something else than torch's own operators, and how true that stayed."""

from __future__ import annotations

from dataclasses import dataclass

from .applied_transform import LeftAlone
from .estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model as a run-time executes it.

    Args:
        runtime: its name ("onnxruntime").
        version: of the library.
        precision: of its kernels ("fp32", "bf16", "fp16", "int8").
        export_s: seconds from the network to something that can be called: exporting, calibrating,
            compiling, loading. None where it was compiled before.
        file_bytes: of the files that are deployed; None where there are none.
        sqnr_db: power of eager torch's answers over that of the difference; infinite where there is
            none. None where no eager network is at hand.
        top1_agreement: share of items whose first guess is the same; None where the answer is no
            table of classes.
        as_asked_count: convolutions and matrix products that run on the run-time's kernels in this
            precision; None where it does not tell.
        fell_back: layers that run in another precision, or outside of the run-time's kernels.
    """

    runtime: str
    version: str
    precision: str
    export_s: Estimate | None = None
    file_bytes: Estimate | None = None
    sqnr_db: Estimate | None = None
    top1_agreement: Estimate | None = None
    as_asked_count: int | None = None
    fell_back: tuple[LeftAlone, ...] = ()
