import gc
import weakref
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from profiler.layers.replay import _as_graph, make_replays
from tests.unit.layers.samples import CPU, surveyed
from tests.virtual import cuda


def replays_of(model: nn.Module, inputs: object):
    seen = surveyed(model.eval(), inputs)
    with torch.inference_mode():
        return seen, *make_replays(seen, CPU)


def test_equal_layers_are_replayed_once() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    _, replays, left_out = replays_of(model, torch.zeros(2, 8))
    assert [replay.ordinals for replay in replays] == [(1, 3), (2, 4), (5,)]
    assert left_out == ()
    assert len({replay.name for replay in replays}) == 3


def test_a_layer_that_raises_when_called_alone_is_left_out_by_name() -> None:
    class OnceOnly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.armed = [False]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not self.armed[0]:
                raise LookupError("nobody armed me")
            self.armed[0] = False
            return x

    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.child = OnceOnly()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.child.armed[0] = True
            return self.child(x)

    _, replays, (left,) = replays_of(Parent(), torch.zeros(2))
    assert replays == ()
    assert (left.path, left.kind, left.what) == ("child", "OnceOnly", "energy")
    assert "nobody armed me" in left.reason


def test_a_layer_that_grows_a_cache_is_left_out_by_name() -> None:
    class Cache(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("past", torch.zeros(0, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.past = torch.cat([self.past, x])
            return self.past

    _, replays, (left,) = replays_of(nn.Sequential(Cache()), torch.zeros(1, 4))
    assert replays == ()
    assert "keeps state" in left.reason


def test_an_argument_of_an_unknown_kind_is_left_out_by_name() -> None:
    class Store:
        pass

    class Reader(nn.Module):
        def forward(self, x: torch.Tensor, store: Store) -> torch.Tensor:
            return x

    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reader = Reader()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.reader(x, Store())

    _, _, (left,) = replays_of(Parent(), torch.zeros(1))
    assert "Store" in left.reason


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (nn.LSTM(4, 4), (torch.zeros(3, 2, 4), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)))),
        (nn.Sequential(nn.ReLU(inplace=True), nn.Hardtanh(inplace=True)), torch.ones(4, 4)),
        (nn.Sequential(nn.Dropout(0.5)), torch.ones(4, 4)),
        (nn.MultiheadAttention(8, 2, batch_first=True), (torch.zeros(1, 5, 8),) * 3),
    ],
)
def test_states_in_place_work_and_dropout_can_be_replayed(model: nn.Module, inputs: object) -> None:
    _, replays, left_out = replays_of(model, inputs)
    assert replays
    assert left_out == ()
    with torch.inference_mode():
        for replay in replays:
            replay.run()


def test_a_module_without_tensors_among_its_outputs_can_be_replayed() -> None:
    class Length(nn.Module):
        def forward(self, x: torch.Tensor) -> int:
            return len(x)

    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.length = Length()

        def forward(self, x: torch.Tensor) -> int:
            return self.length(x)

    _, (replay,), left_out = replays_of(Parent(), torch.zeros(3))
    assert replay.ordinals == (1,)
    assert left_out == ()


def test_inputs_keep_their_strides_and_the_models_own_are_not_written_to() -> None:
    seen_strides = []

    class Adder(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen_strides.append(x.stride())
            return x.add_(1)

    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.adder = Adder()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.adder((x * 1).t())

    given = torch.zeros(3, 5)
    _, (replay,), _ = replays_of(Parent(), given)
    with torch.inference_mode():
        replay.run()
    assert set(seen_strides) == {(1, 5)}
    assert given.eq(0).all()


def test_a_graph_keeps_the_tensors_whose_addresses_it_captured(monkeypatch) -> None:
    for name in ("Stream", "CUDAGraph", "graph"):
        monkeypatch.setattr(torch.cuda, name, getattr(cuda, name))
    monkeypatch.setattr(torch.cuda, "current_stream", cuda.Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    module = nn.Linear(8, 8)
    alive = weakref.ref(module)
    card = replace(CPU, name="cuda:0")
    replay = _as_graph(partial(module, torch.zeros(2, 8)), card)
    del module
    gc.collect()
    replay()
    assert alive() is not None
