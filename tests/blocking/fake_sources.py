"""A small async package with every construct the generator has a rule for, and programs that use its twin.

It takes the place of `eigenpal` in a folder of its own, beside the real runtime of the blocking package.
"""

from __future__ import annotations

from collections.abc import Mapping

FILES: Mapping[str, str] = {
    "eigenpal/_version.py": '__version__ = "0"\n',
    "eigenpal/errors.py": "class EigenpalUsageError(RuntimeError): ...\nclass EigenpalInputError(ValueError): ...\n",
    "eigenpal/engine/__init__.py": '"""Empty."""\n',
    "eigenpal/engine/resource.py": """
class Resource:
    def __init__(self, session: dict[str, object]) -> None:
        self._session = session
""",
    "eigenpal/models.py": '''
"""Models."""
from __future__ import annotations
from typing import Final

class Item:
    """A model that has the name of a twin."""

    def __init__(self, number: int) -> None:
        self.number = number

DEFAULT_SIZE: Final = 10
''',
    "eigenpal/__init__.py": '''
"""eigenpal: the async SDK.

    from eigenpal import AsyncFakeClient   # await
    from eigenpal import FakeClient        # blocking
"""
from __future__ import annotations
from importlib import import_module
from typing import TYPE_CHECKING, Any
from eigenpal._version import __version__

if TYPE_CHECKING:
    from eigenpal.client import AsyncFakeClient
    from eigenpal.models import Item
    from eigenpal_sync.client import FakeClient

__all__ = ["AsyncFakeClient", "FakeClient", "Item", "__version__"]

def __getattr__(name: str) -> Any:
    homes = {"AsyncFakeClient": "eigenpal.client", "Item": "eigenpal.models", "FakeClient": "eigenpal_sync.client"}
    return getattr(import_module(homes[name]), name)
''',
    "eigenpal/client.py": '''
"""The async client."""
from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, overload

import anyio

from eigenpal.engine.resource import Resource
from eigenpal.resources.items import AsyncItems

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")
Size = int | str


class AsyncFakeClient:
    """A client for asyncio and trio; hand an httpx.AsyncClient in, or make an `AsyncFakeClient`.

    Example:
        ```python
        import asyncio

        async def main():
            async with AsyncFakeClient() as client:
                async for item in client.items.iterate():
                    print(await client.echo(item))

        asyncio.run(main())
        ```
    """

    kind: str = "fake"
    """What it is, not an `AsyncFakeClient`."""

    def __init__(self, key: str | None = None, *, size: Size = 1_000, price: Decimal | None = None) -> None:
        """Keep the options."""
        self._key = key
        self.closed = 0
        self._size = size
        self.log: list[str] = []

    @cached_property
    def items(self) -> AsyncItems:
        """The items."""
        return AsyncItems({"log": self.log})

    @property
    def size(self) -> Size:
        """The size."""
        return self._size

    async def echo(self, value: T, /, *more: T, times: int = 1, **named: T) -> list[T]:
        """Return what was given, after an `await self.pause()`."""
        await anyio.sleep(0)
        return [value, *more, *named.values()] * times

    @overload
    async def cast(self, value: Any, kind: type[T]) -> T: ...
    @overload
    async def cast(self, value: Any, kind: None = None) -> None: ...
    async def cast(self, value: Any, kind: Any = None) -> Any:
        """Make a value of a kind."""
        return None if kind is None else kind(value)

    async def nothing(self) -> None:
        """Return nothing."""

    async def callback(self, callback: str) -> str:
        """A method and a parameter with the name of something else."""
        return callback

    async def report(self, *, on_progress: Callable[[int], None] | None = None) -> int:
        """Report twice."""
        for number in range(2):
            if on_progress is not None:
                on_progress(number)
        return 2

    async def ask(self, on_question: Callable[[str], Awaitable[bool]]) -> bool:
        """Ask."""
        return await on_question("well?")

    async def ask_either(self, on_question: Callable[[str], bool | Awaitable[bool]] | None) -> bool:
        """Ask."""
        assert on_question is not None
        answer = on_question("well?")
        return answer if isinstance(answer, bool) else await answer

    def with_options(self, *, size: Size) -> Self:
        """Return a copy."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, _size=size)
        return copy

    async def aclose(self) -> None:
        """Close; see `__aexit__`."""
        self.closed += 1
        self.log.append("closed")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self._size!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("no")
''',
    "eigenpal/resources/__init__.py": '"""Namespaces: the async ones."""\n',
    "eigenpal/resources/plain.py": '"""Nothing async here, so it has no twin."""\n\nLIMIT = 3\n',
    "eigenpal/resources/items.py": '''
"""The items namespace."""
from __future__ import annotations

import builtins
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from typing import Generic, Self, TypeVar

import anyio

from eigenpal.engine.resource import Resource
from eigenpal.models import DEFAULT_SIZE, Item
from eigenpal.resources.streams import AsyncReader, AsyncTicker, AsyncHandle

T = TypeVar("T")


class _Private(Resource):
    async def method(self) -> None: ...


class AsyncItem(Resource):
    """A namespace whose twin has the name of a model."""

    async def get(self, number: int = DEFAULT_SIZE) -> Item:
        """Return `AsyncItem`'s model."""
        await anyio.sleep(0)
        return Item(number)


class AsyncBox(Generic[T]):
    """Something generic."""

    def __init__(self, value: T) -> None:
        self._value = value

    async def open(self) -> T:
        """Return what is in it."""
        return self._value


class AsyncItems(Resource):
    """Items."""

    @cached_property
    def one(self) -> AsyncItem:
        """One."""
        return AsyncItem(self._session)

    async def list(self, ids: str | builtins.list[str] = "") -> builtins.list[int]:
        """A method with the name of a builtin."""
        return [1, 2]

    def iterate(self, count: int = 3) -> AsyncIterator[int]:
        """Iterate; `async for` over it."""
        return self._numbers(count)

    async def generate(self, count: int = 3) -> AsyncGenerator[Item, None]:
        """An async generator."""
        for number in range(count):
            yield Item(number)

    def handles(self) -> AsyncIterator[AsyncHandle]:
        """Items that have twins."""
        return self._handles()

    async def handle(self, name: str) -> AsyncHandle:
        """Return something with a twin."""
        return AsyncHandle(name)

    async def box(self) -> AsyncBox[str]:
        """Return something generic with a twin."""
        return AsyncBox("inside")

    @asynccontextmanager
    async def read(self, text: str) -> AsyncIterator[AsyncReader]:
        """Open a reader: `async with client.items.read(...)`."""
        yield AsyncReader(text)
        self._session["log"].append("left")  # type: ignore

    def lock(self) -> AbstractAsyncContextManager[int]:
        """Hold a lock."""
        return self._lock()

    def describe(self, word: str = "items") -> str:
        """Say what it is, without waiting."""
        return f"some {word}"

    @asynccontextmanager
    async def _lock(self) -> AsyncIterator[int]:
        yield 7

    async def _numbers(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            await anyio.sleep(0)
            yield number

    async def _handles(self) -> AsyncIterator[AsyncHandle]:
        for name in "ab":
            yield AsyncHandle(name)
''',
    "eigenpal/resources/streams.py": '''
"""Things that are open."""
from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self


class AsyncReader:
    """Reads `AsyncReader` text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def chunks(self) -> AsyncIterator[str]:
        """Iterate over its letters."""
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[str]:
        for letter in self.text:
            yield letter

    def __aiter__(self) -> AsyncIterator[str]:
        return self._chunks()

    def __len__(self) -> int:
        return len(self.text)


class AsyncTicker:
    """An iterator."""

    def __init__(self) -> None:
        self._left = 3

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return self._left


class AsyncHandle:
    """A handle that is a context manager, and gives out a ticker."""

    name: str

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    @property
    def ticker(self) -> AsyncTicker:
        """A ticker."""
        return AsyncTicker()

    async def again(self) -> Self:
        """Return another."""
        return type(self)(self.name + "!")

    async def aclose(self) -> None:
        """Close it."""
        self.name = "closed"

    async def __aenter__(self) -> Self:
        self.name = "entered"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
''',
}

