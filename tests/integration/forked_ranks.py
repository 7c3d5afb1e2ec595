"""Ranks of a training, forked from one process that has imported what they need.

Each is told what torchrun tells its processes, and finds a store where torchrun's agent has its
own. Starting them costs no imports, which are most of the time of a short training.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import torch.distributed as dist

from tests.integration.processes import environment

COUNT = 2
TIMEOUT_S = 200
PRELOADED = ["tests.integration.ranks", "training.run.loop", "torch._dynamo"]
FORKS = multiprocessing.get_context("forkserver")


class Ranks:
    """Two ranks that run `tests.integration.ranks`; they end with the `with` block.

    Args:
        words: of its command line; the second is a folder, which what they say goes to, too.
        variables: of their environment, beside torchrun's; LOCAL_WORLD_SIZE="1" makes two nodes.
    """

    def __init__(self, *words: str, **variables: str) -> None:
        FORKS.set_forkserver_preload(PRELOADED)
        self._folder = Path(words[1])
        self._store = dist.TCPStore(
            "127.0.0.1", 0, COUNT, is_master=True, wait_for_workers=False,
            timeout=timedelta(seconds=60),
        )  # fmt: skip
        local_count = int(variables.setdefault("LOCAL_WORLD_SIZE", str(COUNT)))
        common = {
            "WORLD_SIZE": str(COUNT), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(self._store.port), "TORCHELASTIC_USE_AGENT_STORE": "True",
            "OMP_NUM_THREADS": "1", **variables,
        }  # fmt: skip
        self._processes = [
            FORKS.Process(
                target=_run,
                args=(
                    words,
                    {
                        **common,
                        "RANK": str(rank),
                        "LOCAL_RANK": str(rank % local_count),
                        "GROUP_RANK": str(rank // local_count),
                    },
                    str(self._said(rank, "out")),
                    str(self._said(rank, "err")),
                ),
            )
            for rank in range(COUNT)
        ]
        with patch.dict(os.environ, environment()):  # where the first one is forked from looks
            for process in self._processes:
                process.start()

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    def finish(self) -> tuple[list[int | None], str]:
        """Wait for the end: exit codes by rank, and what both wrote to standard error."""
        for process in self._processes:
            process.join(TIMEOUT_S)
        codes = [process.exitcode for process in self._processes]
        return codes, "".join(self._said(rank, "err").read_text() for rank in range(COUNT))

    def out(self, rank: int) -> str:
        """What a rank wrote to standard output."""
        return self._said(rank, "out").read_text()

    def _said(self, rank: int, stream: str) -> Path:
        return self._folder / f"rank-{rank}.{stream}"


def _run(words: tuple[str, ...], variables: dict[str, str], out: str, err: str) -> None:
    """Be a rank, as a process of its own would be one."""
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
    os.environ.update(variables)
    sys.argv = ["ranks.py", *words]
    from tests.integration import ranks

    code: object = 1
    try:
        code = ranks.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)
