"""How the outside talks to a cluster's supervisor: one JSON line each way, on a socket.

The socket is a file of the state directory, so it is reached from any namespace. Its path
goes through a descriptor: a socket's address holds no more than 107 characters.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError

NAME = "control.sock"
Handler = Callable[[dict[str, Any]], object]


@contextmanager
def _short(directory: Path) -> Iterator[str]:
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


def ask(directory: Path, timeout: float, **request: object) -> object:
    """Send a request to the cluster's supervisor; its refusal is a ClusterError."""
    with socket.socket(socket.AF_UNIX) as connection, _short(directory) as address:
        connection.settimeout(timeout)
        try:
            connection.connect(address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except OSError as error:
            raise ClusterError(f"The cluster in {directory} does not answer: {error}") from error
    answer: dict[str, Any] = json.loads(line or '{"error": "it ended meanwhile"}')
    if "error" in answer:
        raise ClusterError(answer["error"])
    result: object = answer["result"]
    return result


def serve(directory: Path, handler: Handler) -> None:
    """Answer requests in threads, from now on."""
    (directory / NAME).unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    with _short(directory) as address:
        server.bind(address)
    server.listen()
    threading.Thread(target=_accept, args=(server, handler), daemon=True).start()


def _accept(server: socket.socket, handler: Handler) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_answer, args=(connection, handler), daemon=True).start()


def _answer(connection: socket.socket, handler: Handler) -> None:
    with connection:
        try:
            request = json.loads(connection.makefile("rb").readline())
            answer: dict[str, Any] = {"result": handler(request)}
        except (ClusterError, OSError, ValueError, KeyError) as error:
            answer = {"error": str(error)}
        connection.sendall(json.dumps(answer).encode() + b"\n")
