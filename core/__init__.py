"""Inpaint Studio without its pages."""

__version__ = "1.0"
