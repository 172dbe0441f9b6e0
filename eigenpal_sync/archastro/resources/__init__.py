# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The namespaces of the ArchAstro API, one file each."""

from __future__ import annotations
