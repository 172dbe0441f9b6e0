"""The operations of the epilot API as data: method, path, what comes back, and what sending twice does."""

from __future__ import annotations

from typing import Final

from eigenpal.engine.request import Operation, Repeat
from eigenpal.epilot.models.agents import Agent, AgentsPage
from eigenpal.epilot.models.executions import Execution, ExecutionsPage, ExecutionTrace

CREATE_AGENT: Final[Operation[Agent]] = Operation(
    name="agents.create", method="POST", path="/v1/agents", returns=Agent, repeat=Repeat.STARTS
)
LIST_AGENTS: Final[Operation[AgentsPage]] = Operation(
    name="agents.list", method="GET", path="/v1/agents", returns=AgentsPage
)
GET_AGENT: Final[Operation[Agent]] = Operation(
    name="agents.get", method="GET", path="/v1/agents/{agent_id}", returns=Agent
)
UPDATE_AGENT: Final[Operation[Agent]] = Operation(
    name="agents.update", method="PUT", path="/v1/agents/{agent_id}", returns=Agent
)
DELETE_AGENT: Final[Operation[None]] = Operation(name="agents.delete", method="DELETE", path="/v1/agents/{agent_id}")
EXECUTE_AGENT: Final[Operation[Execution]] = Operation(
    name="agents.execute",
    method="POST",
    path="/v1/agents/{agent_id}/execute",
    returns=Execution,
    repeat=Repeat.STARTS,
)
LIST_EXECUTIONS: Final[Operation[ExecutionsPage]] = Operation(
    name="executions.list", method="GET", path="/v1/executions", returns=ExecutionsPage
)
GET_EXECUTION: Final[Operation[Execution]] = Operation(
    name="executions.get", method="GET", path="/v1/executions/{execution_id}", returns=Execution
)
CANCEL_EXECUTION: Final[Operation[Execution]] = Operation(
    name="executions.cancel", method="DELETE", path="/v1/executions/{execution_id}", returns=Execution
)
GET_TRACE: Final[Operation[ExecutionTrace]] = Operation(
    name="executions.trace", method="GET", path="/v1/executions/{execution_id}/trace", returns=ExecutionTrace
)
# A second approval could allow the action that came up after the first, so neither decision is ever sent again.
APPROVE_EXECUTION: Final[Operation[Execution]] = Operation(
    name="executions.approve",
    method="POST",
    path="/v1/executions/{execution_id}/approve",
    returns=Execution,
    repeat=Repeat.STARTS,
)
REJECT_EXECUTION: Final[Operation[Execution]] = Operation(
    name="executions.reject",
    method="POST",
    path="/v1/executions/{execution_id}/reject",
    returns=Execution,
    repeat=Repeat.STARTS,
)
