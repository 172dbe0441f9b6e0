"""A server for bytes in bulk, a program of its own: swallows any upload, sends as many zeros as the path says."""

from __future__ import annotations

import socket
import threading

RECEIPT = b'{"id": "exec_1", "type": "workflow", "finished": false}'
PIECE = 1024 * 1024


def serve(connection: socket.socket) -> None:
    buffer = memoryview(bytearray(PIECE))
    zeros = bytes(PIECE)
    with connection:
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                data = connection.recv(65536)
                if not data:
                    return
                received += data
            head, _, received = received.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            left = int(headers.get("content-length", "0")) - len(received)
            while left > 0:
                count = connection.recv_into(buffer, min(left, PIECE))
                if not count:
                    return
                left -= count
            received = b""
            if lines[0].startswith("POST"):
                connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(RECEIPT), RECEIPT))
                continue
            size = int(lines[0].split(" ")[1].rpartition("/")[2])
            connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: %d\r\n\r\n' % size)
            for _ in range(size // PIECE):
                connection.sendall(zeros)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
