"""A batch with the work of several services: what each client adds to it, and which client an input goes to.

An input goes by its class. Which classes there are, and what they mean, is said by the services.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Never, NoReturn

import attrs

from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.batch import Reader
from eigenpal.fanout.keys import checked_key, split_key
from eigenpal.fanout.outcome import Outcome
from eigenpal.fanout.outcomes import Outcomes, outcomes_of
from eigenpal.fanout.work import Job

NOUN: Final = "job"  # runs, sessions and executions alike


@attrs.frozen
class Part:
    """What one client adds to a batch.

    Attributes:
        session: How it calls its service.
        readers: The classes of requests that it takes, each with what makes jobs of them.
    """

    session: Session
    readers: Mapping[type[Any], Reader]

    @property
    def service(self) -> str:
        """Name and address of the service."""
        return f"{self.session.service.name} at {self.session.options.base_url}"


@attrs.frozen(kw_only=True, repr=False, eq=False)
class RefusedOutcome(Outcome[Never]):
    """What became of an input that none of the clients takes: `error` says so, and nothing was started."""

    def result(self) -> NoReturn:
        """Raise why there is none.

        Raises:
            EigenpalError: What `error` has.
        """
        assert self.error is not None, "it was refused"
        raise self.error


def mixed_outcomes(parts: Sequence[Part], inputs: object, **options: Any) -> Outcomes[Any]:
    """Return the outcomes of a batch.

    Args:
        parts: One for each client; no two take the same class of requests.
        inputs: What is to be done.
        options: Members of `Options`.
    """
    return outcomes_of(
        [part.session for part in parts],
        inputs,
        _MixedReader({kind: reader for part in parts for kind, reader in part.readers.items()}),
        noun=NOUN,
        identity=" and ".join(sorted(part.service for part in parts)),
        **options,
    )


@attrs.frozen
class _MixedReader:
    """Has each input read by the client that takes its class."""

    readers: Mapping[type[Any], Reader]

    def __call__(self, entry: Any, index: int) -> Job | Outcome[Any]:
        key, request = split_key(entry)
        for kind, reader in self.readers.items():
            if isinstance(request, kind):
                return reader(entry, index)
        named = str(index)
        try:
            named = checked_key(key if key is not None else getattr(request, "key", None), named)
            taken = ", ".join(kind.__name__ for kind in self.readers)
            raise EigenpalInputError(
                f"none of the clients takes this input, of type {type(request).__name__}: they take {taken}, each by "
                "itself or in a pair with a key in front of it"
            )
        except EigenpalInputError as refused:
            return RefusedOutcome(key=named, index=index, error=refused)
