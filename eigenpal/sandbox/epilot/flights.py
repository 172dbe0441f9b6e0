"""One execution between its start and its end: what its context reports, who may end it, and how long it may take.

Reports may come from the thread of the function; everything else happens in the loop of the server.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from eigenpal.epilot.models.executions import ExecutionErrorCode
from eigenpal.sandbox.calling import FunctionCall
from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.epilot.context import AgentContext, ExecutionEnded, ExecutionFailed
from eigenpal.sandbox.epilot.states import Event
from eigenpal.sandbox.epilot.store import EpilotStore, ExecutionRow, StepRow
from eigenpal.sandbox.transitions import InvalidTransition


class Flight:
    """An execution in flight; implements the `Reports` of its context.

    Args:
        execution: The execution.
        store: Where it is kept.
        now: Returns the present moment in milliseconds since 1970.
        overrun: Called in the loop when the time is up.
    """

    def __init__(
        self, execution: ExecutionRow, store: EpilotStore, now: Callable[[], int], overrun: Callable[[], object]
    ) -> None:
        self.execution = execution
        self.ended: asyncio.Event = asyncio.Event()
        self.call: FunctionCall | None = None
        agent: dict[str, Any] = json.loads(execution.agent)
        self.context: AgentContext = AgentContext(
            execution_id=execution.id,
            agent=agent,
            input=json.loads(execution.input),
            parameters=json.loads(execution.parameters),
            mode=execution.mode,
            reports=self,
        )
        self._most_steps: int = agent["max_iterations"]
        self._store = store
        self._now = now
        self._overrun = overrun
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._answer: Future[None] | None = None
        self._steps: list[tuple[StepRow, dict[str, Any]]] = []
        self._usage: dict[str, float] = {}
        self._left = execution.timeout_ms / 1000
        self._running_since: float | None = None
        self._alarm: asyncio.TimerHandle | None = None

    # In the loop

    def run_clock(self) -> None:
        """Let the time that the execution may take run on."""
        if not self.ended.is_set():
            self._running_since = self._loop.time()
            self._alarm = self._loop.call_later(max(0.0, self._left), self._overrun)

    def stop_clock(self) -> None:
        """Let it stand still, as it does while a human decides."""
        if self._alarm is not None and self._running_since is not None:
            self._alarm.cancel()
            self._left -= self._loop.time() - self._running_since
            self._alarm = None

    def approved(self) -> None:
        """Let the function go on."""
        self.run_clock()
        self._answered(lambda answer: answer.set_result(None))

    def end(self) -> None:
        """Stop working: the execution has its end already. A plain function ends at its next checkpoint."""
        self.stop_clock()
        self.context.end()
        self.ended.set()
        self._answered(lambda answer: answer.set_exception(ExecutionEnded(self.execution.id)))

    def _answered(self, settle: Callable[[Future[None]], object]) -> None:
        with self._lock:
            answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            settle(answer)

    # From any thread

    def step(self, thought: str | None, tool: str | None, input: Mapping[str, Any]) -> int:
        """Begin a step and return its number.

        Raises:
            ExecutionFailed: The agent may take no more.
        """
        document: dict[str, Any] = {"timestamp": timestamp(self._now()), "observation": None}
        document["action"] = (
            None if tool is None else {"tool": tool, "input": to_json_object(input, f"input of {tool}")}
        )
        if thought is not None:
            document["thought"] = thought
        with self._lock:
            number = len(self._steps)
            if number >= self._most_steps:
                raise ExecutionFailed(
                    f"The agent took its {self._most_steps} steps without coming to an end.",
                    code=ExecutionErrorCode.MAX_ITERATIONS_EXCEEDED,
                )
            document["iteration_index"] = number
            row = StepRow(self.execution.id, number, json.dumps(document), finished=False)
            self._steps.append((row, {"began": self._now(), "tokens": self._tokens()}))
        self._store.put_step(row)
        return number

    def observed(self, step: int, observation: Mapping[str, Any] | None) -> None:
        """End a step with what came of it."""
        row, begin = self._steps[step]
        document: dict[str, Any] = json.loads(row.document)
        document["observation"] = None if observation is None else to_json_object(observation, "result of a tool")
        document["latency_ms"] = self._now() - begin["began"]
        document["tokens_used"] = int(self._tokens() - begin["tokens"])
        self._store.put_step(StepRow(row.execution_id, row.position, json.dumps(document), finished=True))

    def ask(self, action: Mapping[str, Any]) -> Future[None]:
        """Show the execution as waiting and return what its answer will be."""
        answer: Future[None] = Future()
        pending = json.dumps(to_json_object(action, "pending action"))
        with self._lock:
            self._answer = answer
        self._loop.call_soon_threadsafe(self.stop_clock)
        try:
            self._store.advance(self.execution, Event.ASK, self._now(), pending_action=pending)
        except InvalidTransition:  # it was cancelled a moment ago
            raise ExecutionEnded(self.execution.id) from None
        return answer

    def used(self, amounts: Mapping[str, float]) -> None:
        """Add to what was used."""
        with self._lock:
            for name, amount in amounts.items():
                self._usage[name] = self._usage.get(name, 0) + amount
            usage = dict(self._usage)
        self._store.set_usage(self.execution.id, usage)

    def _tokens(self) -> float:
        return self._usage.get("input_tokens", 0) + self._usage.get("output_tokens", 0)


def to_json_object(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return a mapping as it is once it went through JSON.

    Raises:
        ExecutionFailed: It can't.
    """
    try:
        made: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ExecutionFailed(f"The {what} can't be written as JSON: {error}.") from error
    return made
