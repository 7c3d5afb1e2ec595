"""Short texts that the ranks write to each other in the store that torchrun keeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")
LONGEST_WAIT_S = 10.0


class Store(Protocol):
    """What is used of a torch.distributed store."""

    def set(self, key: str, value: str) -> object:
        """Write a key."""

    def get(self, key: str) -> bytes:
        """The value of a key, which is waited for."""

    def check(self, keys: list[str]) -> bool:
        """Whether all keys have been written."""

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        """Write a key that has the expected value ("" for none yet); what it then has."""


class Board:
    """Reads and writes without ever waiting or raising: the store may have gone with its process.

    Args:
        store: a connection of its own, since one that waits serves nobody else.
        rank: of this process.
        world_size: number of ranks.
    """

    def __init__(self, store: Store, rank: int, world_size: int) -> None:
        self.rank = rank
        self.world_size = world_size
        self._store = store
        self._lock = threading.Lock()

    @property
    def others(self) -> list[int]:
        """All ranks but this one."""
        return [rank for rank in range(self.world_size) if rank != self.rank]

    def write(self, subject: str, text: str) -> None:
        """Put up this rank's notice on a subject, in place of an older one."""
        self._ask(lambda store: store.set(f"{subject}/{self.rank}", text))

    def read(self, subject: str, rank: int) -> str | None:
        """A rank's notice on a subject; None where it has none."""
        key = f"{subject}/{rank}"
        found = self._ask(lambda store: store.get(key) if store.check([key]) else None)
        return None if found is None else found.decode()

    def claim(self, subject: str) -> bool:
        """Whether this rank is the first to claim a subject; True where nobody can be asked."""
        own = str(self.rank)
        first = self._ask(lambda store: store.compare_set(f"claim/{subject}", "", own))
        return first is None or first.decode() == own

    def is_reachable(self) -> bool:
        """Whether what is written can be read again."""
        self.write("here", "yes")
        return self.read("here", self.rank) is not None

    def _ask(self, question: Callable[[Store], T]) -> T | None:
        """The store's answer; None where it went with its process, or does not answer."""
        if not self._lock.acquire(timeout=LONGEST_WAIT_S):
            return None
        try:
            return question(self._store)
        except RuntimeError:
            return None
        finally:
            self._lock.release()
