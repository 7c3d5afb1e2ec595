"""What was measured, in one line: shape, data, type of numbers and threads."""

from __future__ import annotations

from profiler.values.profile import HOST, Profile
from profiler.values.shapes import shapes_in_words


def setting_in_words(profile: Profile) -> str | None:
    """Such as "inputs 128x3x32x32 (digits), fp32, 2 threads"; None for a command."""
    workload = profile.workload
    if workload.device == HOST or not workload.input_shapes:
        return None
    threads = "" if workload.threads is None else f", {workload.threads} thread"
    threads += "s" if workload.threads not in (None, 1) else ""
    layout = ", channels last" if workload.channels_last else ""
    compiled = ", compiled" if workload.compiled else ""
    shapes = shapes_in_words(workload.input_shapes)
    return f"inputs {shapes} ({workload.data}), {workload.dtype}{threads}{layout}{compiled}"


def an_item(profile: Profile) -> str:
    """Such as "an image" or "a generated token"."""
    item = profile.workload.item
    return f"{'an' if item[:1] in 'aeiou' else 'a'} {item}"


def size_of_call(profile: Profile) -> str:
    """Such as "batch 128", or "64 generated tokens" where items are no entries of a batch."""
    count, item = profile.workload.batch_size, profile.workload.item
    if not item.endswith("token"):
        return f"batch {count:,}"
    return f"{count:,} {item}{'' if count == 1 else 's'}"
