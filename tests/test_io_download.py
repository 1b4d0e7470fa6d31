"""Parts of downloads: when the next answer continues them, and when it must not."""

import json
from urllib.parse import quote

import pytest
from bold_server import record, serving, table, token

from bioscan_etl.io import web
from bioscan_etl.io.download import Partial

REQUEST = {"query": "q", "format": "tsv"}


@pytest.fixture
def bold(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        server.ranged = True
        server.records["q"] = [record(f"A-{n}", notes="x" * 300) for n in range(400)]
        yield server


def get(server, part):
    address = f"{server.url}/api/documents/{quote(token('q'), safe='')}/download?format=tsv"
    return web.get(address, part.headers(), connect=10, read=10)


def begun(server, output):
    """A part that broke off in the middle."""
    part = Partial(output, REQUEST)
    server.fail("/api/documents", "cut")
    with pytest.raises(web.WebError):
        part.take(get(server, part))
    assert 0 < part.path.stat().st_size < len(table(server.records["q"]))
    return part


def test_a_part_goes_on_where_it_stopped_also_in_the_next_run(bold, tmp_path):
    size = begun(bold, tmp_path / "q.tsv").size
    assert size
    part = Partial(tmp_path / "q.tsv", REQUEST)
    assert part.headers() == {"Range": f"bytes={size}-", "If-Range": '"v1"'}
    part.take(get(bold, part))
    assert part.resumed_at == size
    part.finish()
    assert (tmp_path / "q.tsv").read_bytes() == table(bold.records["q"])
    assert [path.name for path in tmp_path.iterdir()] == ["q.tsv"]


def test_a_changed_file_is_taken_from_its_beginning(bold, tmp_path):
    part = begun(bold, tmp_path / "q.tsv")
    bold.version = '"v2"'
    bold.records["q"] = [record("B-1")] * 500
    part.take(get(bold, part))
    assert part.resumed_at == 0
    assert part.path.read_bytes() == table(bold.records["q"])


def test_a_part_of_another_request_is_not_continued(bold, tmp_path):
    begun(bold, tmp_path / "q.tsv")
    assert Partial(tmp_path / "q.tsv", REQUEST | {"query": "other"}).headers() == {}


@pytest.mark.parametrize("note", ["", "{", "[]", '{"request": 1}', "\0" * 10])
def test_a_damaged_note_only_costs_the_bytes_so_far(bold, tmp_path, note):
    begun(bold, tmp_path / "q.tsv")
    (tmp_path / "q.tsv.part.json").write_text(note)
    part = Partial(tmp_path / "q.tsv", REQUEST)
    assert part.headers() == {}
    part.take(get(bold, part))
    assert part.path.read_bytes() == table(bold.records["q"])


def test_a_server_without_length_or_version_is_never_asked_to_go_on(bold, tmp_path):
    bold.ranged = False
    part = begun(bold, tmp_path / "q.tsv")
    assert part.size == 0
    assert part.headers() == {}


def test_a_tail_that_begins_elsewhere_is_dropped(bold, tmp_path):
    part = begun(bold, tmp_path / "q.tsv")
    bold.fail("/api/documents", "wrong range")
    with pytest.raises(web.WebError, match="another download"):
        part.take(get(bold, part))
    assert not part.path.exists()
    assert part.headers() == {}


def test_a_part_that_lacks_nothing_is_whole(bold, tmp_path):
    part = Partial(tmp_path / "q.tsv", REQUEST)
    part.take(get(bold, part))
    again = Partial(tmp_path / "q.tsv", REQUEST)
    again.take(get(bold, again))
    assert again.path.read_bytes() == table(bold.records["q"])


def test_a_part_longer_than_the_file_starts_anew(bold, tmp_path):
    part = Partial(tmp_path / "q.tsv", REQUEST)
    part.take(get(bold, part))
    with part.path.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(web.WebError, match="starts anew"):
        part.take(get(bold, part))
    assert not part.path.exists()


def test_weak_versions_promise_nothing(bold, tmp_path):
    bold.version = 'W/"v1"'
    begun(bold, tmp_path / "q.tsv")
    note = json.loads((tmp_path / "q.tsv.part.json").read_text())
    assert note["version"] is None
    part = Partial(tmp_path / "q.tsv", REQUEST)
    assert "If-Range" not in part.headers()
    bold.records["q"].append(record("LATER-1"))
    with pytest.raises(web.WebError, match="another download"):
        part.take(get(bold, part))
