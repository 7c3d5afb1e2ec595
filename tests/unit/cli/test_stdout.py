from __future__ import annotations

import io
import json
import sys

import pytest

from profiler.cli.stdout import write_anywhere


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_text_is_written_and_json_stays_json(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    write_anywhere()
    told = {"café ± 猫 😀": "stray \udce9"}
    print(json.dumps(told, ensure_ascii=False))
    stream.flush()
    assert json.loads(content.getvalue().decode(encoding)) == told
