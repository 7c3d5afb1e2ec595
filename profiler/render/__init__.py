"""What a report says, as a document: headings, tables and figures as data, in no format yet.

`formats/` prints documents; nothing here knows of it.
"""

from __future__ import annotations

from .document import Bar, Column, Document, Plot, Section, Table

__all__ = ["Bar", "Column", "Document", "Plot", "Section", "Table"]
