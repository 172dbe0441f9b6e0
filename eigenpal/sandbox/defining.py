"""How workflows and agents are defined: the two decorators, once for `Sandbox` and for files that a sandbox loads.

A `Definition` is what a decorator was told; the registry makes automations and versions of it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from eigenpal.sandbox.context import RunContext
from eigenpal.sandbox.grammar import is_slug, release_of
from eigenpal.sandbox.rows import Kind

RunFunction: TypeAlias = Callable[[RunContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]
Admission: TypeAlias = Callable[[Mapping[str, Any]], str | None]
Function = TypeVar("Function", bound=RunFunction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A function as one version of a workflow or agent.

    Raises:
        ValueError: Slug, version, inputs, retries or time limit can't be used.
    """

    kind: Kind
    slug: str
    function: RunFunction
    version: str = "1.0.0"
    name: str | None = None
    description: str | None = None
    model: str | None = None
    inputs: Mapping[str, Any] | None = None
    steps: Sequence[str] = ()
    block: bool = False
    folder_id: str | None = None
    api_enabled: bool = True
    admit: Admission | None = None
    dependencies: Sequence[str] = ()
    retries: int = 0
    time_limit_seconds: float | None = None

    def __post_init__(self) -> None:
        if not is_slug(self.slug):
            raise ValueError(
                f"{self.slug!r} can't be a slug: use lower-case letters, digits and dashes, as in invoice-intake."
            )
        if release_of(self.version) is None:
            raise ValueError(f"{self.version!r} can't be a version: use three numbers, as in 1.0.0.")
        if self.retries < 0:
            raise ValueError(f"{self.slug!r} can't be retried {self.retries} times: give 0 or more.")
        if self.time_limit_seconds is not None and not self.time_limit_seconds > 0:
            raise ValueError(f"The time limit of {self.slug!r} must be more than 0 seconds.")
        try:
            json.dumps(self.inputs, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"The inputs of {self.slug!r} can't be written as JSON: {error}.") from None


class Defining(ABC):
    """Whatever functions can be made workflows and agents of."""

    @abstractmethod
    def define(self, definition: Definition) -> None:
        """Take a definition; the same kind, slug and version again replaces it."""

    def workflow(
        self,
        slug: str,
        *,
        version: str = "1.0.0",
        description: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        steps: Sequence[str] = (),
        block: bool = False,
        folder_id: str | None = None,
        api_enabled: bool = True,
        admit: Admission | None = None,
        dependencies: Sequence[str] = (),
        retries: int = 0,
        time_limit_seconds: float | None = None,
    ) -> Callable[[Function], Function]:
        """Make a function a workflow. It gets a `RunContext` and returns the output as a dict.

        Args:
            slug: Name in targets and lists; a nested slug has slashes or dots.
            version: Three numbers; registering another one adds a version, the same one replaces it.
            description: What it does; the docstring unless given.
            inputs: Description of the inputs, any JSON, shown in the definition.
            steps: Names of the steps. When given, overrides of other steps are refused.
            block: List it as a block instead of a workflow.
            folder_id: Folder in which it is listed.
            api_enabled: False refuses starts with 403.
            admit: Looks at the arguments before the start; returns the reason to reject the run, or None.
            dependencies: Packages that it uses, such as `workflows.extract-invoice@1.0.0`; lockfiles list them.
            retries: How many times a run that failed is tried again. Each try is a run of its own, the next of its
                chain: `execution.retry` tells the place in it.
            time_limit_seconds: How long the function may take, pauses included, before its run fails; no limit unless
                given. Real time, whatever `clock` says. A function in a thread can't be stopped: it ends at its
                next checkpoint, after its run.

        Raises:
            ValueError: Slug, version, retries or time limit can't be used.
        """

        def register(function: Function) -> Function:
            self.define(
                Definition(
                    kind="workflow",
                    slug=slug,
                    function=function,
                    version=version,
                    description=description,
                    inputs=inputs,
                    steps=steps,
                    block=block,
                    folder_id=folder_id,
                    api_enabled=api_enabled,
                    admit=admit,
                    dependencies=dependencies,
                    retries=retries,
                    time_limit_seconds=time_limit_seconds,
                )
            )
            return function

        return register

    def agent(
        self,
        slug: str,
        *,
        version: str = "1.0.0",
        name: str | None = None,
        description: str | None = None,
        model: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        api_enabled: bool = True,
        admit: Admission | None = None,
        dependencies: Sequence[str] = (),
        retries: int = 0,
        time_limit_seconds: float | None = None,
    ) -> Callable[[Function], Function]:
        """Make a function an agent. It gets a `RunContext` and returns the output as a dict.

        Args:
            slug: Name in targets and lists.
            version: Three numbers; registering another one adds a version, the same one replaces it.
            name: Name for humans; the slug unless given.
            description: What it does; the docstring unless given.
            model: Name of the model shown on its runs.
            inputs: Description of the inputs, any JSON.
            api_enabled: False refuses starts with 403.
            admit: Looks at the arguments before the start; returns the reason to reject the run, or None.
            dependencies: Packages that it uses, such as `workflows.extract-invoice@1.0.0`; lockfiles list them.
            retries: How many times a run that failed is tried again. Each try is a run of its own, the next of its
                chain: `execution.retry` tells the place in it.
            time_limit_seconds: How long the function may take, pauses included, before its run fails; no limit unless
                given. Real time, whatever `clock` says. A function in a thread can't be stopped: it ends at its
                next checkpoint, after its run.

        Raises:
            ValueError: Slug, version, retries or time limit can't be used.
        """

        def register(function: Function) -> Function:
            self.define(
                Definition(
                    kind="agent",
                    slug=slug,
                    function=function,
                    version=version,
                    name=name,
                    description=description,
                    model=model,
                    inputs=inputs,
                    api_enabled=api_enabled,
                    admit=admit,
                    dependencies=dependencies,
                    retries=retries,
                    time_limit_seconds=time_limit_seconds,
                )
            )
            return function

        return register
