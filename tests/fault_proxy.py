"""An HTTP proxy in front of an S3-compatible server that breaks requests as networks and servers do.

Faults by name, each for one request: `500` and `503` (answered without asking the server), `reset` (the connection is
reset before a byte is read), `cut request` (reset in the middle of what the client sends), `lost answer` (the server
did its work, the connection is reset instead of its answer), `cut answer` (reset in the middle of the answer), `slow`
(bytes trickle). `go_away` closes the port for a while: connections are refused.
"""

import contextlib
import http.client
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

_HOP = {"connection", "expect", "keep-alive", "transfer-encoding", "content-length", "host"}


class FaultProxy:
    """A proxy; `faults` maps method and part of a path to the faults of the next such requests."""

    def __init__(self, port: int):
        self.target = port
        self.faults: dict[tuple[str, str], list[str]] = {}
        self.log: list[tuple[str, str, str]] = []
        self._lock = threading.Lock()
        self._open(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _open(self, port):
        self._server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def go_away(self, seconds):
        """Refuse connections, and come back on the same port."""
        self.close()
        threading.Timer(seconds, self._open, [self.port]).start()

    def fault(self, method, path):
        with self._lock:
            for (wanted, part), faults in self.faults.items():
                if wanted in {method, "*"} and part in path and faults:
                    fault = faults.pop(0)
                    break
            else:
                fault = ""
            self.log.append((method, path, fault))
        return fault

    def put(self) -> list[str]:
        """Paths of the PUTs that reached the server, in order."""
        return [path for method, path, fault in self.log if method == "PUT" and fault in {"", "slow", "cut answer"}]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def log_message(self, *_):
        pass

    def _reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ValueError):  # the client, or a fault, has closed the connection
            self.close_connection = True

    def finish(self):
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def _any(self):
        fault = self.proxy.fault(self.command, unquote(self.path))
        length = int(self.headers.get("Content-Length") or 0)
        if fault == "reset":
            return self._reset()
        if fault == "cut request":
            self.rfile.read(length // 2)
            return self._reset()
        body = self.rfile.read(length)
        if fault in {"500", "503"}:
            code = {"500": "InternalError", "503": "SlowDown"}[fault]
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planned</Message></Error>".encode()
            return self._answer(int(fault), {"Content-Type": "application/xml"}, text)
        server = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        # The host that the client signed, whatever the connection.
        server.request(self.command, self.path, body, headers | {"Host": self.headers["Host"]})
        answer = server.getresponse()
        content = answer.read()
        server.close()
        if fault == "lost answer":
            return self._reset()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        if self.command == "HEAD":
            kept["Content-Length"] = answer.getheader("Content-Length", "0")
        return self._answer(answer.status, kept, content, fault)

    def _answer(self, status, headers, content, fault=""):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault == "cut answer":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            return self._reset()
        if fault == "slow":
            step = max(1, len(content) // 5)
            for start in range(0, len(content), step):
                time.sleep(0.1)
                self.wfile.write(content[start : start + step])
                self.wfile.flush()
            return None
        self.wfile.write(content)
        return None

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815
