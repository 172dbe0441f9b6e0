"""Waiting for work that a server does: service-neutral polling, and what it means for runs."""
