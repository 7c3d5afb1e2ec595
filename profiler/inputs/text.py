"""`--data text:FILE`: lines of a text, as the tokenizer of a model cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.errors import InputDataError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

from .given import Given

TOKENS = 128
"""Longest line that is kept whole, as long as the texts that stand in for real ones."""


def text_inputs(
    place: str,
    *,
    tokenizer: str | None,
    batch_size: int,
    seed: int,
    accepted: Sequence[str],
) -> Given:
    """A batch of lines, drawn without replacement while they last, padded to the longest.

    Args:
        place: a text file, UTF-8; empty lines do not count.
        tokenizer: what it is loaded from; None where the model states none.
        batch_size: lines in the batch.
        seed: of the draw.
        accepted: arguments that the model has: the tokenizer's others are dropped.

    Raises:
        InputDataError: the file is absent or empty, or there is no tokenizer.
    """
    import torch

    lines = _lines(Path(place).expanduser())
    if tokenizer is None:
        raise InputDataError(
            "--data text: needs a tokenizer, which only an hf: model states",
            hint="name the model as hf:FOLDER-OR-NAME, or give the numbers with --input",
        )
    cut = _tokenizer(tokenizer)
    order = torch.randperm(len(lines), generator=torch.Generator().manual_seed(seed)).tolist()
    chosen = [lines[order[number % len(lines)]] for number in range(batch_size)]
    if cut.pad_token is None:
        cut.pad_token = cut.eos_token or cut.unk_token
    encoded = cut(chosen, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt")
    inputs = {name: value for name, value in encoded.items() if name in accepted}
    longest = int(encoded["input_ids"].shape[1])
    notes = [f"text: {len(lines)} lines of {Path(place).name}, {longest} tokens each with padding"]
    if batch_size > len(lines):
        notes.append(f"{len(lines)} lines repeated to fill a batch of {batch_size}")
    return Given(
        inputs=((), inputs), description=", ".join(notes), item_count=batch_size, item="text"
    )


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputDataError(
            f"--data text:{file} cannot be read ({one_line(error)})", hint="give a UTF-8 text file"
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputDataError(f"--data text:{file} holds no text")
    return lines


def _tokenizer(place: str):  # type: ignore[no-untyped-def] # transformers has a type a tokenizer
    try:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(str(Path(place).expanduser()))
    # Missing files, odd JSON and the hub come as OSError, ValueError, or requests' own errors.
    except Exception as error:
        heed_interruption(error)
        raise InputDataError(
            f"'{place}' has no tokenizer that can be read ({one_line(error)})",
            hint="put its tokenizer.json into the folder, or give the numbers with --input",
        ) from error
