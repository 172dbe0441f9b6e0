"""Routes as a table, and how a request finds its row. Another generation of the API is another table under its prefix.

Segments are matched before they are percent-decoded, so an encoded slash stays inside its segment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.sandbox.call import Call
from eigenpal.sandbox.problems import Problem, not_found

Operation: TypeAlias = Callable[[Call], Awaitable[Response]]
Handler = TypeVar("Handler")


@dataclass(frozen=True, slots=True)
class Route(Generic[Handler]):
    """One operation of the API.

    Attributes:
        method: HTTP method.
        path: Template behind the prefix; `{id}` takes one segment, `{path:path}` all that follow.
        operation: What answers.
        name: operationId in the API description.
    """

    method: str
    path: str
    operation: Handler
    name: str


class _Node(Generic[Handler]):
    """A place in the tree of paths."""

    def __init__(self) -> None:
        self.literals: dict[str, _Node[Handler]] = {}
        self.parameter: _Node[Handler] | None = None
        self.rest: _Node[Handler] | None = None
        self.routes: dict[str, tuple[Route[Handler], Sequence[str]]] = {}


class Router(Generic[Handler]):
    """Finds the operation of a request.

    Args:
        generations: Routes by path prefix, such as `/api/v1`.
    """

    def __init__(self, generations: Mapping[str, Sequence[Route[Handler]]]) -> None:
        self._root: _Node[Handler] = _Node()
        for prefix, routes in generations.items():
            for route in routes:
                self._add(prefix, route)

    def _add(self, prefix: str, route: Route[Handler]) -> None:
        node = self._root
        names: list[str] = []
        for segment in (prefix + route.path).strip("/").split("/"):
            if segment.endswith(":path}"):
                names.append(segment[1:-6])
                node.rest = node = node.rest or _Node()
            elif segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node = node.parameter or _Node()
            else:
                node = node.literals.setdefault(segment, _Node())
        node.routes[route.method] = (route, names)

    def find_for(self, request: Request[Any]) -> tuple[Route[Handler], dict[str, str]]:
        """Return the route of a request and the values of its path; raises as `find` does."""
        scope = request.scope
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        return self.find(scope["method"], raw_path.partition(b"?")[0].decode("ascii", "replace"))

    def find(self, method: str, raw_path: str) -> tuple[Route[Handler], dict[str, str]]:
        """Return the route of a request and the values of its path.

        Args:
            method: HTTP method.
            raw_path: Path as sent, without the query.

        Raises:
            Problem: 404, no such path; 405, no such method there.
        """
        node = self._root
        values: list[str] = []
        segments = raw_path.lstrip("/").split("/")
        for index, segment in enumerate(segments):
            literal = node.literals.get(segment)
            if literal is not None:
                node = literal
            elif node.parameter is not None and segment:
                node = node.parameter
                values.append(unquote(segment))
            elif node.rest is not None:
                node = node.rest
                values.append("/".join(unquote(rest) for rest in segments[index:]))
                break
            else:
                raise not_found(f"No such path: {raw_path}.")
        if not node.routes:
            raise not_found(f"No such path: {raw_path}.")
        found = node.routes.get(method)
        if found is None:
            allowed = ", ".join(sorted(node.routes))
            message = f"{method} is not possible at {raw_path}; it takes {allowed}."
            raise Problem(405, message, headers={"allow": allowed})
        route, names = found
        return route, dict(zip(names, values, strict=True))
