"""What every namespace of an API is made of: a session, and one call for each method."""

from __future__ import annotations

from eigenpal.engine.session import Session


class Resource:
    """One namespace of an API; its methods name an operation and their arguments, and the session does the rest."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._call = session.call
