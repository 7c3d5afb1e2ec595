"""A deployable file of a model, which was read back by its run-time before it has its name."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from profiler.files import replace_whole_file
from profiler.machine.device import Device
from profiler.values.deployment import Deployment
from profiler.workload.prepared import PreparedModel, explained

from .deploy import AgreementSamples, carry_out, check_layout, compared, job_of
from .job import files_of
from .table import check


def export_file(
    bench: PreparedModel,
    device: Device,
    runtime: str,
    out: Path,
    *,
    samples: AgreementSamples | None,
) -> tuple[list[Path], Deployment]:
    """Write the file, and what belongs beside it; nothing is written where the answers change.

    Args:
        bench: the model, prepared for the run-time.
        device: that it was prepared on.
        runtime: one that deploys files.
        out: the file, with the run-time's suffix.
        samples: to compare answers on; by default the inputs of the call.

    Raises:
        UsageError: the run-time does not do this precision or layout.
        ExportError: it cannot be exported or read back, or answers otherwise than eager torch.
        StoreError: the file cannot be written.
    """
    check(runtime, precision=bench.dtype, device=device.name)
    check_layout(bench, runtime)
    with TemporaryDirectory(prefix="wattprof-") as folder, explained(device):
        executable, deployment, exported = carry_out(job_of(bench, runtime), Path(folder))
        assert exported is not None
        deployment = compared(bench, executable, deployment, samples)
        written = []
        # The file that is named comes last: where it is, the others are.
        for part in reversed(files_of(exported.file)):
            place = out.with_suffix(part.suffix)
            written.append(replace_whole_file(place, partial(shutil.copyfile, part)))
    return written[::-1], deployment
