"""Which module an operator belongs to: the innermost one that is being called.

A module counts as called when it is called like a function. One whose `forward` is called directly
is invisible to torch's hooks, so its work folds into the module that called it. The backward
pass has no module calls; there the autograd node that is running is looked up by its sequence
number, which is the order in which the forward made the nodes.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)


class Attribution:
    """Follows the calls of the modules below `model`; position 0 is the model itself."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.paths: list[str] = []
        self.modules: list[torch.nn.Module] = []
        self.call_counts: list[int] = []
        self.current = 0
        self.backward = False
        self.unseen: set[str] = set()
        self._positions: dict[int, int] = {}
        self._strangers: dict[int, torch.nn.Module] = {}
        self._stack: list[tuple[int, int]] = []
        self._marks: list[int] = []
        self._owners: list[int] = []
        self._thread = threading.get_ident()
        self.look_around()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Watches all module calls of this process until it ends."""
        before = register_module_forward_pre_hook(self._enter)
        try:
            after = register_module_forward_hook(self._leave, always_call=True)
            try:
                yield
            finally:
                after.remove()
        finally:
            before.remove()

    def owner(self) -> int:
        """Position of the module that the operator running now belongs to."""
        if not self.backward or self._stack:
            return self.current
        # Not exported: the only way to know which node of the graph called an operator.
        node = torch._C._current_autograd_node()
        if node is None:
            return 0
        index = bisect_right(self._marks, node._sequence_nr()) - 1
        return self._owners[index] if index >= 0 else 0

    def look_around(self) -> None:
        """Takes in modules that the model did not have before."""
        for path, module in self.model.named_modules():
            if id(module) not in self._positions:
                self._positions[id(module)] = len(self.paths)
                self.paths.append(path)
                self.modules.append(module)
                self.call_counts.append(0)

    def _position(self, module: torch.nn.Module) -> int:
        position = self._positions.get(id(module))
        if position is None and id(module) not in self._strangers:
            self.look_around()  # it may have been added by the forward itself
            position = self._positions.get(id(module))
            if position is None:
                self._strangers[id(module)] = module  # kept, so that its id stays its own
        return self.current if position is None else position

    def _enter(self, module: torch.nn.Module, inputs: Any) -> None:
        if threading.get_ident() != self._thread and not torch._C._len_torch_dispatch_stack():
            self.unseen.add(type(module).__name__)
            return
        self._stack.append((id(module), self.current))
        self.current = position = self._position(module)
        if not self.backward and id(module) in self._positions:
            self.call_counts[position] += 1
        self._mark()

    def _leave(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        if threading.get_ident() != self._thread and not torch._C._len_torch_dispatch_stack():
            return
        # Searched from the top: a hook of somebody else may have raised before `_enter` ran.
        for depth in range(len(self._stack) - 1, -1, -1):
            if self._stack[depth][0] == id(module):
                self.current = self._stack[depth][1]
                del self._stack[depth:]
                self._mark()
                return

    def _mark(self) -> None:
        self._marks.append(torch._C._autograd._get_sequence_nr())
        self._owners.append(self.current)
