"""A server on 127.0.0.1 that simulates BOLD's portal and image store, and their failures.

The answers have the shapes of the portal's API and of the image store (spec: BOLD records, "Getting more"). A
fault is armed for the next answers under a path: `server.fail("/api/query", "500", "html")` spoils two.
"""

import base64
import csv
import io
import json
import sys
import threading
from collections import defaultdict, deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from bioscan_etl.settings import BoldSettings

VOCABULARY = {
    "culicidae": ["tax:family:Culicidae"],
    "canada": ["geo:country/ocean:Canada"],
    "aedes": ["tax:genus:Aedes", "tax:subgenus:Aedes"],
}
OFFLINE = b"<!DOCTYPE html><html><body>BOLD Public Offline</body></html>"


def record(processid, **values):
    """A record as the portal gives it."""
    return {"processid": processid, "marker_code": "COI-5P", "nuc": "ACGT" * 160, "notes": "", **values}


class FakeBold(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.records = {}  # query -> records
        self.images = {}  # process ID -> {object ID: bytes}
        self.ranged = False  # whether downloads have a length, a version and ranges; the portal's have none
        self.version = '"v1"'
        self.count = None  # what the portal says there are, where that is wrong
        self.longest_url = 8192
        self.expired = set()
        self.asked = []  # (path with query, headers) of each request
        self.most_at_once = 0
        self._at_once = 0
        self._faults = defaultdict(deque)
        self._lock = threading.Lock()
        self.over = threading.Event()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a client that gave up is no fault of the server
            super().handle_error(request, client_address)

    def fail(self, path, *faults):
        self._faults[path].extend(faults)

    def recover(self):
        self._faults.clear()

    def fault(self, path):
        with self._lock:
            for start, faults in self._faults.items():
                if path.startswith(start) and faults:
                    return faults.popleft()
        return ""

    def paths(self, start):
        return [path for path, _ in self.asked if path.startswith(start)]

    @contextmanager
    def at_work(self):
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1

    def settings(self, **values):
        """Settings that point here and do not wait."""
        quick = {"requests_per_second": 1000, "backoff_seconds": 0, "timeout_seconds": 10, "attempts": 3}
        return BoldSettings(portal_url=self.url, images_url=self.url, **(quick | values))


@contextmanager
def serving():
    server = FakeBold()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def table(records):
    """Records as the portal writes TSV: quotes around values that need them."""
    columns = list(dict.fromkeys(name for entry in records for name in entry))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, dialect="excel-tab", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def lines(records):
    return "".join(json.dumps(entry) + "\n" for entry in records).encode()


def token(query):
    return base64.b64encode(f"{query};full??>".encode()).decode()  # holds / and = as real ones may


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeBold

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        with self.server.at_work():
            self.server.asked.append((self.path, dict(self.headers)))
            parts = urlsplit(self.path)
            fault = self.server.fault(parts.path)
            try:
                self._bad_day(fault) or self._answer(parts.path, parse_qs(parts.query), fault)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    def _bad_day(self, fault):
        """Answer with a fault that has nothing to do with the request; false where there is none."""
        name, _, pause = fault.partition(":")
        match name:
            case "hang up":
                self.close_connection = True
            case "silence":
                self.server.over.wait(30)
                self.close_connection = True
            case "html":
                self._send(200, OFFLINE, "text/html; charset=utf-8")
            case "429":
                self._send(429, b'{"detail": "slow down"}', "application/json", {"Retry-After": pause})
            case _ if name.isdigit():
                self._send(int(name), b'{"detail": "no"}', "application/json")
            case _:
                return False
        return True

    def _answer(self, path, query, fault):
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if len(self.path) > self.server.longest_url:
            self._send(414, b"", "text/plain")
        elif parts[1] in {"images", "objects"}:
            self._answer_of_store(parts, query, fault)
        else:
            self._answer_of_portal(parts, query, fault)

    def _answer_of_portal(self, parts, query, fault):
        match parts:
            case ["api", "query", "preprocessor"]:
                self._json(*_preprocessed(query["query"][0]), fault)
            case ["api", "query"] if len(query["query"][0]) > 250:
                self._json(422, {"detail": [{"msg": "ensure this value has at most 250 characters"}]}, fault)
            case ["api", "query"] if query["query"][0] not in self.server.records:
                self._json(400, {"detail": "Invalid triplet token"}, fault)
            case ["api", "query"]:
                self.server.expired.discard(token(query["query"][0]))
                self._json(200, {"query_id": token(query["query"][0]), "extent_limit": None}, fault)
            case ["api", "documents", key]:
                found = self._found(key)
                total = len(found) if self.server.count is None else self.server.count
                self._json(200, {"data": found[:1], "recordsTotal": total, "recordsFiltered": total}, fault)
            case ["api", "documents", key, "download"] if key in self.server.expired:
                self._json(404, {"detail": "Not Found"}, fault)
            case ["api", "documents", key, "download"]:
                tsv = query["format"] == ["tsv"]
                body = (table if tsv else lines)(self._found(key))
                self._download(body, "text/tab-separated-values" if tsv else "text/plain", fault)
            case _:
                self._send(404, b"", "text/plain")

    def _answer_of_store(self, parts, query, fault):
        match parts:
            case ["api", "images"]:
                ids = query["processids"][0].split(",")
                listed = [{"processid": i, "objectid": o} for i in ids for o in self.server.images.get(i, ())]
                self._json(200, [*listed, {"processid": "OTHER-1", "objectid": "unasked.jpg"}], fault)
            case ["api", "objects", name]:
                objects = {o: data for found in self.server.images.values() for o, data in found.items()}
                if name in objects:
                    self._body(objects[name], "image/jpeg", fault)
                else:
                    self._send(404, b"", "text/plain")
            case _:
                self._send(404, b"", "text/plain")

    def _found(self, key):
        query = base64.b64decode(key).decode().removesuffix(";full??>")
        return self.server.records[query]

    def _json(self, status, document, fault):
        body = json.dumps(document).encode()
        if fault == "half":  # broken JSON in a whole body
            body = body[: len(body) // 2]
        if fault == "other":  # JSON of another form
            body = b'{"hello": ["world"]}'
        self._send(status, body, "application/json", cut=fault == "cut")

    def _download(self, body, kind, fault):
        if not self.server.ranged:
            self._chunked(body, kind, fault)
            return
        headers = {"ETag": self.server.version, "Accept-Ranges": "bytes"}
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if fault == "wrong range":
            start = 1
        elif not asked or (condition and condition != self.server.version):
            self._send(200, body, kind, headers, cut=fault == "cut")
            return
        if start >= len(body):
            self._send(416, b"", kind, {"Content-Range": f"bytes */{len(body)}"})
            return
        place = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        self._send(206, body[start:], kind, headers | place, cut=fault == "cut")

    def _body(self, body, kind, fault):
        if fault == "no length":
            self.close_connection = True
            self._head(200, {"Content-Type": kind, "Connection": "close"})
            self.wfile.write(body[: len(body) // 2])
        elif fault == "empty":
            self._send(200, b"", kind)
        else:
            self._send(200, body, kind, cut=fault == "cut")

    def _chunked(self, body, kind, fault):
        """As the portal streams: chunks, no length; a failure on its side ends the connection."""
        self._head(200, {"Content-Type": kind, "Transfer-Encoding": "chunked"})
        if fault in {"cut", "few"}:  # few: some records are missing, and all else is as it should be
            body = body[: len(body) // 2]
            body = body[: body.rindex(b"\n") + 1] if fault == "few" else body
        for start in range(0, len(body), 1000):
            piece = body[start : start + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if fault == "cut":
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, status, body, kind, headers=None, *, cut=False):
        self._head(status, {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})})
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def _head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _preprocessed(query):
    """The preprocessor's status and answer, with its habit of taking unknown names for identifiers."""
    known, failed = [], []
    for term in query.split(";"):
        value = term.split(":", 2)[-1]
        found = VOCABULARY.get(value.lower())
        if found is None:
            value = value.removeprefix("BOLD:")
            matched = ";".join(f"ids:{field}:{value}" for field in ("processid", "sampleid", "insdcacs"))
            known.append({"submitted": term, "matched": matched})
        elif len(fitting := [triplet for triplet in found if len(found) == 1 or triplet == term]) == 1:
            known.append({"submitted": term, "matched": fitting[0]})
        else:
            failed.append({"submitted": term, "matched": ";".join(found)})
    if failed:
        return 400, {"successful_terms": known, "failed_terms": failed}
    return 200, {"successful_terms": known}
