"""Servers on 127.0.0.1 that receive alerts: a webhook, and a mail server with TLS and passwords."""

import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Hook(ThreadingHTTPServer):
    """Takes what is posted; answers with the planned statuses first, then with 200."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self.got = []  # (path, headers, document)
        self.plan = []  # statuses, or (status, headers), or "hang up" after the body was taken

    @property
    def alerts(self):
        """Every alert that was taken, with repetitions."""
        return [alert for _, _, document in self.got for alert in document["alerts"]]

    @property
    def titles(self):
        return [alert["title"] for alert in self.alerts]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.plan.pop(0) if self.server.plan else 200
        if answer == "hang up":
            self.close_connection = True
            return
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        if status < 300:
            self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(status)
        for name, value in ({"Content-Length": "0"} | headers).items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def hook(port=0):
    """A webhook that runs within the block."""
    server = Hook(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postbox:
    """Takes mails; `refused` recipients get 550, `answer` is the reply to a mail."""

    def __init__(self):
        self.got = []
        self.refused = set()
        self.answer = "250 OK"
        self.logins = []

    @property
    def mails(self):
        return [message_from_bytes(one.content, policy=policy.default) for one in self.got]

    async def handle_RCPT(self, _server, _session, envelope, address, options):  # noqa: N802
        if address in self.refused:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        if self.answer.startswith("250"):
            self.got.append(envelope)
        return self.answer

    def authenticate(self, _server, _session, _envelope, mechanism, data):
        self.logins.append((mechanism, data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)


@contextmanager
def mail_server(*, security="none", certificate=None, port=None, **options):
    """A mail server within the block: plain, with STARTTLS, or with TLS from the start."""
    box = Postbox()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    if context is not None:
        options |= {"authenticator": box.authenticate}
    if security == "starttls":
        options |= {"tls_context": context, "require_starttls": True, "auth_required": True}
    elif security == "tls":
        options |= {"ssl_context": context, "auth_require_tls": False}
    controller = Controller(box, hostname="127.0.0.1", port=port or free_port(), **options)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def write_certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1 and its key, in one PEM file, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path
