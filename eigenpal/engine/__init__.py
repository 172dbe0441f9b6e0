"""The engine knows HTTP, retries, codecs, files and pages, and nothing of any service."""
