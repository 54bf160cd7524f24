"""From a case to a page that a colleague can run again: notebooks, tables, one self-contained HTML."""

from spinekit.reporting.notebooks import notebook_folder

__all__ = ["notebook_folder"]
