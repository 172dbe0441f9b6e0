"""The plugin's fixtures, also where eigenpal runs from a checkout that no installation told pytest about."""

from __future__ import annotations

from eigenpal.testing import async_eigenpal_client, eigenpal_client, eigenpal_sandbox

__all__ = ["async_eigenpal_client", "eigenpal_client", "eigenpal_sandbox"]
