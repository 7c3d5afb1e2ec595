"""What can be wrong with the data of this folder."""

from profiler.errors import ProfilerError


class ReportDataError(ProfilerError):
    """A claims or study file does not say what it must; the message names file and field."""
