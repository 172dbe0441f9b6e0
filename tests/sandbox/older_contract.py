"""Checks answers of a sandbox of generation 0.6 against what the API description says of that generation."""

from __future__ import annotations

from typing import Any

import httpx
from jsonschema import Draft202012Validator

from tests.sandbox.contract import description, schema_errors


def older_errors(schema: str, value: Any) -> list[str]:
    """Return what is wrong with a value, by the name of a schema of that generation."""
    known: dict[str, Any] = description()["x-legacy-generation"]["schemas"][schema]
    closed = {**known, "additionalProperties": False} if schema == "LegacyRunSummary" else known
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(closed).iter_errors(value)]


def check_envelope(response: httpx.Response) -> None:
    """Fail when an error isn't worded as all errors are."""
    assert response.headers["x-request-id"].startswith("req_")
    if response.status_code >= 400:
        response.read()
        assert schema_errors("/components/schemas/ApiErrorEnvelope", response.json()) == []


def connect_older(url: str, api_key: str) -> httpx.Client:
    """Return a client that fails the test when an error isn't an envelope."""
    return httpx.Client(
        base_url=f"{url}/api/v1",
        headers={"authorization": f"Bearer {api_key}"},
        event_hooks={"response": [check_envelope]},
        timeout=10,
        trust_env=False,
        verify=False,
    )
