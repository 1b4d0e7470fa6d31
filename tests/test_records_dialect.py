"""How a text table is written: what the first bytes show."""

import pytest

from bioscan_etl.records.dialect import read_head


@pytest.mark.parametrize("start", [b"\xd5\xb0 no text\n\xff", b"process\xe5id\tnuc\nA\tC\n", b"sep=\xff\na\n"])
def test_a_file_that_is_no_text_has_a_head_too(start):
    assert read_head(start).separator
