"""Prometheus, Alertmanager and a webhook receiver on loopback, for tests."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from chains.lab.process import LOOPBACK, Node, Process, free_port, wait_until


def get(port: int, path: str, **query: str) -> tuple[int, str]:
    """(status, body) of one GET on loopback; (0, "") while nobody listens."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    try:
        connection.request("GET", f"{path}?{urlencode(query)}" if query else path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (ConnectionError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


class Server(Node):
    """A server with a YAML configuration and a data folder; `stop` and `start` keep storage and port."""

    ready_path = "/-/ready"

    def __init__(self, name: str, program: Path, folder: Path, config: dict[str, Any], options: list[str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.config_file = folder / f"{name}.yml"
        self.configure(config)
        options = [*options, f"--config.file={self.config_file}", f"--web.listen-address={LOOPBACK}:{self.port}"]
        self.process = Process(name, [program, *options], folder)

    def configure(self, config: dict[str, Any]) -> None:
        """Writes the configuration that the next start reads."""
        self.config_file.write_text(yaml.safe_dump(config))

    def start(self) -> None:
        self.process.start(lambda: get(self.port, self.ready_path)[0] == 200)

    def restart(self) -> None:
        """Ends the server and starts it again on the same storage and port."""
        self.stop()
        self.start()

    def api(self, path: str, **query: str) -> Any:
        """The JSON of one GET."""
        status, body = get(self.port, path, **query)
        assert status == 200, f"{self.url}{path}: HTTP {status} {body[:500]}"
        return json.loads(body)


class Prometheus(Server):
    """A Prometheus on `config` (the content of prometheus.yml)."""

    def __init__(self, program: Path, folder: Path, config: dict[str, Any]) -> None:
        options = [f"--storage.tsdb.path={folder / 'data'}", "--web.enable-lifecycle", "--log.level=warn"]
        # Alertmanagers are discovered some 5 s after the start; what was sent before is lost and sent again only then.
        options.append("--rules.alert.resend-delay=1s")
        super().__init__("prometheus", program, folder, config, options)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The instant vector of a PromQL expression: (labels, value) for each series."""
        result = self.api("/api/v1/query", query=expression)["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def alerts(self) -> list[dict[str, Any]]:
        """Pending and firing alerts, as Prometheus tells them (labels, annotations, state, activeAt, value)."""
        alerts: list[dict[str, Any]] = self.api("/api/v1/alerts")["data"]["alerts"]
        return alerts


class Alertmanager(Server):
    """An Alertmanager on `config` (the content of alertmanager.yml), without clustering."""

    def __init__(self, program: Path, folder: Path, config: dict[str, Any]) -> None:
        options = [f"--storage.path={folder / 'data'}", "--cluster.listen-address=", "--log.level=warn"]
        super().__init__("alertmanager", program, folder, config, options)

    def alerts(self) -> list[dict[str, Any]]:
        """Active alerts (labels, annotations, startsAt, endsAt, status)."""
        alerts: list[dict[str, Any]] = self.api("/api/v2/alerts")
        return alerts


@dataclass(frozen=True, slots=True)
class Post:
    """One request that the receiver took: `at` is time.time() of its arrival, `body` the decoded JSON."""

    at: float
    path: str
    body: Any


class WebhookReceiver:
    """Records JSON posts. It can be told to answer with an error (`status`) and to be down."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}/"
        self.status = 200
        self.posts: list[Post] = []
        self.refused: list[Post] = []
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def up(self) -> None:
        """Listens, always on the same port."""
        assert self._server is None, "the receiver is up already"
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"]))
                post = Post(time.time(), self.path, json.loads(text) if text else None)
                status = receiver.status
                (receiver.posts if status < 300 else receiver.refused).append(post)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def down(self) -> None:
        """Stops listening: connections are refused until `up`."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def wait_for(self, wanted: Callable[[Post], bool], seconds: float = 30.0) -> Post:
        """The first accepted post that is wanted, waiting for it. Raises LabError when none comes in time."""
        wait_until(lambda: any(wanted(post) for post in self.posts), "a wanted webhook post", seconds)
        return next(post for post in self.posts if wanted(post))
