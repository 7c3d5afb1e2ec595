"""What every test shares: one torch thread, no sensor of this machine, no CodeCarbon beside it."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WATTPROF_NO_CODECARBON"] = "1"  # its tests ask for it; the others need not wait for it

# A runner that was started in the background ignores Ctrl-C, and so would every process of a test.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast examples are made says how busy the machine is, and nothing about the code.
settings.register_profile(
    "any machine", suppress_health_check=[HealthCheck.too_slow], deadline=None
)
settings.load_profile("any machine")
