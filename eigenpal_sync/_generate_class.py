"""Writes the blocking twin of one async class: a table of rules for methods, and nothing that knows a certain API.

Not here: imports and files (_generate_module.py), the words of docstrings (_generate_text.py).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

import attrs

from eigenpal_sync._generate_source import Source, twin_name
from eigenpal_sync._generate_text import blocking_names, blocking_text

Function = ast.FunctionDef | ast.AsyncFunctionDef

ITERATORS = {"AsyncIterator", "AsyncIterable", "AsyncGenerator", "Outcomes"}
CONTEXTS = {"AbstractAsyncContextManager"}
AWAITABLES = {"Awaitable", "Coroutine"}
CHOICES = {"OnUnknown"}  # words that say what to do: no callbacks, although the names of their parameters begin alike
# What blocking code iterates over itself: read on its thread, as callbacks are.
INPUTS = {"ExecutionIds", "ExecutionInputs", "RunIds", "RunInputs", "ServiceRequests"}
PROPERTIES = {"property", "cached_property"}
REPORTS_ONLY = {"None", "object"}  # what a callback may return that is not awaited: nothing that anyone looks at
VIEWS = {"RawResponses"}  # classes that show any object, async or blocking, in another way: the twin shows itself

# What the twin has of its own, or what concerns nobody outside.
NOT_MIRRORED = {"__repr__", "__reduce__", "__getstate__", "__setstate__", "__del__", "__new__", "__post_init__"}
# Plain methods of the language that look at what is there.
DELEGATED = {"__len__", "__getitem__", "__contains__", "__iter__", "__bool__", "__eq__", "__hash__", "__str__"}


@attrs.frozen
class Returned:
    """What a method of the twin returns: how it is annotated, and what makes a value of it from the async one."""

    annotation: str
    wrap: str | None = None  # the twin class to make, None for values that are the same in both worlds

    def made_of(self, value: str) -> str:
        """Return the expression for the value."""
        return value if self.wrap is None else f"twin_of({self.wrap}, {value}, self._portal)"

    @property
    def maker(self) -> str:
        """The expression for a function that makes the value."""
        return f"lambda value: {self.made_of('value')}"


@attrs.define
class ClassWriter:
    """Writes twins of the classes of one source file.

    Attributes:
        source: The file.
        names: Async class names, as this file knows them, to those of their twins.
        renamed: Names of this file that a twin has taken, such as a model's, to the names they have beside it.
    """

    source: Source
    names: Mapping[str, str]
    renamed: Mapping[str, str]

    def written(self, node: ast.ClassDef) -> str:
        """Return the code of a class's twin, not yet formatted."""
        parameters = [self.source.segment(base) for base in node.bases if _head(base) == "Generic"]
        of = node.name + "".join(parameter.removeprefix("Generic") for parameter in parameters)
        for base in node.bases:
            if _head(base) in self.names:
                raise self.source.error(base, f"{node.name} derives from an async class: compose them instead")
        lines = [f"class {twin_name(node.name)}({', '.join([f'Twin[{of}]', *parameters])}):"]
        lines += self._docstring(node)
        lines += self._members(node)
        return "\n".join(lines)

    def _members(self, node: ast.ClassDef) -> Iterator[str]:
        special: Mapping[str, Callable[..., Iterator[str]]] = {
            "__aenter__": self._enter,
            "__aexit__": self._exit,
            "__aiter__": self._iter,
            "__anext__": self._next,
            "aclose": self._close,
        }
        is_client = node.name.endswith("Client")
        iterates_itself = any(isinstance(item, Function) and item.name == "__anext__" for item in node.body)
        for item, following in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                if not item.target.id.startswith("_"):
                    yield from self._attribute(item, item.target.id, following)
            elif isinstance(item, Function):
                if item.name == "__init__" and is_client:
                    yield from self._constructor(node, item)
                elif item.name == "__init__" and (clients := self._clients(item)):
                    yield from self._made_of(node, item, clients)
                elif (rule := special.get(item.name)) is not None:
                    yield from rule(item, is_client=is_client, iterates_itself=iterates_itself)
                elif not item.name.startswith("_") or item.name in DELEGATED:
                    yield from self._method(item)
                elif item.name.startswith("__") and item.name not in {"__init__", *NOT_MIRRORED}:
                    raise self.source.error(item, f"no rule for {item.name}: add one, or compose differently")

    # --- members of each kind

    def _constructor(self, node: ast.ClassDef, function: Function) -> Iterator[str]:
        yield self._head_of(function, "None")
        yield from self._docstring(function)
        arguments, callbacks = self._arguments(function)
        if callbacks:
            raise self.source.error(function, "a callback of a whole client has no call on whose thread it could run")
        yield f"        self._async = {node.name}({arguments})"
        yield "        self._portal = Portal(self._async.aclose)"

    def _clients(self, function: Function) -> ast.arg | None:
        """Return the parameter that takes any number of async objects, for classes that users make of clients."""
        taken = function.args.vararg
        return taken if taken and taken.annotation and _names(taken.annotation) & self.names.keys() else None

    def _made_of(self, node: ast.ClassDef, function: Function, clients: ast.arg) -> Iterator[str]:
        assert clients.annotation is not None, "read from it"
        if len(function.args.args) > 1 or function.args.kwonlyargs or function.args.kwarg:
            raise self.source.error(function, f"{node.name} is made of {clients.arg} and more: no rule for the others")
        annotation = blocking_names(self.source.segment(clients.annotation), self.names)
        yield f"    def __init__(self, *{clients.arg}: {annotation}) -> None:"
        yield from self._docstring(function)
        yield f"        self._async = {node.name}(*asyncs_of(type(self), {clients.arg}))"
        yield f"        self._portal = portal_of({clients.arg}[0])"
        yield f"        self._{clients.arg} = {clients.arg}  # one that is forgotten is closed"

    def _attribute(self, item: ast.AnnAssign, name: str, following: ast.stmt) -> Iterator[str]:
        returned = self._returned(item.annotation)
        documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        text = self.source.segment(following) if documented else '"""The same as on the async object."""'
        yield f"    @property\n    def {name}(self) -> {returned.annotation}:"
        yield f"        {blocking_text(text, self.names)}"
        yield f"        return {returned.made_of(f'self._async.{name}')}"

    def _method(self, function: Function) -> Iterator[str]:
        decorators = {_head(decorator) for decorator in function.decorator_list}
        known = {"overload", "asynccontextmanager", "deprecated", *PROPERTIES}
        if decorators - known:
            raise self.source.error(function, f"no rule for the decorator of {function.name}")
        if function.returns is None:
            raise self.source.error(function, f"{function.name} does not say what it returns")
        if decorators & PROPERTIES:
            yield from self._property(function, function.returns, "\n".join(f"    @{name}" for name in decorators))
            return
        annotation, code = self._rule(function, function.returns, is_context="asynccontextmanager" in decorators)
        if "overload" in decorators:
            yield "    @overload"
            yield f"{self._head_of(function, annotation)} ..."
            return
        yield from (f"    @{self.source.segment(mark)}" for mark in _deprecations(function))
        yield self._head_of(function, annotation)
        yield from self._docstring(function)
        yield f"        {code}" if annotation == "None" else f"        return {code}"

    def _property(self, function: Function, returns: ast.expr, decorator: str) -> Iterator[str]:
        returned = self._returned(returns)
        yield f"{decorator}\n    def {function.name}(self) -> {returned.annotation}:"
        yield from self._docstring(function)
        if (view := _head(returns)) in VIEWS:
            yield f"        return {view}(self)"
        else:
            yield f"        return {returned.made_of(f'self._async.{function.name}')}"

    def _rule(self, function: Function, returns: ast.expr, *, is_context: bool) -> tuple[str, str]:
        """Return the annotation and the expression of a method of the twin."""
        arguments, callbacks = self._arguments(function)
        target = f"self._async.{function.name}"
        if _deprecations(function):
            target = f"undecorated({target})"  # the twin has said it already, on the user's own line
        given = f"{target}, {arguments}" if arguments else target
        outer, is_async = _head(returns), isinstance(function, ast.AsyncFunctionDef)
        if is_context or outer in CONTEXTS:
            held = self._returned(_inner(returns))
            code = f"enter({given})" if held.wrap is None else f"enter_as({held.maker}, {given})"
            return f"AbstractContextManager[{held.annotation}]", f"self._portal.{code}"
        if outer in ITERATORS:
            if is_async and not _yields(function):
                raise self.source.error(function, f"{function.name} awaits before it iterates: make it a plain def")
            item = self._returned(_inner(returns))
            code = f"iterate({given})" if item.wrap is None else f"iterate_as({item.maker}, {given})"
            return f"BlockingIterator[{item.annotation}]", f"self._portal.{code}"
        if is_async or outer in AWAITABLES:
            returned = self._returned(returns if is_async else _inner(returns, last=True))
            return returned.annotation, returned.made_of(f"self._portal.wait({given}).result()")
        if callbacks:
            raise self.source.error(function, f"{function.name} takes a callback but is not async: who would call it?")
        returned = self._returned(returns)
        return returned.annotation, returned.made_of(f"{target}({arguments})")

    # --- special methods

    def _enter(self, function: Function, *, is_client: bool, **_: bool) -> Iterator[str]:
        yield "    def __enter__(self) -> Self:"
        if is_client:
            yield "        return self"
            return
        if function.returns is None or _head(function.returns) != "Self":
            raise self.source.error(function, "__aenter__ must return Self")
        yield "        self._context = self._portal.enter(lambda: self._async)"
        yield "        self._context.__enter__()"
        yield "        return self"

    def _exit(self, function: Function, *, is_client: bool, **_: bool) -> Iterator[str]:
        returns = "None" if is_client else "bool | None"
        yield "    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,"
        yield f"                 traceback: TracebackType | None) -> {returns}:"
        yield "        self.close()" if is_client else "        return self._context.__exit__(kind, error, traceback)"

    def _close(self, function: Function, *, is_client: bool, **_: bool) -> Iterator[str]:
        yield "    def close(self) -> None:"
        yield from self._docstring(function)
        yield "        self._portal.close()" if is_client else "        self._portal.wait(self._async.aclose).result()"

    def _iter(self, function: Function, *, iterates_itself: bool, **_: bool) -> Iterator[str]:
        if iterates_itself:
            yield "    def __iter__(self) -> Self:\n        return self"
            return
        assert function.returns is not None, "checked by mypy --strict"
        item = self._returned(_inner(function.returns))
        code = "iterate(" if item.wrap is None else f"iterate_as({item.maker}, "
        yield f"    def __iter__(self) -> BlockingIterator[{item.annotation}]:"
        yield f"        return self._portal.{code}self._async.__aiter__)"

    def _next(self, function: Function, **_: bool) -> Iterator[str]:
        assert function.returns is not None, "checked by mypy --strict"
        item = self._returned(function.returns)
        code = "iterate(" if item.wrap is None else f"iterate_as({item.maker}, "
        yield f"    @cached_property\n    def _items(self) -> BlockingIterator[{item.annotation}]:"
        yield f"        return self._portal.{code}self._async.__aiter__)"
        yield f"    def __next__(self) -> {item.annotation}:\n        return next(self._items)"

    # --- parts

    def _head_of(self, function: Function, returns: str) -> str:
        name = function.name
        return f"    def {name}({', '.join(self._parameters(function))}) -> {returns}:"

    def _docstring(self, node: ast.ClassDef | Function) -> list[str]:
        indent = " " * (4 if isinstance(node, ast.ClassDef) else 8)
        return [indent + blocking_text(text, self.names)] if (text := self.source.docstring_of(node)) else []

    def _parameters(self, function: Function) -> Iterator[str]:
        """Yield the parameters as written, stars and slash among them."""
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        for index, (argument, default) in enumerate(zip(positional, defaults, strict=True), 1):
            yield self._parameter(argument, default)
            if index == len(arguments.posonlyargs):
                yield "/"
        if arguments.vararg:
            yield f"*{self._parameter(arguments.vararg, None)}"
        elif arguments.kwonlyargs:
            yield "*"
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            yield self._parameter(argument, default)
        if arguments.kwarg:
            yield f"**{self._parameter(arguments.kwarg, None)}"

    def _parameter(self, argument: ast.arg, default: ast.expr | None) -> str:
        if argument.annotation is None:
            return argument.arg
        annotation = self.source.segment(argument.annotation)
        if mentioned := _names(argument.annotation) & self.names.keys():
            raise self.source.error(argument, f"{argument.arg} takes a {mentioned.pop()}, which blocking code has not")
        if (callback := _callback(argument.annotation)) is not None and _head(callback) in AWAITABLES:
            # In blocking code the callback is a plain function.
            annotation = annotation.replace(
                self.source.segment(callback), self.source.segment(_inner(callback, last=True))
            )
        annotation = blocking_names(annotation, self.renamed)
        return f"{argument.arg}: {annotation}" + ("" if default is None else f" = {self.source.segment(default)}")

    def _arguments(self, function: Function) -> tuple[str, bool]:
        """Return the arguments that pass a method's parameters on, and whether there are callbacks among them."""
        arguments = function.args
        parts = [self._passed_on(argument) for argument in [*arguments.posonlyargs, *arguments.args][1:]]
        parts += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
        parts += [f"{argument.arg}={self._passed_on(argument)}" for argument in arguments.kwonlyargs]
        parts += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
        return ", ".join(parts), any("caller_callback(" in part for part in parts)

    def _passed_on(self, argument: ast.arg) -> str:
        callback = None if argument.annotation is None else _callback(argument.annotation)
        kind = "" if argument.annotation is None else _head(argument.annotation)
        if kind in INPUTS:
            return f"caller_inputs({argument.arg})"
        if callback is None:
            if argument.arg.startswith("on_") and kind not in CHOICES:
                raise self.source.error(
                    argument, f"{argument.arg} looks like a callback: write its type as Callable[...]"
                )
            return argument.arg
        if not (_names(callback) & AWAITABLES or self.source.segment(callback) in REPORTS_ONLY):
            problem = "returns a value and can't be awaited, so it could not be called on another thread"
            raise self.source.error(argument, f"{argument.arg} {problem}: let it return an Awaitable too, or None")
        return f"caller_callback({argument.arg})"

    def _returned(self, annotation: ast.expr) -> Returned:
        """Return how the twin returns what the async method returns."""
        if (head := _head(annotation)) == "Self":
            return Returned("Self", "type(self)")
        text = self.source.segment(annotation)
        if head in self.names:
            twin = blocking_names(text, {**self.renamed, **self.names})
            return Returned(twin, twin)
        if mentioned := _names(annotation) & self.names.keys():
            raise self.source.error(
                annotation, f"{mentioned.pop()} inside {text}: return it by itself, or iterate over it"
            )
        return Returned(blocking_names(text, self.renamed))


def _head(node: ast.expr) -> str:
    """Return the last name of what is called, subscripted or named: `Final` for `typing.Final[int]`."""
    if isinstance(node, ast.Subscript):
        return _head(node.value)
    if isinstance(node, ast.Call):
        return _head(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _inner(node: ast.expr, *, last: bool = False) -> ast.expr:
    """Return the type in the brackets, the first or last of several."""
    assert isinstance(node, ast.Subscript), "checked by mypy --strict: no generic without its arguments"
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return arguments[-1 if last else 0]


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _callback(annotation: ast.expr) -> ast.expr | None:
    """Return what a callback returns, for the type of one, optional or not; None for any other type."""
    if isinstance(annotation, ast.BinOp):
        return _callback(annotation.left) or _callback(annotation.right)
    return _inner(annotation, last=True) if _head(annotation) == "Callable" else None


def _deprecations(function: Function) -> list[ast.expr]:
    return [decorator for decorator in function.decorator_list if _head(decorator) == "deprecated"]


def _yields(function: Function) -> bool:
    return any(isinstance(part, ast.Yield) for part in ast.walk(function))
