# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The namespaces of the epilot client: one class each, one call for each method."""

from __future__ import annotations
