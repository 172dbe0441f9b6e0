"""A separate process that takes any upload and serves files of any size, as fast as sockets and threads can.

`GET …/output/5000` is a file of 5,000 zeros; whatever is posted is thrown away and answered with the receipt of a run.
"""

from __future__ import annotations

import contextlib
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

RECEIPT = b'{"id":"run_123","type":"workflow","finished":false}'
PIECE = memoryview(bytes(1024 * 1024))

_LENGTH = re.compile(rb"content-length:[ ]*(\d+)", re.IGNORECASE)


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline()).strip():
                if found := _LENGTH.match(header):
                    length = int(found[1])
            if line.startswith(b"GET"):
                self._serve(int(line.split()[1].rpartition(b"/")[2]))
            else:
                self._take(length)

    def _serve(self, size: int) -> None:
        self._answer(b"application/octet-stream", size)
        while size:
            self.request.sendall(piece := PIECE[:size])
            size -= len(piece)

    def _take(self, length: int) -> None:
        scrap = memoryview(bytearray(1024 * 1024))
        while length:
            if not (count := self.rfile.readinto(scrap[:length])):
                return
            length -= count
        self._answer(b"application/json", len(RECEIPT))
        self.request.sendall(RECEIPT)

    def _answer(self, kind: bytes, size: int) -> None:
        self.request.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind, size))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextlib.contextmanager
def file_server() -> Iterator[str]:
    """Run the server in a process of its own and yield its base URL."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def main() -> None:
    """Serve until stdin ends; the port is the first line on stdout."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        print(server.server_address[1], flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.buffer.read()
        server.shutdown()


if __name__ == "__main__":
    main()
