"""One view of all work that a service does for its users: runs, sessions, routine runs, executions.

What waiting, fan-out and progress need to know of a piece of work, and nothing that one service alone has. The models
satisfy it by their properties; none of them derives from it.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Lifecycle(Protocol):
    """A piece of work as it was last seen."""

    @property
    def id(self) -> str:
        """Id to ask for it by."""
        ...

    @property
    def status(self) -> str | None:
        """Where it is in its life, in the words of its service; None where the service did not say."""
        ...

    @property
    def is_terminal(self) -> bool:
        """Whether it is over, whichever way it ended. An unknown status is taken to go on."""
        ...

    @property
    def needs_human(self) -> bool:
        """Whether it stands still until someone sends a message, approves or rejects."""
        ...

    @property
    def succeeded(self) -> bool:
        """Whether it is over and ended well."""
        ...

    @property
    def result(self) -> Any:
        """What it produced, as its service has it; None before the end and after a failure."""
        ...

    @property
    def error(self) -> Any:
        """Why it ended badly: a text, or an object of its service; None otherwise, or where none is said."""
        ...

    @property
    def usage(self) -> Any:
        """What it used, as its service reports it; None where it reports nothing."""
        ...
