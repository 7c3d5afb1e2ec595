"""What `--model` names: a reference, and the network that it leads to.

lightweight                  a name of the zoo (the `models` folder of the checkout)
residual:stem=16:widths=...  a point of one of its spaces, which are in `models/spaces`
package.module:callable      imported as `python -m` would from the working folder
path/file.py:callable        the file is run, its own folder importable
torchvision:resnet50         random weights
timm:vit_tiny_patch16_224    random weights
hf:FOLDER-OR-NAME            random weights, built from its config.json

The callable is a class, a function that returns the model, or the model itself; nothing else is
run. The zoo is loaded from its path under a private name, so that it and a `models` package of the
user can never stand in for each other.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from profiler.errors import TargetError

from .building import FORMS, build_model, takes_classes
from .hugging_face import build_from_config
from .user_code import (
    CHECKOUT,
    callables_in,
    load_module,
    module_named,
    nearest,
    offer,
    run_named_file,
    with_named,
)
from .vision import stated_shape, stated_specs

if TYPE_CHECKING:
    from torch import nn

ZOO_ALIAS = "_wattprof_zoo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model that can be run.

    Args:
        reference: what the user wrote.
        name: short name for files and tables.
        model: the network, in the mode its factory left it.
        input_shape: (channels, height, width) of one image; None where nothing states it.
        input_specs: what the model takes where that is not one tensor of images, as `--input`
            writes it; () where nothing states it.
        tokenizer: what the tokenizer of its texts is loaded from.
    """

    reference: str
    name: str
    model: nn.Module
    input_shape: tuple[int, ...] | None = None
    input_specs: tuple[str, ...] = ()
    tokenizer: str | None = None


def resolve(
    reference: str, *, num_classes: int | None = None, stated_classes: int | None = None,
    may_set_own: bool = False,
) -> Target:  # fmt: skip
    """Find and build the model that a reference names.

    Args:
        reference: one of the forms in the description of this module.
        num_classes: handed to the factory; None for `stated_classes`, or its own default.
        stated_classes: what the file of its weights says, for a factory that takes it.
        may_set_own: whether a factory of the user's that takes no `num_classes` is called without;
            the caller then looks at what the model gives.

    Raises:
        TargetError: the reference leads to no model, or its factory takes no `num_classes`.
    """
    prefix, colon, attribute = reference.rpartition(":")
    classes = stated_classes if num_classes is None else num_classes
    if not colon:
        return _from_zoo(reference, classes)
    if not attribute and _has_zoo() and prefix in zoo().SPACES:
        raise _no_point(reference, prefix)
    if not prefix or not attribute:
        raise TargetError(f"'{reference}' is no model reference", hint=FORMS)
    if prefix == "torchvision":
        return _from_torchvision(reference, attribute, classes)
    if prefix == "timm":
        return _from_timm(reference, attribute, classes)
    if prefix == "hf":
        model, specs = build_from_config(attribute, classes)
        name = _slug(attribute.rstrip("/").rpartition("/")[2])
        return Target(
            reference=reference, name=name, model=model, input_specs=specs, tokenizer=attribute
        )
    if _has_zoo() and zoo().is_point(reference):
        point = zoo().find_point(reference)
        model = build_model(point, reference, classes)
        return Target(
            reference=reference, name=_slug(reference), model=model, input_shape=point.input_shape
        )

    def build(found: object) -> nn.Module:
        is_told = num_classes is not None
        is_free = may_set_own or not is_told
        is_fixed = is_free and callable(found) and not takes_classes(found, is_told=is_told)
        return build_model(found, reference, None if is_fixed else classes)

    model = with_named(reference, build)
    return Target(reference=reference, name=_slug(attribute), model=model)


def is_point_of_zoo(reference: str) -> bool:
    """Whether a reference is a network of one of the zoo's spaces, which numbers alone describe."""
    space = reference.partition(":")[0]
    return _has_zoo() and space in zoo().SPACES and zoo().is_point(reference)


def zoo() -> ModuleType:
    """The `models` package of the checkout this package runs from.

    Raises:
        TargetError: this is an installed wheel, which holds no zoo.
    """
    loaded = sys.modules.get(ZOO_ALIAS)
    if loaded is not None:
        return loaded
    if not _has_zoo():
        raise TargetError(
            "the zoo is not part of the installed package: there is no checkout around it",
            hint=FORMS,
        )
    return load_module(CHECKOUT / "models" / "__init__.py", ZOO_ALIAS, package=True)


