import threading

import pytest
import torch
from torch import nn

from profiler.errors import MeasurementError
from profiler.layers.stamps import HostTimeline, stamping
from profiler.layers.survey import intercepted
from tests.unit.layers.samples import surveyed


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.conv(x)) + self.relu(self.conv(x))


IMAGE = torch.zeros(1, 3, 8, 8)


def test_a_shared_module_is_one_row_called_as_often_as_it_runs() -> None:
    seen = surveyed(nn.Sequential(Residual()), IMAGE)
    called = [seen.paths[call.position] for call in seen.calls]
    assert called == ["", "0", "0.conv", "0.relu", "0.conv", "0.relu"]
    assert [call.child_count for call in seen.calls] == [1, 4, 0, 0, 0, 0]


def test_events_enclose_children_in_their_parents() -> None:
    seen = surveyed(nn.Sequential(nn.ReLU(), nn.ReLU()), IMAGE)
    assert seen.events == [0, 1, -2, 2, -3, -1]


def test_a_module_that_nobody_calls_is_left_out_by_name() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    (left,) = surveyed(Forgetful(), torch.zeros(1, 4)).left_out
    assert (left.path, left.kind, left.what) == ("unused", "Linear", "time")
    assert "never called" in left.reason


def test_a_module_whose_forward_is_called_directly_belongs_to_its_caller() -> None:
    class Direct(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner.forward(x)

    seen = surveyed(Direct(), torch.zeros(1, 4))
    assert [seen.paths[call.position] for call in seen.calls] == [""]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
def test_the_inside_of_a_scripted_module_is_left_out_and_the_module_is_a_layer() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    seen = surveyed(nn.Sequential(scripted, nn.ReLU()), torch.zeros(1, 4))
    assert [seen.paths[call.position] for call in seen.calls] == ["", "0", "1"]
    assert [left.path for left in seen.left_out] == ["0.0", "0.1"]
    assert all("scripted" in left.reason for left in seen.left_out)


def test_a_module_called_in_another_thread_is_timed_with_its_caller_and_named() -> None:
    class Threaded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            thread = threading.Thread(target=self.inner, args=(x,))
            thread.start()
            thread.join()
            return x

    seen = surveyed(Threaded(), torch.zeros(1, 4))
    assert [seen.paths[call.position] for call in seen.calls] == [""]
    assert "another thread" in seen.left_out[0].reason


def test_a_model_that_moves_itself_is_left_out_by_name() -> None:
    class Mover(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.to("meta")

    (left,) = surveyed(nn.Sequential(Mover()), torch.zeros(1, 4)).left_out[:1]
    assert "computes on meta, not on cpu" in left.reason


def test_a_model_that_replaces_call_is_refused() -> None:
    class Odd(nn.Module):
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return x

    with pytest.raises(MeasurementError, match="not called through"):
        surveyed(Odd(), torch.zeros(1, 4))


def test_stamps_are_taken_out_again_when_the_model_raises() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("no")

    module, stamps = Broken(), []
    with pytest.raises(ValueError, match="no"), intercepted(
        [(0, module)], stamping(stamps, [], HostTimeline().stamp)
    ):  # fmt: skip
        module(torch.zeros(1))
    assert len(stamps) == 2
    assert "_call_impl" not in module.__dict__


def test_somebody_elses_shadow_of_a_call_is_put_back() -> None:
    module = nn.Identity()
    before = module._call_impl
    module.__dict__["_call_impl"] = before
    with intercepted([(0, module)], stamping([], [], HostTimeline().stamp)):
        assert module.__dict__["_call_impl"] is not before
    assert module.__dict__["_call_impl"] is before


def test_equal_layers_have_one_key_and_unequal_ones_do_not() -> None:
    class Scaled(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.factor

    model = nn.Sequential(
        nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1, bias=False), Scaled(2.0),
        Scaled(2.0), Scaled(3.0),
    )  # fmt: skip
    keys = [call.key for call in surveyed(model, IMAGE).calls[1:]]
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == keys[4] != keys[5]
