"""A program that runs sandboxes which are killed: `python -m tests.sandbox.doomed DATA_FOLDER`.

Each line on its standard input is one life, a kill point of `POINTS` or `never`. The life is a fork of this process, so
that only the first one pays for the imports. Under load from inside it prints, one JSON object a line, what a client
was told: runs that were started and runs that ended. When it is dead, this process prints `dead`.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from eigenpal.sandbox import RunContext, Sandbox
from eigenpal.sandbox.blobs import BlobWriter
from eigenpal.sandbox.states import Event
from eigenpal.sandbox.store import Store

KEY = "eig_test_doomed"
PIECE = 64 * 1024


def is_completion(arguments: tuple[Any, ...]) -> bool:
    """Tell whether a call of `Store.advance` completes a run."""
    return arguments[2] is Event.COMPLETE


# Where the process kills itself: the method, before or after it, at the how-manieth call, and which calls count.
POINTS: dict[str, tuple[type[Any], str, str, int, Callable[[tuple[Any, ...]], bool]]] = {
    "with an upload or artifact half written": (BlobWriter, "write", "after", 9, lambda _: True),
    "with a blob that no row knows yet": (BlobWriter, "finish", "after", 4, lambda _: True),
    "in the middle of storing a run": (Store, "_put_file", "after", 1, lambda _: True),
    "with a run stored and not begun": (Store, "add_run", "after", 3, lambda _: True),
    "with an artifact replaced and the old one not deleted": (Store, "put_file", "after", 4, lambda _: True),
    "in the middle of a step": (Store, "put_step", "after", 3, lambda _: True),
    "before a run is completed": (Store, "advance", "before", 3, is_completion),
    "after a run is completed": (Store, "advance", "after", 3, is_completion),
}


def die() -> None:
    """End this process as nothing can prevent."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    """Let this process kill itself at a point."""
    owner, name, moment, count, counts = POINTS[point]
    original = owner.__dict__[name]
    static = isinstance(original, staticmethod)
    function: Callable[..., Any] = original.__func__ if static else original
    calls = itertools.count(1)

    def armed(*args: Any, **kwargs: Any) -> Any:
        due = counts(args) and next(calls) == count
        if due and moment == "before":
            die()
        result = function(*args, **kwargs)
        if due:
            die()
        return result

    setattr(owner, name, staticmethod(armed) if static else armed)


def work(context: RunContext) -> dict[str, Any]:
    """Copy the input in pieces into an artifact, twice, and say what its digest must be."""
    document = context.files["document"]
    assert not isinstance(document, list)
    data = document.read_bytes()
    pieces: Iterator[bytes] = (data[start : start + PIECE] for start in range(0, len(data), PIECE))
    with context.step("draft"):
        context.write_artifact("copy.bin", b"draft")
    with context.step("copy"):
        context.write_artifact("copy.bin", pieces)
    context.trace({"copied": len(data)})
    return {"digest": hashlib.sha256(data).hexdigest(), "size": len(data)}


def tell(fact: str, run: str, **more: Any) -> None:
    """Print what a client was told, in one write, so that no line is cut."""
    os.write(1, json.dumps({"fact": fact, "run": run, **more}).encode() + b"\n")


def form(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Return a request that starts a run with a file."""
    fields = b'--b\r\ncontent-disposition: form-data; name="target"\r\n\r\nworkflows.work\r\n'
    head = b'--b\r\ncontent-disposition: form-data; name="files.document"; filename="a.bin"\r\n\r\n'
    headers = {"authorization": f"Bearer {KEY}", "content-type": "multipart/form-data; boundary=b"}
    return fields + head + data + b"\r\n--b--\r\n", headers


def client(port: int, seed: int) -> None:
    """Start runs with files one after the other; every second one is not waited for."""
    chance = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number in itertools.count():
        body, headers = form(chance.randbytes(chance.choice([0, 1, 1000, PIECE, 300_000])))
        connection.request("POST", f"/api/v1/runs?wait_for_completion={5 * (number % 2)}", body, headers)
        answer = json.loads(connection.getresponse().read())
        tell("started", answer["id"])
        if answer.get("output"):
            tell("completed", answer["id"], output=answer["output"])


def half_an_upload(port: int) -> None:
    """Send the first part of an upload, and never the rest."""
    body, headers = form(b"x" * 500_000)
    head = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "content-length": str(len(body))}.items())
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(f"POST /api/v1/runs HTTP/1.1\r\nhost: sandbox\r\n{head}\r\n".encode() + body[:200_000])
        stream.recv(1)


def live(folder: Path, point: str, seed: int) -> None:
    """Run a sandbox under load until it is killed."""
    if point != "never":
        arm(point)
    sandbox = Sandbox(data=folder, api_key=KEY)
    sandbox.workflow("work")(work)
    sandbox.start()
    port = int(sandbox.url.rpartition(":")[2])
    threading.Thread(target=half_an_upload, args=[port], daemon=True).start()
    for number in range(3):
        threading.Thread(target=client, args=[port, seed * 10 + number], daemon=True).start()
    os.write(1, b'{"fact": "up", "run": ""}\n')
    threading.Event().wait(30)


def main() -> None:
    """Live and die, as often as there are lines."""
    folder = Path(sys.argv[1])
    for seed, line in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            live(folder, line.strip(), seed)
            os._exit(1)
        os.write(1, json.dumps({"fact": "born", "run": "", "process": child}).encode() + b"\n")
        _, status = os.waitpid(child, 0)
        os.write(1, json.dumps({"fact": "dead", "run": "", "killed": os.WIFSIGNALED(status)}).encode() + b"\n")


if __name__ == "__main__":
    main()
