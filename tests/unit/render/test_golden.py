"""Every format against a file. WATTPROF_UPDATE_GOLDEN=1 rewrites the files; look at the diff."""

import os
import re
from pathlib import Path

import pytest

from profiler.render import Column, Section, Table
from profiler.render.formats import RENDERERS, render_profiles
from tests.sample import resnet18, sample_profile

GOLDEN = Path(__file__).parents[2] / "golden"
SUFFIXES = {"text": "txt", "latex": "tex"}
EXTRA = Section(
    title="Claims",
    tables=(
        Table(
            caption="A study's figures",
            columns=(Column(label="what"), Column(label="paper", role="number")),
            rows=(("parameters", "258,292"),),
        ),
    ),
)


@pytest.mark.parametrize("form", sorted(RENDERERS))
@pytest.mark.parametrize("scene", ["gpu", "cpu"])
def test_each_format_prints_what_it_printed_before(form, scene):
    if scene == "gpu":
        profiles = [resnet18(), sample_profile(), sample_profile(batch_size=1)]
    else:
        profiles = [sample_profile(cpu=True)]
    printed = render_profiles(profiles, form, extra=[EXTRA])
    # What vl-convert draws changes with its version; what it is told is tested beside it.
    printed = re.sub(r"(<svg [^>]*>).*?</svg>", r"\1</svg>", printed, flags=re.DOTALL)
    path = GOLDEN / f"report-{scene}.{SUFFIXES.get(form, form)}"
    if os.environ.get("WATTPROF_UPDATE_GOLDEN") == "1":
        path.write_text(printed, encoding="utf-8", newline="")
    assert printed == path.read_bytes().decode()