def _has_zoo() -> bool:
    return (CHECKOUT / "models" / "__init__.py").is_file() and _is_checkout(CHECKOUT)


def _is_checkout(folder: Path) -> bool:
    """Whether the folder is this project's: read from its pyproject.toml, nothing is run."""
    try:
        metadata = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(metadata.get("project", {}).get("name") == "wattprof")


def _from_zoo(reference: str, num_classes: int | None) -> Target:
    if reference.endswith(".py") or "/" in reference:
        hint = f"say which callable of the file: {reference}:NAME"
        if Path(reference).expanduser().is_file():
            hint = offer(reference, callables_in(run_named_file(reference)))
        raise TargetError(f"'{reference}' names a file, not a model", hint=hint)
    if "." in reference or not _has_zoo():
        raise _no_model(reference)
    variants, spaces = zoo().VARIANTS, zoo().SPACES
    if reference in spaces:
        raise _no_point(reference, reference)
    if reference not in variants:
        raise _no_model(reference, tuple(variants))
    variant = variants[reference]
    model = build_model(variant, reference, num_classes)
    return Target(reference=reference, name=reference, model=model, input_shape=variant.input_shape)


def _no_point(reference: str, space: str) -> TargetError:
    """What to say of a space where one of its networks is wanted."""
    example = zoo().SPACES[space].example
    return TargetError(f"'{reference}' is a space, not a model", hint=f"name a point: {example}")


def _no_model(reference: str, known: tuple[str, ...] = ()) -> TargetError:
    """What to say of a reference without a colon, by what there is of that name."""
    module = module_named(reference)
    if module is not None:
        return TargetError(
            f"'{reference}' is a module, not a model", hint=offer(reference, callables_in(module))
        )
    before, _, last = reference.rpartition(".")
    module = module_named(before) if before else None
    if module is not None:
        own = callables_in(module)
        hint = f"separate module and callable by a colon: {before}:{last}"
        return TargetError(
            f"'{reference}' is no module; '{before}' is one",
            hint=hint if last in own else offer(before, own),
        )
    from torchvision import models

    if reference in models.list_models():
        hint = f"torchvision has one of that name: --model torchvision:{reference}"
    elif known:
        hint = f"the zoo has {', '.join(known)}; or {FORMS}"
    else:
        hint = FORMS
    return TargetError(f"unknown model '{reference}'{nearest(reference, known)}", hint=hint)


def _from_torchvision(reference: str, name: str, num_classes: int | None) -> Target:
    from torchvision import models

    known = models.list_models()
    if name not in known:
        raise TargetError(
            f"torchvision has no model '{name}'{nearest(name, known)}",
            hint='python -c "import torchvision; print(torchvision.models.list_models())"',
        )
    builder = models.get_model_builder(name)
    arguments: dict[str, Any] = {"weights": None}
    if "weights_backbone" in inspect.signature(builder).parameters:
        arguments["weights_backbone"] = None  # its default would be downloaded
    model = build_model(builder, reference, num_classes, **arguments)
    return Target(
        reference=reference,
        name=_slug(name),
        model=model,
        input_shape=stated_shape(model, name),
        input_specs=stated_specs(name),
    )


def _from_timm(reference: str, name: str, num_classes: int | None) -> Target:
    try:
        import timm
    except ImportError as error:
        raise TargetError(
            f"'{reference}' needs timm, which cannot be imported: {error}", hint="pip install timm"
        ) from error
    if not timm.is_model(name):
        raise TargetError(
            f"timm has no model '{name}'{nearest(name, timm.list_models())}",
            hint='python -c "import timm; print(timm.list_models())"',
        )

    def build(**arguments: Any) -> object:
        return timm.create_model(name, pretrained=False, **arguments)

    model = build_model(build, reference, num_classes)
    shape = (getattr(model, "pretrained_cfg", None) or {}).get("input_size")
    return Target(
        reference=reference,
        name=_slug(name),
        model=model,
        input_shape=tuple(shape) if shape else None,
    )


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "model"
