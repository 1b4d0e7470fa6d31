"""Local files appear whole or not at all."""

import pytest

from bioscan_etl.io.write import atomic_file, write_text


def test_an_atomic_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file"

    def broken():
        with atomic_file(path) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list(path.parent.iterdir()) == []
    write_text(path, "whole\n")
    assert path.read_bytes() == b"whole\n"
    assert oct(path.stat().st_mode)[-3:] == "644"
