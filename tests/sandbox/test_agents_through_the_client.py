"""Agents, email triggers, source and automations as users call them: both clients against the sandbox, end to end."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from eigenpal import (
    AsyncEigenpalClient,
    EigenpalClient,
    EigenpalConflictError,
    EigenpalForbiddenError,
    EigenpalNotFoundError,
    EigenpalValidationError,
)
from eigenpal.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(shared_sandbox: Sandbox) -> AsyncIterator[AsyncEigenpalClient]:
    async with AsyncEigenpalClient(shared_sandbox.add_key("async"), base_url=shared_sandbox.url) as connected:
        yield connected


@pytest.fixture
def new_slug(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes slugs that no other test of the shared sandbox uses."""
    suffix = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower()).strip("-")
    return lambda name: f"{name}-{suffix}"[:100].rstrip("-")


async def test_an_agent_is_created_changed_and_found(
    client: AsyncEigenpalClient, new_slug: Callable[[str], str]
) -> None:
    slug = new_slug("sorter")
    created = await client.agents.create(name="Sorter", slug=slug, config={"triggers": {"api": {"enabled": True}}})
    assert (created.source_recovered, created.recovery_kind) == (False, "minimal_scaffold")

    changed = (await client.agents.update(created.agent.id, description="Sorts.")).agent
    assert (changed.name, changed.description) == ("Sorter", "Sorts.")
    found = (await client.agents.get(slug, include=["files", "dataset"])).agent
    assert found["files"] == ["README.md", "agent.yaml"]
    assert found["dataset"] == {"examples": []}
    assert found.stats is not None
    assert found.stats.total_executions == 0
    assert [agent.id async for agent in client.agents.iterate(slug=slug, limit=1)] == [created.agent.id]
    with pytest.raises(EigenpalValidationError, match="already"):
        await client.agents.create(name="Again", slug=slug)
    with pytest.raises(EigenpalNotFoundError):
        await client.agents.get("none")


async def test_pages_of_agents_are_walked_to_the_end(
    client: AsyncEigenpalClient, new_slug: Callable[[str], str]
) -> None:
    slugs = [new_slug(name) for name in "abcde"]
    for slug in slugs:
        await client.agents.create(name=f"Walk {slug}", slug=slug)

    search = new_slug("")
    assert [agent.slug async for agent in client.agents.iterate(search=search, limit=2)] == slugs
    page = await client.agents.list(search=search, limit=2, offset=4)
    assert ([agent.slug for agent in page.data], page.total) == (slugs[4:], 5)


async def test_source_files_are_read_and_not_written(
    shared_sandbox: Sandbox, client: AsyncEigenpalClient, new_slug: Callable[[str], str]
) -> None:
    slug = new_slug("files")
    await client.agents.create(name="Files", slug=slug)
    commit = shared_sandbox.source.push(slug, {"prompts/sort.md": "Sort."}, version="1.0.0", tenant="async")

    assert (await client.agents.list_files(slug, prefix="prompts/")).files == ["prompts/sort.md"]
    file = await client.agents.list_files(slug, path="prompts/sort.md", ref="1.x")
    assert (file.content, file.content_type, file.content_base64) == ("Sort.", "text/markdown", None)
    newest, scaffold = (await client.agents.versions(slug)).versions
    assert (newest.source_ref, newest.commit, newest.latest, newest.created_by_user) == ("1.0.0", commit, True, None)
    assert scaffold.created_by_user is not None
    assert scaffold.created_by_user.name == "async"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises(EigenpalConflictError, match="held in Git"):
            await client.agents.put_file(slug, "a.md", content="a")
        with pytest.raises(EigenpalConflictError, match="held in Git"):
            await client.agents.upload_files(slug, [{"path": "a.md", "contentBase64": "YQ=="}])
        with pytest.raises(EigenpalValidationError, match=r"\.\./a"):
            await client.agents.put_file(slug, "../a", content="a")


async def test_mail_is_switched_on_and_addresses_come_and_go(
    client: AsyncEigenpalClient, new_slug: Callable[[str], str]
) -> None:
    slug = new_slug("mail")
    await client.agents.create(name="Mail", slug=slug)
    mail = client.agents.email_triggers

    assert (await mail.update(slug, enabled=True)).trigger.enabled is True
    alias = (await mail.create_alias(slug, alias=f"sort-{slug[-5:]}", label="A", reply_config={"on": "always"})).email
    assert alias.id is not None
    assert alias.reply_config is not None
    assert (alias.status, alias.label, alias.reply_config.on) == ("active", "A", "always")
    changed = (await mail.update_alias(slug, alias.id, label=None, status="disabled", allow=["example.com"])).email
    assert (changed.label, changed.status, changed.allowlist) == (None, "disabled", ["example.com"])
    assert changed in (await mail.list()).emails
    state = await mail.get(slug)
    assert (state.trigger.enabled, state.emails) == (True, [changed])
    assert (await mail.delete_alias(slug, alias.id)).removed is True
    with pytest.raises(EigenpalNotFoundError):
        await mail.delete_alias(slug, alias.id)


