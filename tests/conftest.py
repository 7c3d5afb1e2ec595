"""What every test shares: one torch thread, and no sensor of the machine that runs the tests."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
