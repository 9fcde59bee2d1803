"""A few calls to the API server with a client certificate, without a client library."""

import http.client
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster import config


class ApiError(RuntimeError):
    """The server said no."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{status}: {text[:500]}")


@dataclass(frozen=True)
class Api:
    """The API server as one identity sees it."""

    pki: Path
    user: str = "admin"
    timeout: float = 30.0
    _context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / f"{self.user}.crt", self.pki / f"{self.user}.key")
        object.__setattr__(self, "_context", context)

    def request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """One request; ApiError for an answer that is not good, OSError for none."""
        host = config.API_SERVER.removeprefix("https://")
        connection = http.client.HTTPSConnection(host, context=self._context, timeout=self.timeout)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise ApiError(response.status, answer.decode(errors="replace"))
        return answer

    def get(self, path: str) -> dict[str, Any]:
        """An object or a list."""
        found: dict[str, Any] = json.loads(self.request("GET", path))
        return found

    def create(self, path: str, body: bytes) -> None:
        """Make an object; one that is there already is fine."""
        try:
            self.request("POST", path, body)
        except ApiError as error:
            if error.status != 409:
                raise

    def condition(self, path: str, kind: str) -> bool:
        """Whether an object is there and has a condition at True."""
        try:
            status = self.get(path).get("status", {})
        except (ApiError, OSError):
            return False
        return any(
            c["type"] == kind and c["status"] == "True" for c in status.get("conditions", [])
        )
