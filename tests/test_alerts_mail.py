"""Mail, against a real server: TLS, passwords, refusals, and texts that try to become headers."""

import pytest
from alert_servers import free_port, mail_server, write_certificate

from bioscan_etl.alerts.channel import UnsentError
from bioscan_etl.alerts.ledger import Entry
from bioscan_etl.alerts.mail import PASSWORD, USER, mail_channel, mail_of
from bioscan_etl.alerts.message import Message, message_of
from bioscan_etl.settings import AlertSettings

HOSTILE = "plate\r\nBcc: everybody@evil.example\r\n\r\n<script>\x00\x1b[31m\u202e"
MESSAGE = message_of("corpus", [Entry("a" * 16, "batch_failed", "batch b", "b failed", ("ünï", ".", "From x"), "t")])
TO = ("curator@lab.example", "other@lab.example")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (USER, PASSWORD):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp("certificate"))


def settings(port, security="none", **values):
    return AlertSettings(
        **{"mail_to": TO, "mail_from": "etl@lab.example", "smtp_host": "127.0.0.1", "smtp_port": port,
           "smtp_security": security} | values
    )  # fmt: skip


def send(port, message=MESSAGE, **values):
    mail_channel(settings(port, **values)).send(message)


def test_without_anybody_to_write_to_there_is_none():
    assert mail_channel(AlertSettings()) is None


def test_one_mail_goes_to_all():
    with mail_server() as box:
        send(box.port)
    [envelope], [mail] = box.got, box.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("etl@lab.example", list(TO))
    assert mail["Subject"] == "[bioscan-etl] corpus: b failed"
    assert mail["To"] == ", ".join(TO)
    assert mail["Message-ID"] == f"<{MESSAGE.id}@lab.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == MESSAGE.text


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_password_goes_over_an_encrypted_connection(certificate, monkeypatch, security):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv(USER, "etl")
    monkeypatch.setenv(PASSWORD, "right")
    with mail_server(security=security, certificate=certificate) as box:
        send(box.port, smtp_security=security)
        assert len(box.got) == 1
        assert box.logins[-1][1:] == ("etl", "right")
        monkeypatch.setenv(PASSWORD, "wr0ng")
        with pytest.raises(UnsentError, match=r"answers 535 .*check alerts\.smtp_\* and BIOSCAN_SMTP_USER") as caught:
            send(box.port, smtp_security=security)
    assert "wr0ng" not in str(caught.value)
    assert len(box.got) == 1


def test_a_password_is_never_sent_without_encryption(monkeypatch):
    monkeypatch.setenv(USER, "etl")
    monkeypatch.setenv(PASSWORD, "right")
    with mail_server(auth_require_tls=False) as box:
        with pytest.raises(UnsentError, match="no password is sent without encryption"):
            send(box.port)
        with pytest.raises(UnsentError, match=r"STARTTLS .*check alerts\.smtp_security"):
            send(box.port, smtp_security="starttls")
    assert (box.logins, box.got) == ([], [])


def test_a_password_that_cannot_be_sent_is_not_quoted(monkeypatch):
    monkeypatch.setenv(USER, "etl")
    monkeypatch.setenv(PASSWORD, "pässword")
    with pytest.raises(UnsentError, match="ASCII passwords only") as caught:
        send(free_port(), smtp_security="starttls")
    assert "ä" not in str(caught.value)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate, monkeypatch, security):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with (
        mail_server(security=security, certificate=certificate) as box,
        pytest.raises(UnsentError, match=r"certificate verify failed|CERTIFICATE_VERIFY_FAILED"),
    ):
        send(box.port, smtp_security=security)
    assert box.got == []


def test_who_is_refused_holds_up_nobody_else():
    with mail_server() as box:
        box.refused = {TO[0]}
        send(box.port)
        assert box.got[0].rcpt_tos == [TO[1]]
        box.refused = set(TO)
        with pytest.raises(UnsentError, match=r"refuses curator@lab\.example: 550 no such user here"):
            send(box.port)


@pytest.mark.parametrize(
    ("answer", "says"),
    [("554 no\x1b[31m spam", r"answers 554 no\\x1b\[31m spam"), ("451 later", r"answers 451 later")],
)
def test_a_server_that_takes_no_mail_is_quoted_in_printable_text(answer, says):
    with mail_server() as box:
        box.answer = answer
        with pytest.raises(UnsentError, match=says) as caught:
            send(box.port)
    assert str(caught.value).isprintable()


def test_a_server_that_is_not_there_is_named():
    port = free_port()
    with pytest.raises(UnsentError, match=rf"the mail server 127\.0\.0\.1:{port} cannot be reached"):
        send(port)
    with pytest.raises(UnsentError, match=r"no\.such\.host\.invalid:25 cannot be reached"):
        send(25, smtp_host="no.such.host.invalid")


def test_no_text_becomes_a_header():
    hostile = Message("a" * 32, HOSTILE, HOSTILE, "{}", ())
    mail = mail_of(settings(25), hostile)
    assert set(mail.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
        "MIME-Version",
    }  # fmt: skip
    assert mail["Subject"].isprintable()
    with mail_server() as box:
        send(box.port, hostile)
    [envelope], [got] = box.got, box.mails
    assert got["Bcc"] is None
    assert "everybody@evil.example" not in envelope.rcpt_tos
    assert got["Subject"].strip().startswith("plate\\r\\nBcc: everybody@evil.example")
    assert got.get_content_type() == "text/plain"


@pytest.mark.parametrize(
    "address", ["a@b\r\nBcc: x@y", "A <a@b>", "a@b, c@d", "a b@c", "@b", "a@", "a@-b", "a@b\u202e", "ä@b"]
)
def test_addresses_are_plain_ones(address):
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        settings(25, mail_to=(address,))
