"""Self-contained HTML pages: one file that opens anywhere, prints well, and asks nothing of a network."""

from hipseg.pages.page import Page, Section

__all__ = ["Page", "Section"]
