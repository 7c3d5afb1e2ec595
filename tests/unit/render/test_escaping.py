"""Names come from outside: a model's, a layer's, a device's. None may act in any format."""

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from profiler.render.formats import render_profiles
from profiler.render.formats.markdown import escape
from profiler.values.findings import Finding
from tests.sample import resnet18, sample_profile

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} {% raw %}",
    "a|b`c`\n# heading",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "\x1b[31mred\x07",
    "[click](javascript:alert(1)) https://evil.example www.evil.example",
    "</style></svg></title>",
    "\u202egnp.exe",
)


def hostile_profile(name):
    profile = sample_profile(cpu=True)
    return replace(
        profile,
        name=name,
        workload=replace(profile.workload, model=name),
        environment=replace(profile.environment, device_name=name, facts={name: name}),
        layers=(replace(profile.layers[0], path=name, kind=name),),
        findings=(Finding(kind=name, observed=name, remedy=name),),
    )


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []
        self.attributes = []
        self.text = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def parse(page):
    elements = Elements()
    elements.feed(page)
    return elements


@pytest.mark.parametrize("name", HOSTILE)
def test_html_holds_a_hostile_name_as_text_only(name):
    # As long, and broken into lines at the same places of a figure or a table.
    harmless = re.sub(r"[^\s.,/+-]", "x", name)
    ordinary = parse(render_profiles([hostile_profile(harmless)], "html"))
    elements = parse(render_profiles([hostile_profile(name)], "html"))
    assert elements.tags == ordinary.tags
    assert not any(key.startswith("on") for key, _ in elements.attributes)
    visible = "".join(char if char.isprintable() else " " for char in name)
    assert any(visible in text for text in elements.text)


def test_html_asks_for_nothing_from_anywhere():
    page = render_profiles([resnet18(), sample_profile()], "html")
    elements = parse(page)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(elements.tags)
    links = [value for key, value in elements.attributes if key in ("href", "src", "xlink:href")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"@import|@font-face|url\((?!#)", page)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page.replace(
        "&#39;", "'"
    )


def test_html_tables_and_figures_are_labelled():
    elements = parse(render_profiles([resnet18(), sample_profile()], "html"))
    count = elements.tags.count
    assert count("caption") == count("table") > 0
    assert count("figcaption") == count("figure") > 2
    assert count("svg") == 2 * count("figure")  # for a page, and for a telephone
    scopes = [value for key, value in elements.attributes if key == "scope"]
    assert len(scopes) == count("th")


def test_html_identifiers_are_unique():
    elements = parse(render_profiles([resnet18(), sample_profile()], "html"))
    identifiers = [value for key, value in elements.attributes if key == "id"]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_tables_keep_their_shape(name):
    printed = render_profiles([hostile_profile(name)], "md")
    ordinary = render_profiles([hostile_profile("ordinary")], "md")
    assert len(printed.splitlines()) == len(ordinary.splitlines())

    def cells(text):
        return [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()]

    assert cells(printed) == cells(ordinary)
    assert "<" not in printed
    assert not re.search(r"(?<!\\)`", printed)
    assert not re.search(r"https?:|www\.", printed)


def test_markdown_escapes_every_kind_of_markup():
    assert escape("a|b") == r"a\|b"
    assert escape("`x` *y* _z_") == r"\`x\` \*y\* \_z\_"
    assert escape("<b> & x") == "&lt;b&gt; &amp; x"
    assert escape("# no heading\n- no list") == r"\# no heading - no list"
    assert escape("plain (2 cores), 3.5") == "plain (2 cores), 3.5"


@pytest.mark.parametrize("name", HOSTILE)
def test_csv_cells_are_never_formulas(name):
    rows = list(csv.DictReader(io.StringIO(render_profiles([hostile_profile(name)], "csv"))))
    assert all(row["name"][:1] not in "=+-@\t\r\n" for row in rows)
    assert rows[0]["name"].lstrip("'") == name


@pytest.mark.parametrize("name", HOSTILE)
def test_text_moves_no_cursor(name):
    printed = render_profiles([hostile_profile(name)], "text")
    assert all(char.isprintable() or char == "\n" for char in printed)


@pytest.mark.parametrize("name", HOSTILE)
def test_json_gives_back_every_name(name):
    document = json.loads(render_profiles([hostile_profile(name)], "json"))
    assert document["profiles"][0]["name"] == name


@pytest.mark.parametrize("name", [*HOSTILE, r"\input{/etc/passwd} $x$ 100% #1 a_b^c~"])
def test_latex_prints_a_hostile_name_and_runs_none_of_it(name):
    printed = render_profiles([hostile_profile(name)], "latex")
    ordinary = render_profiles([hostile_profile("ordinary")], "latex")

    def commands(text):
        lines = [line for line in text.splitlines() if not line.startswith("%")]
        known = r"\\(begin|end|centering|caption|toprule|midrule|bottomrule)\b|(?<!\\)&"
        return re.findall(known, "\n".join(lines))

    assert commands(printed) == commands(ordinary)
    assert len(printed.splitlines()) == len(ordinary.splitlines())
    assert r"\input" not in re.sub(r"(?m)^%.*$", "", printed)
