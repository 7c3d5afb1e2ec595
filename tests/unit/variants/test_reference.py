from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UsageError
from profiler.variants import Member, TransformCall, check, members_of, parse


@pytest.mark.parametrize(
    ("text", "base", "calls"),
    [
        ("resnet18", "resnet18", []),
        ("resnet18+groups=8", "resnet18", ["groups=8"]),
        ("resnet18+prune=0.5+int8", "resnet18", ["prune=0.5", "int8"]),
        ("mypkg.nets:Net+bf16", "mypkg.nets:Net", ["bf16"]),
        ("c++/nets.py:Net+int8-qat", "c++/nets.py:Net", ["int8-qat"]),
        ("torchvision:resnet50+int8", "torchvision:resnet50", ["int8"]),
        ("ensemble(a+bf16@x:+.st,b@y)+fp16", "ensemble(a+bf16@x:+.st,b@y)", ["fp16"]),
    ],
)
def test_transforms_stand_behind_the_base(text: str, base: str, calls: list[str]) -> None:
    found = parse(text)
    assert (found.base, [str(call) for call in found.transforms], str(found)) == (base, calls, text)


names = st.text("abcz09-", min_size=1, max_size=5).filter(lambda text: text[0].isalpha())
values = st.none() | st.text("0123456789.", min_size=1, max_size=4)


@given(st.lists(st.builds(TransformCall, name=names, value=values), max_size=4))
def test_what_is_written_is_read_back(calls: list[TransformCall]) -> None:
    text = "+".join(("pkg.c:Net", *map(str, calls)))
    assert parse(text).transforms == tuple(calls)


@pytest.mark.parametrize("text", ["net+", "net++int8", "net+Int8", "net+groups=", "ensemble(a,b"])
def test_an_empty_or_broken_transform_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_members_of_an_ensemble_may_be_ensembles_and_variants() -> None:
    found = members_of("ensemble(a+groups=2@x.st, ensemble(b,c)@y.st)")
    assert found == (
        Member(reference="a+groups=2", checkpoint="x.st"),
        Member(reference="ensemble(b,c)", checkpoint="y.st"),
    )
    assert members_of("resnet18") is None


def test_an_ensemble_of_one_is_none() -> None:
    with pytest.raises(UsageError, match="at least two"):
        members_of("ensemble(a@x)")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("net+grups=2", "no transform 'grups'; nearest: groups", "depthwise"),
        ("net+prune", "a share between 0 and 1, not no value", "prune=0.5"),
        ("net+prune=1.5", "a share between 0 and 1, not '1.5'", "prune=0.5"),
        ("net+sparsify=nan", "a share between 0 and 1, not 'nan'", "sparsify=0.5"),
        ("net+groups=1", "a whole number of at least 2, not '1'", "groups=8"),
        ("net+int8=4", "takes none", "BASE"),
        ("net+bf16+groups=2", "groups=2 cannot follow bf16", r"\+groups=2\+bf16"),
        ("net+sparsify=0.5+prune=0.5", "zeros belong to the final weights", r"\+prune=0.5"),
        ("net+fp16+int8", "a network has one precision", "leave out fp16 or int8"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_a_hint(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        check(parse(text))
    assert refused.value.hint is not None
    assert re.search(hint, refused.value.hint)
