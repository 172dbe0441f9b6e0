"""ArchAstro in the sandbox: agent sessions and routines whose agents are Python functions."""
