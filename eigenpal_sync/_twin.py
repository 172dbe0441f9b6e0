"""What every generated class is made of: the async object that it stands for, and the portal to its event loop.

Not here: anything that one API has and another has not; that is generated from the async classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, get_origin

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
