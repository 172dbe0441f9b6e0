"""T5: a forked child makes its own connections, and those of its parent go on as if nothing had happened."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import textwrap

import pytest
import trustme

from tests.scripted_server import scripted_server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# The parent keeps a warm connection, forks, lets the child use the same client in a loop of its own, and then uses the
# warm connection again. Development mode shows every warning of a forgotten socket.
PROGRAM = """
import gc, os, sys, anyio
from eigenpal.engine.transport import Connections, Request, TransportOptions

url, backend, use_aiohttp, verify = sys.argv[1:]
mine = Connections(TransportOptions(aiohttp=use_aiohttp == "True", trust_env=False, verify=verify or True))

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
    held = await mine.send(Request("GET", url + "/held", {}, timeout=5))  # a second connection, busy during the fork
    child = os.fork()
    if not child:
        # Another thread, since in this one a loop still seems to run; multiprocessing and os._exit are used likewise.
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
            print("child:", problems[0], file=sys.stderr, flush=True)
        os._exit(1 if problems else 0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"".join([chunk async for chunk in held.raw_chunks()]) == b"{}"
    await held.aclose()
    for _ in range(3):
        assert await exchange("/parent-after") == b"{}"
    await mine.aclose()

anyio.run(in_parent, backend=backend)
"""


@pytest.mark.parametrize(("backend", "use_aiohttp"), [("asyncio", True), ("asyncio", False), ("trio", False)])
@pytest.mark.parametrize("secure", [False, True])
def test_t5_a_fork_leaves_the_parents_connections_alone(
    backend: str,
    use_aiohttp: bool,
    secure: bool,
    server_tls: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bundle = tmp_path_factory.mktemp("trust") / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with scripted_server(tls=server_tls if secure else None) as server:
        arguments = [server.url, backend, str(use_aiohttp), str(bundle) if secure else ""]
        outcome = subprocess.run(
            [sys.executable, "-X", "dev", "-c", textwrap.dedent(PROGRAM), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    noise = [line for line in outcome.stderr.splitlines() if not line.startswith("Executing ")]  # slow imports
    assert (outcome.returncode, noise) == (0, [])
    by_path: dict[str, set[int]] = {}
    for request in server.requests:
        by_path.setdefault(request.target, set()).add(request.connection)
    parents = by_path["/parent-before"] | by_path["/held"]
    assert by_path["/child"].isdisjoint(parents)
    assert by_path["/parent-after"] <= parents


def test_a_process_that_never_closes_its_client_ends_without_a_word() -> None:
    program = """
    import sys, anyio
    from eigenpal.engine.transport import Connections, Request, TransportOptions

    mine = Connections(TransportOptions(aiohttp=sys.argv[2] == "True", trust_env=False))

    async def main():
        response = await mine.send(Request("GET", sys.argv[1], {}, timeout=5))
        print(b"".join([chunk async for chunk in response.raw_chunks()]))
        await response.aclose()

    anyio.run(main, backend=sys.argv[3])
    """
    with scripted_server() as server:
        for use_aiohttp, backend in ((True, "asyncio"), (False, "asyncio"), (False, "trio")):
            outcome = subprocess.run(
                [
                    sys.executable,
                    "-X",
                    "dev",
                    "-c",
                    textwrap.dedent(program),
                    server.url + "/",
                    str(use_aiohttp),
                    backend,
                ],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            noise = [line for line in outcome.stderr.splitlines() if not line.startswith("Executing ")]
            assert (outcome.returncode, outcome.stdout, noise) == (0, "b'{}'\n", [])
