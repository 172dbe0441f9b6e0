"""What the function behind an agent gets: input and parameters, and ways to act, to ask, to report usage and thoughts.

`act` is for plain functions, which run in a thread of their own; `act_async` does the same for async ones. What
happens behind them is the flight's business.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from eigenpal.engine.model import Model, wire_form
from eigenpal.epilot.models.executions import ExecutionErrorCode
from eigenpal.sandbox.json_values import is_object


class ExecutionFailed(Exception):
    """Raise it in the function behind an agent to fail the execution with exactly this error.

    Args:
        message: What went wrong.
        code: One of epilot's codes, such as `"LLM_ERROR"`.
        details: More about it, any JSON.
    """

    def __init__(
        self, message: str, *, code: str = ExecutionErrorCode.INTERNAL_ERROR, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = ExecutionErrorCode(code).value
        self.details = details


class ExecutionEnded(BaseException):
    """Raised where the execution is over: cancelled, refused or out of time. Let it pass; `except Exception` does."""


class Reports(Protocol):
    """What a context tells; every method may be called from any thread."""

    def step(self, thought: str | None, tool: str | None, input: Mapping[str, Any]) -> int:
        """Begin a step and return its number."""
        ...

    def observed(self, step: int, observation: Mapping[str, Any] | None) -> None:
        """End a step."""
        ...

    def ask(self, action: Mapping[str, Any]) -> Future[None]:
        """Ask for an approval; the future has a result once it is given, and raises `ExecutionEnded` otherwise."""
        ...

    def used(self, amounts: Mapping[str, float]) -> None:
        """Add to what was used."""
        ...


class AgentContext:
    """One execution, as seen by the function that does the work.

    Attributes:
        execution_id: Id of the execution.
        agent: The agent as the API shows it.
        input: What to work on.
        parameters: Values for the parameters of the agent, defaults included.
        mode: When a human is asked: `"automatic"`, `"approval"` or `"draft"`.
    """

    def __init__(
        self,
        *,
        execution_id: str,
        agent: Mapping[str, Any],
        input: Mapping[str, Any],
        parameters: Mapping[str, Any],
        mode: str,
        reports: Reports,
    ) -> None:
        self.execution_id = execution_id
        self.agent = agent
        self.input = input
        self.parameters = parameters
        self.mode = mode
        self._reports = reports
        self._ended = threading.Event()
        self._thought: str | None = None

    # The end

    @property
    def is_over(self) -> bool:
        """True once the execution was cancelled or ran out of time."""
        return self._ended.is_set()

    def checkpoint(self) -> None:
        """End here if the execution is over.

        Raises:
            ExecutionEnded: It is; let it pass.
        """
        if self._ended.is_set():
            raise ExecutionEnded(self.execution_id)

    def sleep(self, seconds: float) -> None:
        """Wait, in a function that is not async; the end of the execution ends the wait too.

        Args:
            seconds: How long.

        Raises:
            ExecutionEnded: The execution was cancelled or ran out of time.
        """
        self._ended.wait(seconds)
        self.checkpoint()

    def end(self) -> None:
        """Make the next checkpoint end the function; called by the sandbox."""
        self._ended.set()

    # The work

    def think(self, thought: str) -> None:
        """Note a thought; it is part of the next step, or a step of its own if another thought follows.

        Args:
            thought: What the agent thinks.
        """
        self._flush_thought()
        self._thought = thought

    def act(
        self,
        tool: str,
        input: Mapping[str, Any] | None = None,
        do: Callable[[], Any] | None = None,
        *,
        description: str | None = None,
        preview: Mapping[str, Any] | Model | None = None,
        requires_approval: bool = False,
    ) -> Any:
        """Call a tool, once a human has allowed it where one has to be asked.

        Args:
            tool: Id of the tool, such as `"entity.update"`.
            input: What the tool gets.
            do: Does it and returns any JSON.
            description: What it does, for the human.
            preview: What it does in detail, for the human: a `ToolPreview`, or its wire form.
            requires_approval: Ask in the modes `"automatic"` and `"draft"` too.

        Returns:
            What `do` returned.

        Raises:
            ExecutionEnded: It was refused, or the execution is over; let it pass.
            ExecutionFailed: `do` raised, or the execution may take no more steps.
            RuntimeError: Called in an event loop; use `await act_async(...)` there.
        """
        if _in_loop():
            raise RuntimeError("act would block the event loop; in an async function use: await context.act_async(...)")
        step = self._begun(tool, input)
        if (answer := self._asked(tool, input, description, preview, requires_approval)) is not None:
            answer.result()
        try:
            result = None if do is None else do()
        except Exception as error:
            raise _tool_failure(tool, error) from error
        return self._done(step, result)

    async def act_async(
        self,
        tool: str,
        input: Mapping[str, Any] | None = None,
        do: Callable[[], Any | Awaitable[Any]] | None = None,
        *,
        description: str | None = None,
        preview: Mapping[str, Any] | Model | None = None,
        requires_approval: bool = False,
    ) -> Any:
        """Call a tool from an async function; arguments and errors as in `act`, and `do` may be async."""
        step = self._begun(tool, input)
        if (answer := self._asked(tool, input, description, preview, requires_approval)) is not None:
            await asyncio.wrap_future(answer)
        try:
            result = None if do is None else do()
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            raise _tool_failure(tool, error) from error
        return self._done(step, result)

    def add_usage(self, *, input_tokens: int = 0, output_tokens: int = 0, cost_usd: float = 0.0) -> None:
        """Add to what the execution has used; shown as its metrics."""
        self._reports.used({"input_tokens": input_tokens, "output_tokens": output_tokens, "total_cost_usd": cost_usd})

    def finish(self) -> None:
        """Note what is left to note; called by the sandbox when the function has returned."""
        self.checkpoint()
        self._flush_thought()

    def _begun(self, tool: str, input: Mapping[str, Any] | None) -> int:
        self.checkpoint()
        if self.agent["execution_pattern"] == "direct":
            raise ExecutionFailed(f"An agent of the pattern direct has no tools, so it can't call {tool}.")
        thought, self._thought = self._thought, None
        return self._reports.step(thought, tool, input or {})

    def _asked(
        self,
        tool: str,
        input: Mapping[str, Any] | None,
        description: str | None,
        preview: Mapping[str, Any] | Model | None,
        requires_approval: bool,
    ) -> Future[None] | None:
        if self.mode != "approval" and not requires_approval:
            return None
        action: dict[str, Any] = {"tool": tool, "input": dict(input or {})}
        if description is not None:
            action["description"] = description
        if preview is not None:
            action["preview"] = wire_form(preview)
        return self._reports.ask(action)

    def _done(self, step: int, result: Any) -> Any:
        self.checkpoint()
        self._reports.observed(step, result if is_object(result) else {"result": result})
        return result

    def _flush_thought(self) -> None:
        thought, self._thought = self._thought, None
        if thought is not None and self.agent["execution_pattern"] != "direct":
            self._reports.observed(self._reports.step(thought, None, {}), None)


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _tool_failure(tool: str, error: Exception) -> Exception:
    if isinstance(error, ExecutionFailed):
        return error
    said = f"{type(error).__name__}: {error}".removesuffix(": ")
    return ExecutionFailed(f"The tool {tool} failed: {said}", code=ExecutionErrorCode.TOOL_EXECUTION_FAILED)
