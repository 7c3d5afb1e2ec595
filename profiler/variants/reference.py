"""The text that names a variant: a base model and its transforms, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from profiler.errors import UsageError

ENSEMBLE = "ensemble("
FORM = "a variant is written BASE+transform or BASE+transform=value, such as resnet18+groups=8+int8"
_WORD = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformCall:
    """One transform as a reference asks for it; `value` is None where none is given."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantReference:
    """A base model's reference, and what is done to it."""

    base: str
    transforms: tuple[TransformCall, ...] = ()

    def __str__(self) -> str:
        return "+".join((self.base, *map(str, self.transforms)))

    def begins_with(self, other: VariantReference) -> bool:
        """Whether more transforms make this variant of the other one."""
        own = self.transforms[: len(other.transforms)]
        return self.base == other.base and own == other.transforms


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an ensemble: a variant, and the file of its weights."""

    reference: str
    checkpoint: str | None


def parse(reference: str) -> VariantReference:
    """Read a reference; one without transforms is its own base.

    A "+" in a path stays part of it: transforms come after the callable's name, and after the
    closing bracket of an ensemble.

    Raises:
        UsageError: a transform is empty or not a word.
    """
    before, rest = _split_base(reference)
    base, *words = rest.split("+")
    return VariantReference(
        base=before + base, transforms=tuple(_call(word, reference) for word in words)
    )


def _split_base(reference: str) -> tuple[str, str]:
    """What can hold no transform, and the rest, which begins with the last part of the base."""
    if reference.startswith(ENSEMBLE):
        inside = _closing(reference)
        return reference[: inside + 1], reference[inside + 1 :]
    prefix, colon, attribute = reference.rpartition(":")
    return prefix + colon, attribute


def _closing(reference: str) -> int:
    depth = 0
    for place, letter in enumerate(reference):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            return place
    raise UsageError(f"'{reference}' lacks a closing bracket", hint="ensemble(A@FILE,B@FILE)")


def _call(word: str, reference: str) -> TransformCall:
    name, equals, value = word.partition("=")
    if not _WORD.fullmatch(name) or (equals and not value):
        raise UsageError(f"'{reference}' holds the transform '{word}', which is none", hint=FORM)
    return TransformCall(name=name, value=value if equals else None)


def members_of(base: str) -> tuple[Member, ...] | None:
    """The members that an ensemble's reference names; None for any other model.

    Raises:
        UsageError: it names fewer than two.
    """
    if not base.startswith(ENSEMBLE):
        return None
    inside = base.removeprefix(ENSEMBLE)[:-1]
    members = tuple(_member(text.strip()) for text in _split_outside_brackets(inside))
    if len(members) < 2 or not all(member.reference for member in members):
        raise UsageError(
            f"'{base}' is no ensemble of at least two members", hint="ensemble(A@FILE,B@FILE)"
        )
    return members


def _split_outside_brackets(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _member(text: str) -> Member:
    reference, at, checkpoint = text.partition("@")
    return Member(reference=reference.strip(), checkpoint=checkpoint.strip() if at else None)
