# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `agents` namespace: list, read, create, change, delete and execute agents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from eigenpal.epilot.approvals import ApprovalRequest, Decision
from eigenpal.epilot.models.agents import (
    Agent,
    AgentSource,
    AgentsPage,
    ExecutionMode,
    ExecutionPattern,
    ModelConfig,
    SkillAvailability,
    SkillCategory,
)
from eigenpal.epilot.models.executions import Execution, ExecutionContext, ExecutionInput
from eigenpal.epilot.models.parameters import InputParameters
from eigenpal.epilot.resources.agents import AsyncAgents
from eigenpal.epilot.waiting import Until
from eigenpal_sync._portal import BlockingIterator, caller_callback
from eigenpal_sync._twin import Twin


class Agents(Twin[AsyncAgents]):
    """Custom agents of the organisation, and the system skills of epilot."""

    def list(
        self,
        *,
        source: AgentSource | str | None = None,
        availability: SkillAvailability | str | None = None,
        entity_schema: str | None = None,
        cursor: str | None = None,
    ) -> AgentsPage:
        """Return one page of agents: system skills and custom ones.

        Args:
            source: `"system"` or `"custom"`.
            availability: Where they can be used, such as `"flows"`.
            entity_schema: Only those that may work on this schema, such as `"message"`.
            cursor: `next_cursor` of the page before. The service does not declare that it takes one.
        """
        return self._portal.wait(
            self._async.list, source=source, availability=availability, entity_schema=entity_schema, cursor=cursor
        ).result()

    def iterate(
        self,
        *,
        source: AgentSource | str | None = None,
        availability: SkillAvailability | str | None = None,
        entity_schema: str | None = None,
        cursor: str | None = None,
    ) -> BlockingIterator[Agent]:
        """Iterate over the agents of all pages; a page is fetched when its first row is asked for.

        Args:
            source: `"system"` or `"custom"`.
            availability: Where they can be used, such as `"flows"`.
            entity_schema: Only those that may work on this schema, such as `"message"`.
            cursor: `next_cursor` of the page to go on after.

        Raises:
            EigenpalDecodeError: The service answered a page again, so it takes no cursor; no row comes twice.
        """
        return self._portal.iterate(
            self._async.iterate, source=source, availability=availability, entity_schema=entity_schema, cursor=cursor
        )

    def get(self, agent_id: str) -> Agent:
        """Return one agent.

        Args:
            agent_id: Id of a custom agent, or `"skill:<slug>"`.

        Raises:
            EigenpalNotFoundError: No such agent.
        """
        return self._portal.wait(self._async.get, agent_id).result()

    def create(
        self,
        *,
        name: str,
        system_prompt: str,
        execution_pattern: ExecutionPattern | str,
        description: str | None = None,
        category: SkillCategory | str | None = None,
        icon: str | None = None,
        tools: Sequence[str] | None = None,
        model_config: ModelConfig | Mapping[str, Any] | None = None,
        max_iterations: int | None = None,
        execution_mode: ExecutionMode | str | None = None,
        output_schema: Mapping[str, Any] | None = None,
        input_parameters_schema: InputParameters | Mapping[str, Any] | None = None,
    ) -> Agent:
        """Create a custom agent. It is created once: a lost answer is raised with `maybe_started=True`.

        Args:
            name: Name for people, up to 100 characters.
            system_prompt: What the agent is told to do.
            execution_pattern: `"direct"` for one call of the model, `"react"` for a loop that may use tools.
            description: What it does, up to 1000 characters.
            category: What it works on.
            icon: Name of an icon.
            tools: Ids of the tools that it may use, such as `"entity.search"`.
            model_config: Settings of the language model.
            max_iterations: Most rounds of the loop, 1 to 20; 10 unless given.
            execution_mode: When a human is asked: `"automatic"`, `"approval"` or `"draft"`.
            output_schema: JSON Schema of the wanted output.
            input_parameters_schema: The parameters that it takes.

        Raises:
            EigenpalValidationError: The service refused the configuration.
        """
        return self._portal.wait(
            self._async.create,
            name=name,
            system_prompt=system_prompt,
            execution_pattern=execution_pattern,
            description=description,
            category=category,
            icon=icon,
            tools=tools,
            model_config=model_config,
            max_iterations=max_iterations,
            execution_mode=execution_mode,
            output_schema=output_schema,
            input_parameters_schema=input_parameters_schema,
        ).result()

    def update(
        self,
        agent_id: str,
        *,
        name: str | None = None,
        system_prompt: str | None = None,
        execution_pattern: ExecutionPattern | str | None = None,
        description: str | None = None,
        category: SkillCategory | str | None = None,
        icon: str | None = None,
        tools: Sequence[str] | None = None,
        model_config: ModelConfig | Mapping[str, Any] | None = None,
        max_iterations: int | None = None,
        execution_mode: ExecutionMode | str | None = None,
        output_schema: Mapping[str, Any] | None = None,
        input_parameters_schema: InputParameters | Mapping[str, Any] | None = None,
    ) -> Agent:
        """Change a custom agent; what is not given stays as it is.

        Args:
            agent_id: Id of a custom agent.
            name: Name for people, up to 100 characters.
            system_prompt: What the agent is told to do.
            execution_pattern: `"direct"` or `"react"`.
            description: What it does, up to 1000 characters.
            category: What it works on.
            icon: Name of an icon.
            tools: Ids of the tools that it may use.
            model_config: Settings of the language model.
            max_iterations: Most rounds of the loop, 1 to 20.
            execution_mode: When a human is asked: `"automatic"`, `"approval"` or `"draft"`.
            output_schema: JSON Schema of the wanted output.
            input_parameters_schema: The parameters that it takes.

        Raises:
            EigenpalNotFoundError: No such agent.
            EigenpalValidationError: It is a system skill, or the service refused the configuration.
        """
        return self._portal.wait(
            self._async.update,
            agent_id,
            name=name,
            system_prompt=system_prompt,
            execution_pattern=execution_pattern,
            description=description,
            category=category,
            icon=icon,
            tools=tools,
            model_config=model_config,
            max_iterations=max_iterations,
            execution_mode=execution_mode,
            output_schema=output_schema,
            input_parameters_schema=input_parameters_schema,
        ).result()

    def delete(self, agent_id: str) -> None:
        """Delete a custom agent.

        Args:
            agent_id: Id of a custom agent.

        Raises:
            EigenpalNotFoundError: No such agent.
            EigenpalValidationError: It is a system skill.
        """
        self._portal.wait(self._async.delete, agent_id).result()

    def execute(
        self,
        agent_id: str,
        *,
        input: ExecutionInput | Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        execution_mode_override: ExecutionMode | str | None = None,
        execution_context: ExecutionContext | str | None = None,
        callback_url: str | None = None,
        timeout_ms: int | None = None,
    ) -> Execution:
        """Execute an agent or a system skill. It is started once: a lost answer is raised with `maybe_started=True`.

        Args:
            agent_id: Id of a custom agent, or `"skill:<slug>"`.
            input: What to work on.
            parameters: Values for the parameters that the agent takes.
            execution_mode_override: When a human is asked, for this execution alone.
            execution_context: What starts it: `"flows"`, `"copilot"` or `"api"`.
            callback_url: Where the service is to tell that it is over.
            timeout_ms: How long the execution may take at the service, in milliseconds; 30000 unless given, 300000 at
                most. The service may hold the request that long, so it comes on top of the client's timeout.

        Returns:
            The execution as it stands; it may be over already.

        Raises:
            EigenpalInputError: An argument that can't be sent.
            EigenpalValidationError: The parameters are not those that the agent takes.
            EigenpalNotFoundError: No such agent.
        """
        return self._portal.wait(
            self._async.execute,
            agent_id,
            input=input,
            parameters=parameters,
            execution_mode_override=execution_mode_override,
            execution_context=execution_context,
            callback_url=callback_url,
            timeout_ms=timeout_ms,
        ).result()

    def execute_and_wait(
        self,
        agent_id: str,
        *,
        input: ExecutionInput | Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        execution_mode_override: ExecutionMode | str | None = None,
        execution_context: ExecutionContext | str | None = None,
        callback_url: str | None = None,
        timeout_ms: int | None = None,
        until: Until = "human",
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
        cancel_on_timeout: bool = False,
        on_approval: Callable[[ApprovalRequest], Decision | Awaitable[Decision | None] | None] | None = None,
        on_update: Callable[[Execution], object] | None = None,
    ) -> Execution:
        """Execute an agent and wait until it is over or needs a human: `execute` and `executions.wait` in one.

        Args:
            agent_id: Id of a custom agent, or `"skill:<slug>"`.
            input: What to work on.
            parameters: Values for the parameters that the agent takes.
            execution_mode_override: When a human is asked, for this execution alone.
            execution_context: What starts it: `"flows"`, `"copilot"` or `"api"`.
            callback_url: Where the service is to tell that it is over.
            timeout_ms: How long the execution may take at the service, in milliseconds; 30000 unless given.
            until: As in `executions.wait`.
            timeout_seconds: Bound on the wait in seconds, from the answer to the start; None for no bound.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` when it ends without success, or waits for a human.
            cancel_on_timeout: Cancel the execution when the time is up.
            on_approval: Decides on each action that it wants to take, as in `executions.wait`.
            on_update: Called with the execution each time it is seen in a new status.

        Returns:
            The execution with its result or its error; or, with `needs_human`, with the action that waits.

        Raises:
            EigenpalInputError: An argument that can't be sent.
            EigenpalValidationError: The parameters are not those that the agent takes.
            EigenpalNotFoundError: No such agent.
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen execution as `run`.
            EigenpalRunError: With `raise_on_failure`; carries the execution as `run`.
        """
        return self._portal.wait(
            self._async.execute_and_wait,
            agent_id,
            input=input,
            parameters=parameters,
            execution_mode_override=execution_mode_override,
            execution_context=execution_context,
            callback_url=callback_url,
            timeout_ms=timeout_ms,
            until=until,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            cancel_on_timeout=cancel_on_timeout,
            on_approval=caller_callback(on_approval),
            on_update=caller_callback(on_update),
        ).result()