async def test_the_repository_is_read_and_the_registry_synced(
    shared_sandbox: Sandbox, client: AsyncEigenpalClient, new_slug: Callable[[str], str]
) -> None:
    slug = new_slug("source")
    await client.agents.create(name="Source", slug=slug)
    commit = shared_sandbox.source.push(slug, {"notes.txt": "n"}, version="0.2.0", tenant="async")

    assert (await client.source.repository()).remote_url == f"{shared_sandbox.url}/orgs/async.git"
    assert (await client.source.raw(f"agents/{slug}/notes.txt")).content == "n"
    releases = (await client.source.releases(f"agents/{slug}", version="0.2.0")).releases
    assert [release.commit for release in releases] == [commit]
    lockfile = await client.source.lockfile(f"agents.{slug}@main")
    assert (lockfile.root.commit, lockfile.root.dependencies) == (commit, [])
    synced = await client.automations.sync(f"agents.{slug}")
    assert (synced.automation.slug, synced.release.commit) == (slug, commit)
    assert synced.warnings == ["No function is registered for this agent, so its runs fail."]


async def test_secrets_are_sealed_and_opened(
    shared_sandbox: Sandbox, client: AsyncEigenpalClient, new_slug: Callable[[str], str]
) -> None:
    slug = new_slug("sealed")
    shared_sandbox.agent(slug)(lambda context: {})
    run = await client.run_and_wait(f"agents.{slug}")
    assert run.id is not None
    place: dict[str, Any] = {"source_path": f"agents/{slug}", "secret_name": "TOKEN"}

    sealed = (await client.source.encrypt_secrets(**place, plaintext="hunter2")).encrypted
    assert sealed is not None
    opened = await client.source.decrypt_secrets(**place, execution_id=run.id, encrypted=sealed)
    assert opened.plaintext is not None
    assert opened.plaintext.reveal() == "hunter2"
    with pytest.raises(EigenpalForbiddenError):
        await client.source.decrypt_secrets(
            execution_id=run.id, source_path="agents/other", secret_name="TOKEN", encrypted=sealed
        )
    assert all("hunter2" not in repr(request) for request in shared_sandbox.requests)


def test_the_blocking_client_does_the_same(shared_sandbox: Sandbox) -> None:
    with EigenpalClient(shared_sandbox.add_key("blocking"), base_url=shared_sandbox.url) as client:
        created = client.agents.create(name="Sorter", slug="sorter").agent
        client.agents.update("sorter", description="Sorts.")
        assert [(agent.id, agent.description) for agent in client.agents.iterate()][-1] == (created.id, "Sorts.")
        assert client.agents.list_files("sorter").files == ["README.md", "agent.yaml"]
        assert [version.version for version in client.agents.versions("sorter").versions] == ["0.1.0"]
        with pytest.warns(DeprecationWarning, match="put_file"), pytest.raises(EigenpalConflictError):
            client.agents.put_file("sorter", "a.md", content="a")

        mail = client.agents.email_triggers
        mail.update("sorter", enabled=True)
        alias = mail.create_alias("sorter", email="sort@example.com").email
        assert mail.get("sorter").emails == mail.list().emails == [alias]
        mail.delete_alias("sorter", str(alias.id))

        assert client.source.repository().git_repository_path == "blocking"
        assert client.source.raw("agents/sorter/README.md").content == "# Sorter\n"
        assert client.source.releases("agents.sorter").releases[0].commit == created.latest_commit
        assert client.source.lockfile("agents/sorter").root.commit == created.latest_commit
        assert client.automations.sync("sorter").automation.id == created.id
        sealed = client.source.encrypt_secrets(
            secrets=[{"sourcePath": "agents/sorter", "secretName": "TOKEN", "plaintext": "hunter2"}]
        ).secrets
        assert sealed is not None
        items = [{"sourcePath": "agents/sorter", "secretName": "TOKEN", "encrypted": sealed["TOKEN"]}]
        opened = client.source.decrypt_secrets(secrets=items).secrets
        assert opened is not None
        assert opened["TOKEN"].reveal() == "hunter2"
