"""A report in a browser without network: no error, every figure drawn, readable, printable."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from profiler.render.formats import render_document
from profiler.render.report import tell
from tests.sample import resnet18, sample_profile

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# What a person at a telephone sees, read out by the page itself: a test's script, in no report.
PROBE = """
<script>
addEventListener("load", () => {
  const seen = (e) => e.getClientRects().length > 0;
  const figures = [...document.querySelectorAll("figure")].filter(seen);
  const texts = [];
  const empty = figures.filter((figure) => {
    const svgs = [...figure.querySelectorAll("svg")].filter(seen);
    for (const svg of svgs) for (const text of svg.querySelectorAll("text"))
      texts.push(text.getBoundingClientRect().height);
    return svgs.length !== 1 || !svgs[0].querySelector('[class*="role-mark"] :is(path, line)');
  });
  const unnamed = [...document.querySelectorAll('svg[role="img"]')].filter(
    (svg) => !document.getElementById(svg.getAttribute("aria-labelledby"))?.textContent.trim());
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  document.title = JSON.stringify({
    figures: figures.length, empty: empty.length, unnamed: unnamed.length,
    smallest: Math.min(...texts.filter((height) => height > 0)),
    twice: ids.length - new Set(ids).size,
    overflow: document.documentElement.scrollWidth - innerWidth,
    ground: getComputedStyle(document.documentElement).backgroundColor,
  });
});
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_report_is_whole_on_a_telephone_in_the_dark(tmp_path) -> None:
    profiles = [
        replace(resnet18(), accuracy_data="digits"),
        replace(sample_profile(), accuracy_data="digits"),
        replace(sample_profile("tiny", energy_j=0.1, mac_count=4_000_000), accuracy_data="digits"),
    ]
    html = render_document(tell(profiles), "html")
    assert "<script" not in html
    loosened = re.sub(r"<meta http-equiv=[^>]*>", "", html)
    page = tmp_path / "report.html"
    page.write_text(loosened.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    command = [
        CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'user'}", "--window-size=500,900",
        "--blink-settings=preferredColorScheme=0", "--enable-logging=stderr",
        "--virtual-time-budget=2000", "--dump-dom", f"file://{page}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "CONSOLE" not in done.stderr
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stderr[-1000:]
    found = json.loads(title[1])
    assert found["figures"] >= 6
    assert (found["empty"], found["unnamed"], found["twice"]) == (0, 0, 0)
    assert found["smallest"] >= 10
    assert found["overflow"] <= 0
    assert found["ground"] == "rgb(19, 21, 24)"
