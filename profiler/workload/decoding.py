"""Prefill and one decoding step: the two workloads that a causal language model is made of.

Prefill reads a whole prompt and fills a fresh cache; what it costs is stated per prompt token. A
decoding step makes new tokens one after the other behind a cache of fixed length; what it costs is
stated per generated token. The keys and values of the cache are inputs: every call starts from the
same ones, and none of them is copied.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from profiler.counting.call import set_to_evaluate
from profiler.errors import TargetError, UsageError

from .target import Target

KeysValues = Sequence[tuple[torch.Tensor, torch.Tensor]]


class Prefill(nn.Module):
    """A causal model that reads `length` tokens, as `generate` does before its first token."""

    item = "prompt token"

    def __init__(self, model: Any, length: int) -> None:
        super().__init__()
        self.model = model
        self.length = length
        # Logits of the last place alone are what generation needs of a prompt.
        self._last = _keyword(model, "logits_to_keep", 1)

    def forward(self, input_ids: torch.Tensor) -> Any:
        return self.model(input_ids=input_ids, use_cache=True, **self._last)

    def call_inputs(self, batch_size: int, seed: int) -> tuple[Any, ...]:
        """Random tokens, int64 (batch, length)."""
        return (_tokens(self.model, batch_size, self.length, seed),)

    def item_count(self, batch_size: int) -> int:
        """Prompt tokens of a call."""
        return batch_size * self.length


class Decode(nn.Module):
    """A causal model that makes `new_tokens` tokens, greedily, behind `length` cached ones."""

    item = "generated token"

    def __init__(self, model: Any, length: int, new_tokens: int) -> None:
        super().__init__()
        self.model = model
        self.length = length
        self.new_tokens = new_tokens
        self._cache_name = _cache_name(model)

    def forward(self, token: torch.Tensor, keys_values: KeysValues) -> Any:
        cache = _cache(keys_values)
        for _ in range(self.new_tokens):
            output = self.model(input_ids=token, use_cache=True, **{self._cache_name: cache})
            token = output.logits[:, -1:].argmax(-1)
        return token

    def call_inputs(self, batch_size: int, seed: int) -> tuple[Any, ...]:
        """The first token, int64 (batch, 1), and the keys and values of a random prompt.

        Raises:
            TargetError: the model keeps another cache than keys and values of all tokens.
        """
        from transformers.cache_utils import DynamicLayer

        prompt = _tokens(self.model, batch_size, self.length + 1, seed)
        with torch.no_grad():
            output = set_to_evaluate(self.model)(input_ids=prompt[:, :-1], use_cache=True)
        layers = getattr(output[self._cache_name], "layers", [])
        kinds = {type(layer) for layer in layers}
        if kinds != {DynamicLayer}:
            told = ", ".join(sorted(kind.__name__ for kind in kinds)) or "no layers"
            raise TargetError(
                f"the cache of {type(self.model).__name__} is of another kind: {told}",
                hint="measure it without --cache-length",
            )
        return prompt[:, -1:], [(layer.keys, layer.values) for layer in layers]

    def item_count(self, batch_size: int) -> int:
        """Generated tokens of a call."""
        return batch_size * self.new_tokens


def decoding_targets(target: Target, length: int, new_tokens: int) -> tuple[Target, Target]:
    """Both workloads of a causal model.

    Args:
        target: a causal language model of transformers.
        length: tokens of the prompt, which are those in the cache.
        new_tokens: that one call of the second workload makes.

    Raises:
        TargetError: it is no such model.
        UsageError: it has too few positions.
    """
    model: Any = target.model
    config = getattr(model, "config", None)
    if (
        config is None
        or not _cache_name(model)
        or config.is_encoder_decoder
        or not model.can_generate()
    ):
        raise TargetError(
            f"'{target.reference}' is no causal language model of transformers",
            hint="leave out --cache-length",
        )
    places = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    if places is not None and length + new_tokens > places:
        raise UsageError(
            f"--cache-length {length} and --new-tokens {new_tokens} are more than the {places} "
            f"positions of '{target.reference}'",
            hint=f"give --cache-length {max(1, places - new_tokens)}",
        )
    first: nn.Module = Prefill(model, length)
    second: nn.Module = Decode(model, length, new_tokens)
    return (
        replace(target, name=f"{target.name}-prefill", model=first),
        replace(target, name=f"{target.name}-decode", model=second),
    )


def _tokens(model: Any, batch_size: int, length: int, seed: int) -> torch.Tensor:
    words = model.config.get_text_config(decoder=True).vocab_size
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, words, (batch_size, length), generator=generator)


def _cache_name(model: Any) -> str:
    """What the model calls its cache, as an argument and in its output; "" where it has none."""
    accepted = inspect.signature(model.forward).parameters
    return next((name for name in ("cache", "past_key_values") if name in accepted), "")


def _keyword(model: Any, name: str, value: object) -> dict[str, Any]:
    return {name: value} if name in inspect.signature(model.forward).parameters else {}


def _cache(keys_values: KeysValues) -> Any:
    """A cache that holds these tensors themselves; what is added to it makes new ones."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    cache = DynamicCache()
    for keys, values in keys_values:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        cache.layers.append(layer)
    return cache