# Prints nothing and ends well if every construct works.
USE = """
import inspect, pickle, threading
import eigenpal_sync
from eigenpal.models import Item
from eigenpal_sync import BlockingIterator, FakeClient
from eigenpal_sync.resources.items import Box, Items, Item as OneItem
from eigenpal_sync.resources.streams import Handle, Reader, Ticker

assert eigenpal_sync.Item is Item and "AsyncFakeClient" not in eigenpal_sync.__all__
with FakeClient("k", size=5) as client:
    assert repr(client) == "FakeClient(size=5)", repr(client)
    assert client.kind == "fake" and client.size == 5
    assert client.echo(1, 2, times=2, last=3) == [1, 2, 3, 1, 2, 3]
    assert client.cast("3", int) == 3 and client.cast("3") is None
    assert client.nothing() is None and client.callback("x") == "x"

    seen = []
    assert client.report(on_progress=lambda number: seen.append((number, threading.current_thread()))) == 2
    assert seen == [(0, threading.main_thread()), (1, threading.main_thread())]
    assert client.report() == 2
    assert client.ask(lambda question: question == "well?") is True
    assert client.ask_either(lambda question: client.nothing() is None) is True

    items = client.items
    assert type(items) is Items and items is client.items
    assert type(items.one) is OneItem and items.one.get().number == 10
    assert items.list() == [1, 2] and items.describe() == "some items"
    assert list(items.iterate()) == [0, 1, 2] and isinstance(items.iterate(), BlockingIterator)
    assert [item.number for item in items.generate(2)] == [0, 1]
    handles = list(items.handles())
    assert [type(handle) for handle in handles] == [Handle, Handle] and [h.name for h in handles] == ["a", "b"]
    box = items.box()
    assert type(box) is Box and box.open() == "inside"
    with items.read("abc") as reader:
        assert type(reader) is Reader and len(reader) == 3
        assert "".join(reader.chunks()) == "".join(reader) == "abc"
        assert client._async.log == []
    assert client._async.log == ["left"]
    with items.lock() as number:
        assert number == 7
    handle = items.handle("h")
    assert type(handle.again()) is Handle and handle.again().name == "h!"
    with handle as same:
        assert same is handle and handle.name == "entered"
    assert handle.name == "closed"
    ticker = handle.ticker
    assert type(ticker) is Ticker and next(ticker) == 2 and list(ticker) == [1, 0]
    items.handle("x").close()

    other = client.with_options(size=9)
    assert type(other) is FakeClient and other.size == 9 and client.size == 5
    for thing in (client, items, handle):
        try:
            pickle.dumps(thing)
        except TypeError as error:
            assert type(thing).__name__ in str(error), error
        else:
            raise AssertionError("pickled")
assert client._async.log == ["left", "closed"]
client.close()
try:
    other.nothing()
except RuntimeError as error:
    assert "closed" in str(error)
else:
    raise AssertionError("closing one closes both")

assert FakeClient.kind.__doc__ == "What it is, not an `FakeClient`."
document = FakeClient.__doc__
for word in ("await", "async with", "async for", "asyncio", "AsyncFake"):
    assert word not in document.replace("`await`", ""), word
assert "httpx.AsyncClient" in document and "main()" in document
assert inspect.signature(FakeClient).parameters["size"].default == 1_000
assert not hasattr(__import__("eigenpal_sync.resources.items").resources.items, "_Private")
"""
