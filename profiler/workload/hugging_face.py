"""Models of transformers, built with random weights from their configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import TargetError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

if TYPE_CHECKING:
    from torch import nn

TOKENS = 128
SAMPLES = 16000
"""One second of sound, as the speech models that read waves sample it."""


def build_from_config(place: str, num_classes: int | None) -> tuple[nn.Module, tuple[str, ...]]:
    """The model that a configuration describes, and its inputs as `--input` writes them.

    Nothing but the configuration is read: no weights, no code.

    Args:
        place: a folder with config.json, or a name on the Hugging Face hub.
        num_classes: of a classifier; None for what the configuration says.

    Raises:
        TargetError: transformers is missing, there is no such configuration, or it describes no
            model that this transformers has.
    """
    try:
        import transformers
    except ImportError as error:
        raise TargetError(
            f"'hf:{place}' needs transformers, which cannot be imported: {error}",
            hint="pip install transformers",
        ) from error
    config = _configuration(place)
    names = [name for name in config.architectures or () if hasattr(transformers, name)]
    if num_classes is not None:
        if not names or not names[0].endswith("Classification"):
            raise TargetError(
                f"'hf:{place}' is no classifier, so {num_classes} classes cannot be set",
                hint="leave out --classes",
            )
        config.num_labels = num_classes
    try:
        kind = getattr(transformers, names[0]) if names else None
        model: nn.Module = (
            transformers.AutoModel.from_config(config)
            if kind is None
            else kind._from_config(config)
        )
    # The library raises whatever an odd configuration leads its constructors into.
    except Exception as error:
        heed_interruption(error)
        raise TargetError(f"building 'hf:{place}' raised {one_line(error)}") from error
    return model, input_specs(model)


def _configuration(place: str) -> Any:
    from transformers import AutoConfig

    folder = Path(place).expanduser()
    try:
        return AutoConfig.from_pretrained(str(folder) if folder.is_dir() else place)
    # Hub errors, offline machines and odd JSON come as OSError, ValueError, or requests' own.
    except Exception as error:
        heed_interruption(error)
        raise TargetError(
            f"'hf:{place}' has no configuration that can be read ({one_line(error)})",
            hint="name a folder that holds config.json, or a model of the Hugging Face hub",
        ) from error


def input_specs(model: Any) -> tuple[str, ...]:
    """What a model of transformers takes, from its configuration; () where that tells too little.

    B is the batch size. Texts are of 128 tokens, or of as many as the model has positions.
    """
    config = model.config
    text = config.get_text_config(decoder=False)
    vision = getattr(config, "vision_config", config)
    specs = {
        "input_ids": _tokens(text),
        "pixel_values": _pixels(vision),
        "input_features": _features(config),
        "input_values": f"Bx{SAMPLES}",
    }
    accepted = list(inspect.signature(model.forward).parameters)
    wanted = [model.main_input_name]
    if hasattr(config, "vision_config") and hasattr(config, "text_config"):
        wanted += [name for name in ("input_ids", "pixel_values") if name in accepted]
    found = [f"{name}={specs[name]}" for name in dict.fromkeys(wanted) if specs.get(name)]
    if config.is_encoder_decoder and "decoder_input_ids" in accepted:
        tokens = _tokens(config.get_text_config(decoder=True))
        found += [f"decoder_input_ids={tokens}"] if tokens else []
    return tuple(found)


def _tokens(config: Any) -> str | None:
    words = getattr(config, "vocab_size", None)
    places = [
        getattr(config, name, None)
        for name in ("max_position_embeddings", "n_positions", "max_target_positions")
    ]
    length = min([TOKENS, *(place - 2 for place in places if isinstance(place, int) and place > 2)])
    return f"Bx{length}:int64<{words}" if words else None


def _pixels(config: Any) -> str | None:
    size = getattr(config, "image_size", None)
    if size is None:
        return None
    if isinstance(size, Mapping):
        size = (size["height"], size["width"])
    height, width = (size, size) if isinstance(size, int) else tuple(size)
    return f"Bx{getattr(config, 'num_channels', 3)}x{height}x{width}"


def _features(config: Any) -> str | None:
    bands, places = (
        getattr(config, name, None) for name in ("num_mel_bins", "max_source_positions")
    )
    # Whisper's encoder halves the frames before it has positions for them.
    return f"Bx{bands}x{2 * places}" if bands and places else None
