"""A Git repository for Argo CD or Flux to sync, and a server for those who take no directory."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Repository:
    """A bare repository, and the tree from which it is written."""

    home: Path

    @property
    def tree(self) -> Path:
        """What will be committed next."""
        return self.home / "tree"

    @property
    def url(self) -> str:
        """What an Application takes as its `repoURL`."""
        return f"file://{self.home / 'bare.git'}"

    def create(self) -> None:
        """Make both."""
        self.home.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.home / "bare.git"))
        self._git("clone", "--quiet", self.url, str(self.tree))

    def put(self, path: str, *manifests: Manifest) -> None:
        """Write a file of manifests into the tree."""
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump_all(manifests))

    def copy(self, source: Path, path: str) -> None:
        """Copy a directory into the tree."""
        shutil.copytree(source, self.tree / path)

    def remove(self, path: str) -> None:
        """Take a file out of the tree."""
        (self.tree / path).unlink()

    def publish(self) -> str:
        """Commit the tree and push it; return the commit."""
        at = ("-C", str(self.tree))
        self._git(*at, "add", "--all")
        self._git(*at, "commit", "--quiet", "--message=change")
        self._git(*at, "push", "--quiet", "origin", "HEAD:main")
        return self._git(*at, "rev-parse", "HEAD")

    def _git(self, *args: str) -> str:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        command = ["git", *who, "-c", "init.defaultBranch=main", *args]
        done = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Serve it by HTTP, to be read; yield its address."""
        home = self.home

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path, _, query = self.path.partition("?")
                asked = {
                    "GIT_PROJECT_ROOT": str(home),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                    "REQUEST_METHOD": self.command,
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                }
                done = subprocess.run(
                    ["git", "http-backend"],
                    env={**_environment(), **asked},
                    input=body,
                    capture_output=True,
                    check=True,
                )
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
                self.send_response(int(fields.pop("Status", "200").split()[0]))
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            @override
            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/bare.git"
            finally:
                server.shutdown()
                thread.join()


def _environment() -> dict[str, str]:
    """Without the settings of whoever runs the test, such as hooks and signing."""
    return {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
