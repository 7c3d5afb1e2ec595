import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from profiler.errors import InputDataError, TargetError
from profiler.inputs import given_inputs, has_batch_axis, text_inputs


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def built(*specs, batch_size=2, seed=0, accepted=()):
    return given_inputs(specs, batch_size=batch_size, seed=seed, accepted=accepted)


def test_a_shape_with_a_type_is_filled_within_its_bound():
    given = built("ids:3x128:int64<7")
    (ids,), keywords = given.inputs
    assert (ids.shape, ids.dtype, keywords) == ((3, 128), torch.int64, {})
    assert set(ids.unique().tolist()) == set(range(7))
    assert given.description == "ids 3x128 int64 below 7, random values of seed 0"
    assert given.item_count is None


@pytest.mark.parametrize(
    ("spec", "dtype"),
    [
        ("4", torch.float32),
        ("4:bf16", torch.bfloat16),
        ("4:fp16", torch.float16),
        ("4:uint8<255", torch.uint8),
        ("4:bool", torch.bool),
        ("4:complex64", torch.complex64),
    ],
)
def test_every_type_can_be_had(spec, dtype):
    (value,), _ = built(spec).inputs
    assert (value.shape, value.dtype) == ((4,), dtype)


def test_the_same_seed_gives_the_same_values_and_b_is_the_batch_size():
    first, again, other = (built("Bx5", "Bx6", seed=seed).inputs[0] for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], other[0])
    assert [len(value) for value in first] == [2, 2]
    assert has_batch_axis(["1x3", "mask:BxB"])
    assert not has_batch_axis(["1x3", "batch.npz"])
    assert built("Bx5", batch_size=7).item_count == 7


def test_names_find_their_argument_whatever_the_order():
    specs = ("mask:1x4:int64<2", "ids:1x4:int64<9", "extra=3")
    arguments, keywords = built(*specs, accepted=("ids", "mask")).inputs
    assert (arguments, sorted(keywords)) == ((), ["extra", "ids", "mask"])
    arguments, keywords = built(*specs, accepted=("x",)).inputs
    assert [tuple(value.shape) for value in arguments] == [(1, 4), (1, 4)]
    assert sorted(keywords) == ["extra"]


def test_files_give_their_arrays_as_they_are(folder):
    ids, mask = np.arange(6).reshape(2, 3), np.ones((2, 3), dtype=np.float32)
    np.savez("named.npz", ids=ids, mask=mask)
    np.savez("plain.npz", ids, mask)
    np.save("one.npy", mask)
    save_file({"ids": torch.from_numpy(ids)}, "named.safetensors")
    torch.save((torch.from_numpy(ids), {"deep": torch.ones(1)}), "pair.pt")
    (folder / "words.json").write_text(json.dumps({"ids": [[1, 2]], "use_cache": False}))
    named = built("named.npz").inputs[1]
    assert torch.equal(named["ids"], torch.from_numpy(ids))
    assert torch.equal(built("plain.npz").inputs[0][1], torch.from_numpy(mask))
    assert built("x=one.npy").inputs[1]["x"].shape == (2, 3)
    assert list(built("named.safetensors").inputs[1]) == ["ids"]
    assert len(built("pair.pt").inputs[0]) == 2
    words = built("words.json").inputs[1]
    assert (words["ids"].tolist(), words["use_cache"]) == ([[1, 2]], False)


def test_a_file_that_wants_to_run_code_is_refused(folder):
    class Hostile:
        def __reduce__(self):
            return (open, ("ran", "w"))

    torch.save(Hostile(), "bad.pt")
    np.save("bad.npy", np.array([Hostile()], dtype=object), allow_pickle=True)
    for name in ("bad.pt", "bad.npy"):
        with pytest.raises(InputDataError, match="cannot be read"):
            built(name)
    assert not (folder / "ran").exists()


def test_a_callable_gives_whatever_the_model_takes(folder):
    (folder / "feeds_g.py").write_text(
        "import torch\n"
        "def both():\n    return (torch.ones(1),), {'scale': 2}\n"
        "def nothing():\n    pass\n"
        "ready = {'x': torch.ones(3)}\n"
    )
    arguments, keywords = built("feeds_g:both").inputs
    assert (len(arguments), keywords) == (1, {"scale": 2})
    assert list(built("feeds_g.py:ready").inputs[1]) == ["x"]
    with pytest.raises(InputDataError, match="returned None"):
        built("feeds_g:nothing")
    with pytest.raises(TargetError, match="'feeds_g' has no 'bot'; nearest: both"):
        built("feeds_g:bot")


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("1x128:int64", "does not say how large its integers are", "<30000"),
        ("1x128:int46<3", "unknown type 'int46'", "int64"),
        ("1x0x3", "an axis of length 0", ""),
        ("1x3:fp16<3", "bounds values of type fp16", "only integers"),
        ("gone.npz", "no such file", ""),
        ("1xthree", "has no known form", "module:callable"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(spec, message, hint):
    with pytest.raises(InputDataError, match=message) as caught:
        built(spec)
    assert hint in (caught.value.hint or "")


def test_an_argument_is_given_once():
    with pytest.raises(InputDataError, match="gives 'ids' a second time"):
        built("ids=1", "ids=2")


def test_lines_of_a_text_go_through_the_models_tokenizer(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"[PAD]": 0, "[UNK]": 1, "power": 2, "is": 3, "energy": 4, "over": 5, "time": 6}
    cut = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    cut.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=cut, pad_token="[PAD]", unk_token="[UNK]")
    fast.save_pretrained("own")
    (folder / "lines.txt").write_text("power is energy over time\n\nenergy\n")
    given = text_inputs(
        "lines.txt", tokenizer="own", batch_size=3, seed=0, accepted=["input_ids", "attention_mask"]
    )
    ids = given.inputs[1]["input_ids"]
    assert sorted(map(tuple, ids.tolist()))[0] in {(2, 3, 4, 5, 6), (4, 0, 0, 0, 0)}
    assert set(given.inputs[1]) == {"input_ids", "attention_mask"}
    assert "2 lines repeated to fill a batch of 3" in given.description
    with pytest.raises(InputDataError, match="needs a tokenizer"):
        text_inputs("lines.txt", tokenizer=None, batch_size=1, seed=0, accepted=[])
