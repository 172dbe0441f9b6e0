"""T5: a forked child makes its own connections, and those of its parent go on as if nothing had happened."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trustme

from tests.scripted_server import scripted_server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# The parent keeps a warm connection, forks, lets the child use the same client in a loop of its own, and then uses the
# warm connection again. Development mode shows every warning of a forgotten socket. One program does it with each kind
# of client after the other, since starting a program takes far longer than what it does here.
PROGRAM = """
import gc, json, os, sys, anyio
from eigenpal.engine.transport import Connections, Request, TransportOptions

def fork_with(url, backend, use_aiohttp, verify):
    mine = Connections(TransportOptions(aiohttp=use_aiohttp, trust_env=False, verify=verify or True))

    async def exchange(path):
        response = await mine.send(Request("GET", url + path, {}, timeout=5))
        body = b"".join([chunk async for chunk in response.raw_chunks()])
        await response.aclose()
        return body

    async def in_child():
        assert mine.in_flight == 0
        assert await exchange("/child") == b"{}"
        await mine.aclose()

    async def in_parent():
        await exchange("/parent-before")
        held = await mine.send(Request("GET", url + "/held", {}, timeout=5))  # a second one, busy during the fork
        child = os.fork()
        if not child:
            # Another thread, since in this one a loop still seems to run; so do multiprocessing and os._exit.
            import threading
            problems = []
            def work():
                try:
                    anyio.run(in_child, backend=backend)
                except BaseException as problem:
                    problems.append(repr(problem))
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            gc.collect()
            if problems:
                print("child:", url, problems[0], file=sys.stderr, flush=True)
            os._exit(1 if problems else 0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, url
        assert b"".join([chunk async for chunk in held.raw_chunks()]) == b"{}"
        await held.aclose()
        for _ in range(3):
            assert await exchange("/parent-after") == b"{}"
        await mine.aclose()

    anyio.run(in_parent, backend=backend)

for case in json.loads(sys.argv[1]):
    fork_with(*case)
"""
CLIENTS = [("asyncio", True), ("asyncio", False), ("trio", False)]  # loop, and whether aiohttp carries the requests


def run_without_a_word(program: str, *arguments: str) -> str:
    """Run a program that must succeed and warn of nothing; return what it prints."""
    outcome = subprocess.run(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    noise = [line for line in outcome.stderr.splitlines() if not line.startswith("Executing ")]  # slow imports
    assert (outcome.returncode, noise) == (0, [])
    return outcome.stdout


def test_t5_a_fork_leaves_the_parents_connections_alone(
    server_tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with scripted_server() as plain, scripted_server(tls=server_tls) as secure:
        names = {(server, *client): "-".join(map(str, client)) for server in (plain, secure) for client in CLIENTS}
        cases = [
            (f"{server.url}/{name}", backend, use_aiohttp, str(bundle) if server is secure else "")
            for (server, backend, use_aiohttp), name in names.items()
        ]
        run_without_a_word(PROGRAM, json.dumps(cases))
    for (server, *_), name in names.items():
        by_path: dict[str, set[int]] = {}
        for request in server.requests:
            if request.target.startswith(f"/{name}/"):
                by_path.setdefault(request.target.rpartition("/")[2], set()).add(request.connection)
        parents = by_path["parent-before"] | by_path["held"]
        assert by_path["child"].isdisjoint(parents)
        assert by_path["parent-after"] <= parents


def test_a_process_that_never_closes_its_clients_ends_without_a_word() -> None:
    program = """
    import json, sys, anyio
    from eigenpal.engine.transport import Connections, Request, TransportOptions

    async def main():
        response = await mine.send(Request("GET", sys.argv[1], {}, timeout=5))
        print(b"".join([chunk async for chunk in response.raw_chunks()]))
        await response.aclose()

    kept = []
    for backend, use_aiohttp in json.loads(sys.argv[2]):
        mine = Connections(TransportOptions(aiohttp=use_aiohttp, trust_env=False))
        kept.append(mine)
        anyio.run(main, backend=backend)
    """
    with scripted_server() as server:
        assert run_without_a_word(program, server.url + "/", json.dumps(CLIENTS)) == "b'{}'\n" * 3
