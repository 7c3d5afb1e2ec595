import pytest
import torch
from torch import nn

from profiler.machine.device import find_device
from profiler.measurement.peak_memory import peak_memory
from profiler.values.estimate import Basis
from profiler.workload.prepared import prepare

CPU = find_device("cpu")
FLOAT = 4


def peak_bytes(model, inputs):
    return peak_memory(prepare(model, inputs, CPU), CPU).point


def test_a_linear_layer_holds_weights_input_and_output():
    weights, inputs, outputs = 30 * 20 + 30, 5 * 20, 5 * 30
    assert peak_bytes(nn.Linear(20, 30), torch.ones(5, 20)) == FLOAT * (weights + inputs + outputs)


def test_a_chain_holds_two_activations_at_a_time():
    model = nn.Sequential(*(nn.ReLU() for _ in range(6)))
    assert peak_bytes(model, torch.ones(1000)) == FLOAT * 1000 * 3  # input, last and next


def test_what_is_kept_alive_counts_together():
    class Keeps(nn.Module):
        def forward(self, x):
            kept = [x + number for number in range(4)]
            return sum(kept)

    # The four, the input, and while they are summed the running sum and the next one.
    assert peak_bytes(Keeps(), torch.ones(1000)) == FLOAT * 1000 * 7


def test_views_and_shared_weights_are_counted_once():
    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = self.twin = nn.Parameter(torch.ones(100))

        def forward(self, x):
            return x.view(10, 10).t().reshape(-1)[:5]

    # A transposed view is copied by reshape; everything else is a view.
    assert peak_bytes(Views(), torch.ones(100)) == FLOAT * (100 + 100 + 100)


def test_a_view_of_a_large_storage_holds_the_storage():
    class Large(nn.Module):
        def forward(self, x):
            return torch.zeros(1000)[:1] + x

    assert peak_bytes(Large(), torch.ones(1)) >= FLOAT * 1001


def test_writing_in_place_takes_nothing_more():
    assert peak_bytes(nn.ReLU(inplace=False), torch.ones(100)) == FLOAT * 200

    class InPlace(nn.Module):
        def forward(self, x):
            return (x + 0).relu_().mul_(2)

    assert peak_bytes(InPlace(), torch.ones(100)) == FLOAT * 200


def test_an_unused_input_is_held_all_the_same():
    class Ignores(nn.Module):
        def forward(self, x, y):
            return x + 1

    assert peak_bytes(Ignores(), (torch.ones(10), torch.ones(1000))) == FLOAT * 1020


def test_it_is_counted_and_exact():
    found = peak_memory(prepare(nn.Linear(2, 2), torch.ones(1, 2), CPU), CPU)
    assert (found.basis, found.unit) == (Basis.COUNTED, "B")
    assert found.low == found.point == found.high
    assert "workspaces" in found.source


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_hides_its_operators_so_there_is_no_number():
    model = torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.ReLU()))
    assert peak_memory(prepare(model, torch.ones(2, 3), CPU), CPU) is None


def test_a_call_without_operators_has_no_number():
    class Nothing(nn.Module):
        def forward(self, x):
            return x

    assert peak_memory(prepare(Nothing(), torch.ones(3), CPU), CPU) is None


def test_what_a_composite_operator_allocates_inside_is_seen():
    class Outer(nn.Module):
        def forward(self, x, y):
            return torch.einsum("i,j,i->j", x, y, x)

    by_hand = peak_bytes(Outer(), (torch.ones(1000), torch.ones(1000)))
    assert by_hand > FLOAT * 3 * 1000  # inputs, output, and at least one temporary


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        # Another key than query keeps torch off its fused kernel.
        return self.inner(x, x + 0, x)[0].relu()


def test_attention_scores_are_held():
    tokens = 256
    assert peak_bytes(Attention(), torch.ones(1, tokens, 8)) > FLOAT * 2 * tokens**2


def test_fused_attention_hides_its_scores_so_there_is_no_number():
    model = nn.TransformerEncoderLayer(8, 2, batch_first=True)
    assert peak_memory(prepare(model, torch.ones(1, 16, 8), CPU), CPU) is None


def test_a_sparse_tensor_has_no_size_that_we_know():
    class Sparse(nn.Module):
        def forward(self, x):
            return x.to_sparse().to_dense() + 1

    assert peak_memory(prepare(Sparse(), torch.eye(4), CPU), CPU) is None
