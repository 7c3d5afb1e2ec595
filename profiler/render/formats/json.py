"""One JSON object: the same form as `measure --json`."""

from __future__ import annotations

import json

from profiler.render.document import Document
from profiler.values.codec import profile_document
from profiler.values.profile import SCHEMA_VERSION


def render(document: Document) -> str:
    """Print the profiles of a document; prose and plots are left out."""
    profiles = [profile_document(profile) for profile in document.profiles]
    content = {"schema_version": SCHEMA_VERSION, "profiles": profiles}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
