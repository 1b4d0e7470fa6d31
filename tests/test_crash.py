"""The log of an error that nobody expected: where it lies, what it holds, and what is kept out of it."""

import stat

import pytest

from bioscan_etl import crash
from bioscan_etl.crash import corpus_folders, redacted, unexpected, write_log


def caught(error):
    try:
        raise error
    except BaseException as found:
        return found


def deep(number):
    return deep(number + 1)


def test_the_log_holds_traceback_versions_and_command(tmp_path):
    log = write_log(caught(KeyError("bin_uri")), ["bioscan-etl", "run", "--output", "my corpus"], [tmp_path / "logs"])
    assert log.parent == tmp_path / "logs"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    text = log.read_text()
    assert "command    bioscan-etl run --output 'my corpus'" in text
    assert "Python 3." in text
    assert "polars " in text
    assert "Traceback" in text
    assert text.rstrip().endswith("KeyError: 'bin_uri'")


def test_secrets_do_not_reach_the_log(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMIK7MDENG")
    given = ["run", "https://me:hunter2pass@host/a.tsv?X-Amz-Signature=0a1b2c", "--token=abcdefgh", "api_key: 99secret"]
    text = write_log(caught(ValueError("wJalrXUtnFEMIK7MDENG refused")), given, [tmp_path]).read_text()
    for secret in ("hunter2pass", "0a1b2c", "abcdefgh", "99secret", "wJalrXUtnFEMIK7MDENG"):
        assert secret not in text
    assert "https://***@host/a.tsv?***" in text


def test_control_characters_of_a_message_are_visible_in_the_log(tmp_path):
    text = write_log(caught(ValueError("a\x1b[31m\u202e\udcff")), ["x\x07"], [tmp_path]).read_text()
    assert r"a\x1b[31m\u202e\udcff" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_a_folder_that_cannot_be_written_gives_way_to_the_next(tmp_path, monkeypatch):
    file = tmp_path / "a file"
    file.write_text("")
    monkeypatch.setattr(crash.tempfile, "tempdir", str(tmp_path))
    assert write_log(caught(ValueError("x")), [], [file / "logs", tmp_path / "nul\0"]).parent == tmp_path


def test_no_log_is_no_second_error(tmp_path, monkeypatch):
    monkeypatch.setattr(crash.tempfile, "tempdir", str(tmp_path / "gone"))
    assert write_log(caught(ValueError("x")), []) is None
    assert "set TMPDIR" in unexpected(ValueError("x"), None)


def test_a_traceback_without_end_is_cut(tmp_path):
    try:
        deep(0)
    except RecursionError as error:
        log = write_log(error, [], [tmp_path])
    assert len(log.read_text().splitlines()) < 200


class _MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize("error", [ValueError("two\nlines\x1b"), MemoryError(), _MuteError(), UnicodeError("\udcff")])
def test_the_sentence_is_one_line_with_the_way_out(tmp_path, error):
    log = write_log(caught(error), [], [tmp_path])
    line = unexpected(error, log)
    assert line.isprintable()
    assert str(log) in line


def test_logs_of_a_command_lie_in_the_corpus_that_it_names(tmp_path):
    corpus = tmp_path / "corpus"
    (corpus / "lake").mkdir(parents=True)
    assert corpus_folders(["status", f"--output={corpus}"]) == [corpus / ".dagster" / "logs"]
    assert corpus_folders(["ui", str(corpus), "nul\0", "x" * 5000, str(tmp_path)]) == [corpus / ".dagster" / "logs"]


def test_addresses_without_secrets_stay_as_they_are():
    for text in ("https://host/a.tsv", "a?b", "really? yes", "s3://bucket/key"):
        assert redacted(text) == text
