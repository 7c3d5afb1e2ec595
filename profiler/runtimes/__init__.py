"""Run-times: what executes a model, from eager torch to the file that is deployed on a device.

One module a run-time, with `export(job, folder)`, which writes its file if it has one, and
`load(job, file)`, which gives a callable with the model's own inputs and answers. Importing this
package imports no torch.
"""

from __future__ import annotations

from .table import RUNTIMES, Runtime, check, find, is_outside_torch

__all__ = ["RUNTIMES", "Runtime", "check", "find", "is_outside_torch"]
