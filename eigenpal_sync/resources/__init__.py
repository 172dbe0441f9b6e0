# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""One class for each namespace of the EigenPal API; a method is a signature, a docstring and one call."""

from __future__ import annotations
