"""One JSON object: the same form as `measure --json`."""

from __future__ import annotations

import json
from typing import Any

from profiler.render.document import Document
from profiler.values.codec import encode, profile_document
from profiler.values.profile import SCHEMA_VERSION


def render(document: Document) -> str:
    """Print the profiles and records of a document; prose and plots are left out."""
    profiles = [profile_document(profile) for profile in document.profiles]
    content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "profiles": profiles}
    if document.records:
        content["records"] = [encode(record) for record in document.records]
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
