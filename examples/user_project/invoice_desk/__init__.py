"""Reads invoices, books what it is sure of, and leaves the rest to a human."""
