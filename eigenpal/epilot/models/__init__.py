"""What epilot sends and takes: agents, executions, previews of actions. Wire facts, no calls."""
