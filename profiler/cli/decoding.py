"""--cache-length and --new-tokens: a causal language model as two workloads of a verb."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, cast

from profiler.errors import UsageError

from .options import whole_number

if TYPE_CHECKING:
    from profiler.inputs import Given
    from profiler.workload.decoding import Decode, Prefill
    from profiler.workload.target import Target


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """Both flags."""
    parser.add_argument(
        "--cache-length",
        type=whole_number("--cache-length", 1),
        metavar="N",
        help="take a causal language model twice: reading a prompt of N tokens (figures per "
        "prompt token), and making a token behind a cache of N (figures per generated token)",
    )
    parser.add_argument(
        "--new-tokens",
        type=whole_number("--new-tokens", 1),
        metavar="N",
        help="tokens that one call makes behind the cache (default: 1)",
    )


def check_decoding(arguments: argparse.Namespace) -> None:
    """Refuse --new-tokens alone, and either beside flags that choose other inputs.

    Raises:
        UsageError: they are combined so.
    """
    if arguments.cache_length is None:
        if arguments.new_tokens is not None:
            raise UsageError(
                f"--new-tokens {arguments.new_tokens} are made behind a cache of unknown length",
                hint="add --cache-length N",
            )
        return
    for flag in ("input", "data", "input_shape"):
        if getattr(arguments, flag, None) is not None:
            name = flag.replace("_", "-")
            raise UsageError(
                f"--cache-length and --{name} both choose the inputs",
                hint="leave out one of the two",
            )


def workloads_of(arguments: argparse.Namespace, target: Target) -> tuple[Target, ...]:
    """The model itself, or with --cache-length its prefill and its decoding.

    Raises:
        TargetError: it is no causal language model.
    """
    if arguments.cache_length is None:
        return (target,)
    from profiler.workload.decoding import decoding_targets

    return decoding_targets(target, arguments.cache_length, arguments.new_tokens or 1)


def decoding_inputs(target: Target, batch_size: int, seed: int) -> Given:
    """Inputs of one call of either workload."""
    from profiler.inputs import Given

    stage = cast("Prefill | Decode", target.model)
    return Given(
        inputs=stage.call_inputs(batch_size, seed),
        description=f"{batch_size} random prompt(s) of {stage.length} tokens, seed {seed}",
        item_count=stage.item_count(batch_size),
        item=stage.item,
    )
