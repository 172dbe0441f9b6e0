"""What every generated class is made of: the async object that it stands for, and the portal to its event loop.

Not here: anything that one API has and another has not; that is generated from the async classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, get_origin

from eigenpal.errors import EigenpalInputError
from eigenpal_sync._portal import Portal

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound="Twin[Any]")


class Twin(Generic[A]):
    """A blocking object: its methods have the async object's do the work in the event loop, and wait for it."""

    _async: A
    _portal: Portal

    def __repr__(self) -> str:
        if type(self._async).__repr__ is object.__repr__:
            return super().__repr__()
        return repr(self._async).replace(type(self._async).__name__, type(self).__name__, 1)

    def _repr_html_(self) -> str | None:
        show: Callable[[], str] | None = getattr(self._async, "_repr_html_", None)
        return None if show is None else show()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} can't be pickled: make a client in each process, and send it ids")


def undecorated(method: Callable[P, T]) -> Callable[P, T]:
    """Return a method without the decorator that warns of its use."""
    bound: Any = method
    inner: Callable[P, T] = bound.__func__.__wrapped__.__get__(bound.__self__)
    return inner


def twin_of(kind: type[K], of: object, portal: Portal) -> K:
    """Return the blocking twin of an async object, with a share in the portal of the client it comes from."""
    made: K = object.__new__(get_origin(kind) or kind)
    vars(made).update(_async=of, _portal=portal)
    return made


def asyncs_of(kind: type[Twin[Any]], twins: Iterable[Any]) -> list[Any]:
    """Return the async objects of blocking ones, of which another twin is made.

    Raises:
        EigenpalInputError: One of them is not blocking: it has an event loop of its own.
    """
    given = list(twins)
    for one in given:
        if not isinstance(one, Twin):
            raise EigenpalInputError(f"{kind.__name__} takes blocking clients, not {type(one).__name__}")
    return [one._async for one in given]


def portal_of(twin: Twin[Any]) -> Portal:
    """Return the portal of a blocking object, for another that shares it."""
    return twin._portal  # pyright: ignore[reportPrivateUsage] - the one way to it for other modules
