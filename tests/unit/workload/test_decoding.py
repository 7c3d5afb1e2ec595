import pytest
import torch
from torch import nn

from profiler.counting import count
from profiler.errors import TargetError, UsageError
from profiler.workload.decoding import decoding_targets
from profiler.workload.target import Target

WIDTH, LAYERS, WORDS = 8, 2, 50


@pytest.fixture(scope="module")
def causal():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        n_embd=WIDTH, n_layer=LAYERS, n_head=2, n_positions=32, vocab_size=WORDS,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    return Target(reference="hf:tiny", name="tiny", model=model)


def test_a_decoding_step_answers_as_the_whole_prompt_does(causal):
    """Greedy tokens behind the cache are those that the model gives without one."""
    _, step = decoding_targets(causal, 9, 3)
    token, keys_values = step.model.call_inputs(2, seed=1)
    before = [tensor.clone() for pair in keys_values for tensor in pair]
    prompt = torch.randint(0, WORDS, (2, 10), generator=torch.Generator().manual_seed(1))
    assert torch.equal(prompt[:, -1:], token)
    with torch.no_grad():
        first, again = (step.model(token, keys_values) for _ in range(2))
        for _ in range(3):
            following = causal.model(input_ids=prompt).logits[:, -1:].argmax(-1)
            prompt = torch.cat((prompt, following), dim=1)
    assert torch.equal(first, again)
    assert torch.equal(first, prompt[:, -1:])
    after = [tensor for pair in keys_values for tensor in pair]
    assert all(map(torch.equal, before, after))


def test_each_workload_counts_its_own_work_and_items(causal):
    prefill, step = decoding_targets(causal, 9, 1)
    assert (prefill.name, step.name) == ("tiny-prefill", "tiny-decode")
    assert (prefill.model.item_count(4), step.model.item_count(4)) == (36, 4)
    dense = LAYERS * 12 * WIDTH**2  # weights of the projections, each used once a token
    head = WIDTH * WORDS
    with torch.no_grad():
        read = count(prefill.model, prefill.model.call_inputs(1, seed=0)).mac_count
        made = count(step.model, step.model.call_inputs(1, seed=0)).mac_count
    assert made == dense + head + LAYERS * 2 * WIDTH * 10
    assert read == 9 * dense + head + LAYERS * 2 * WIDTH * 81


def test_what_is_no_causal_model_is_refused(causal):
    plain = Target(reference="net:Net", name="net", model=nn.Linear(2, 2))
    with pytest.raises(TargetError, match="'net:Net' is no causal language model"):
        decoding_targets(plain, 4, 1)
    with pytest.raises(UsageError, match="more than the 32 positions") as caught:
        decoding_targets(causal, 30, 4)
    assert caught.value.hint == "give --cache-length 28"
