"""Comparing two runs on the client: where their JSON, files and steps differ, and how to show it. Pure."""
