"""A worker process, whose other side may go at any time."""

from __future__ import annotations

import json
import os
import socket

import pytest

from profiler.measurement.worker import main


def test_a_worker_whose_other_side_has_gone_ends_quietly() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(json.dumps({"loader": "nowhere:nothing", "options": {}}).encode() + b"\n")
    ours.close()
    socket_fd = theirs.detach()
    main(socket_fd)  # its answer, that there is no such module, is for nobody
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(socket_fd)  # it has let go of its side
