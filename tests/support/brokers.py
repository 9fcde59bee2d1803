"""Kafka brokers of a test's own, which it may kill, slow down or have ask for tokens."""

import base64
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka
from typing_extensions import override

from tests.cluster import config
from tests.cluster.controlplane import JAVA, accepts
from tests.cluster.embedded import EmbeddedCluster
from tests.support.installation import eventually

HOST = config.BRIDGE_ADDRESS
"""Where both tests and pods reach them."""


class Broker:
    """One broker, which is a controller too."""

    def __init__(self, home: Path, folder: Path, port: int, properties: str) -> None:
        self.port = port
        self._log = folder / "log"
        settings = folder / "server.properties"
        settings.write_text(properties)
        self._command = ["java", *JAVA, "-cp", f"{home}/libs/*", "kafka.Kafka", str(settings)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and do not wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def answers(self) -> bool:
        """Whether it takes connections."""
        return accepts(HOST, self.port)


class Brokers:
    """Some brokers that know each other."""

    def __init__(self, all_: list[Broker]) -> None:
        self.all = all_

    @property
    def servers(self) -> str:
        """`host:port` of each, with commas between."""
        return ",".join(f"{HOST}:{broker.port}" for broker in self.all)

    def start(self) -> None:
        """Start those that do not run, and wait until all answer."""
        for broker in self.all:
            if not broker.answers():
                broker.start()
        eventually(lambda: all(broker.answers() for broker in self.all))

    def leader(self, topic: str) -> Broker:
        """The broker that takes what is sent to a topic."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.servers, "group.id": "x"})
        try:
            (found,) = consumer.list_topics(topic, 30).topics[topic].partitions.values()
            place: int = found.leader - 1
            return self.all[place]
        finally:
            consumer.close()


@contextmanager
def brokers(
    cluster: EmbeddedCluster, place: Path, count: int = 1, *, door: str = "", more: str = ""
) -> Iterator[Brokers]:
    """Start brokers, whom clients reach by a door if there is one; end them in the end.

    `more` are properties besides, of which the last counts where one is there twice.
    """
    home = Path(cluster.artifacts.kafka)
    ports = [(free_port(), free_port()) for _ in range(count)]
    voters = ",".join(f"{node}@{HOST}:{inner}" for node, (_, inner) in enumerate(ports, 1))
    found = []
    for node, (outer, inner) in enumerate(ports, 1):
        folder = place / f"broker{node}"
        data = _formatted(home, folder, node)
        properties = f"""{config.kafka_properties(str(data))}
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{HOST}:{outer},CONTROLLER://{HOST}:{inner}
advertised.listeners=PLAINTEXT://{door or f"{HOST}:{outer}"}
default.replication.factor={count}
min.insync.replicas={min(2, count)}
offsets.topic.replication.factor={count}
{more}
"""
        found.append(Broker(home, folder, outer, properties))
    with ExitStack() as stack:
        for broker in found:
            stack.callback(broker.kill)
        started = Brokers(found)
        started.start()
        yield started


def _formatted(home: Path, folder: Path, node: int) -> Path:
    """Make a broker's data directory, as Kafka's own tool formats it."""
    data = folder / "data"
    shutil.copytree(home / "formatted", data)
    meta = data / "meta.properties"
    name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    lines = [line for line in meta.read_text().splitlines() if line.startswith(("ver", "clu"))]
    meta.write_text("\n".join([*lines, f"node.id={node}", f"directory.id={name}", ""]))
    return data


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server((HOST, 0)) as found:
        port: int = found.getsockname()[1]
        return port


OAUTH = """
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=OAUTHBEARER
inter.broker.listener.name=PLAINTEXT
sasl.mechanism.inter.broker.protocol=OAUTHBEARER
listener.name.plaintext.oauthbearer.sasl.jaas.config=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
unsecuredLoginStringClaim_sub="broker";
"""
"""What makes a broker ask for a token, and take any that has a name in it, by Kafka's own validator
for tests (`OAuthBearerUnsecuredValidatorCallbackHandler`)."""


class TokenServer:
    """Gives a token to whoever has the secret (RFC 6749, 4.4: the client credentials grant)."""

    def __init__(self, client: str, secret: str) -> None:
        pair = f"{client}:{secret}".encode()
        self._expected = f"Basic {base64.b64encode(pair).decode()}"
        self.asked: list[dict[str, str]] = []

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve at the URL that this gives."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.asked.append(dict(urllib.parse.parse_qsl(body)))
                allowed = self.headers["Authorization"] == outer._expected
                answer = {"access_token": token(), "token_type": "Bearer", "expires_in": 600}
                text = json.dumps(answer if allowed else {"error": "invalid_client"}).encode()
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            @override
            def log_message(self, *_: object) -> None:
                return

        with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield f"http://{HOST}:{server.server_address[1]}/token"
            server.shutdown()
            thread.join()


def token() -> str:
    """Return a JSON Web Token that nobody has signed (RFC 7519, 6)."""
    now = int(time.clock_gettime(time.CLOCK_REALTIME))
    claims = {"sub": "operator", "iat": now, "exp": now + 600, "scope": "events"}
    return ".".join((_part({"alg": "none"}), _part(claims), ""))


def _part(what: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(what).encode()).decode().rstrip("=")
