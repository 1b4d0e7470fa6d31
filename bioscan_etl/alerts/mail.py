"""Mail: one message to all addresses, by SMTP.

Belongs here: building the mail, and the conversation with the server. Does not belong here: the text (`message`).

`BIOSCAN_SMTP_USER` and `BIOSCAN_SMTP_PASSWORD` are the credentials, from the environment alone. They are sent over an
encrypted connection only, to a server whose certificate is checked against the system's list or that of SSL_CERT_FILE.
The standard library's smtplib and email do all of it; headers are built by email's policy, which refuses line breaks.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from bioscan_etl.alerts.channel import (
    CONNECT_SECONDS,
    READ_SECONDS,
    BrieflyUnsentError,
    Channel,
    UnsentError,
    persistent,
)
from bioscan_etl.alerts.message import Message
from bioscan_etl.printable import printable
from bioscan_etl.settings import AlertSettings

USER, PASSWORD = "BIOSCAN_SMTP_USER", "BIOSCAN_SMTP_PASSWORD"
_LASTING = 500  # replies from here on say that the same attempt fails again


def mail_channel(settings: AlertSettings) -> Channel | None:
    """The mail server, if there is somebody to write to."""
    if not settings.mail_to:
        return None
    return Channel("mail", lambda message: persistent(lambda: _send(settings, message)))


def mail_of(settings: AlertSettings, message: Message) -> EmailMessage:
    """The mail of a message; it asks automatic answers not to be sent."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = printable(message.subject)
    mail["From"] = settings.mail_from
    mail["To"] = ", ".join(settings.mail_to)
    mail["Date"] = formatdate()
    # The same alerts, the same id: a mail program shows a repeated mail once.
    mail["Message-ID"] = f"<{message.id}@{settings.mail_from.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _send(settings: AlertSettings, message: Message) -> None:
    mail = mail_of(settings, message)
    where = f"the mail server {settings.smtp_host}:{settings.smtp_port}"
    try:
        with _connected(settings) as server:
            server.send_message(mail, settings.mail_from, list(settings.mail_to))
    except smtplib.SMTPResponseException as error:
        said = _said(error.smtp_code, error.smtp_error)
        kind = UnsentError if error.smtp_code >= _LASTING else BrieflyUnsentError
        raise kind(f"{where} answers {said}; check alerts.smtp_* and {USER}") from None
    except smtplib.SMTPRecipientsRefused as error:
        first, (code, reply) = next(iter(error.recipients.items()))
        raise UnsentError(f"{where} refuses {first}: {_said(code, reply)}; check alerts.mail_to") from None
    except smtplib.SMTPNotSupportedError as error:
        raise UnsentError(f"{where}: {printable(error)}; check alerts.smtp_security") from None
    except ssl.SSLError as error:
        raise UnsentError(
            f"{where}: {printable(error.reason or error)}; check alerts.smtp_security, the clock and SSL_CERT_FILE"
        ) from None
    except ConnectionRefusedError:
        raise BrieflyUnsentError(f"{where} cannot be reached; check alerts.smtp_host and alerts.smtp_port") from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise UnsentError(
            f"{where} cannot be reached ({printable(error)[:200]}); check alerts.smtp_host and alerts.smtp_port"
        ) from None


@contextmanager
def _connected(settings: AlertSettings) -> Iterator[smtplib.SMTP]:
    """A connection that is encrypted and logged in as the settings say.

    Leaving it raises nothing: after the server has taken a mail, a broken farewell does not unsend it.
    """
    user, password = os.environ.get(USER, ""), os.environ.get(PASSWORD, "")
    if user and settings.smtp_security == "none":
        raise UnsentError(f"no password is sent without encryption; set alerts.smtp_security, or unset {USER}")
    if not (user + password).isascii():
        raise UnsentError(f"smtplib sends ASCII passwords only; choose another, and set {USER} and {PASSWORD}")
    context = ssl.create_default_context()
    host, port = settings.smtp_host, settings.smtp_port
    server = (
        smtplib.SMTP_SSL(host, port, timeout=CONNECT_SECONDS, context=context)
        if settings.smtp_security == "tls"
        else smtplib.SMTP(host, port, timeout=CONNECT_SECONDS)
    )
    try:
        if server.sock is not None:
            server.sock.settimeout(READ_SECONDS)
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if user:
            server.login(user, password)
        yield server
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _said(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return f"{code} {printable(' '.join(text.split()))[:200]}"
