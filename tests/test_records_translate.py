import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.records.dialect import is_western, read_head
from bioscan_etl.records.sources import DamagedError
from bioscan_etl.records.translate import Written, decoded, translated

HEADER = "processid\tsampleid\tcountry/ocean\tcountry_iso\tcoord\tnotes"
LINES = [f"AAA00{n}-20\tS{n}\tNorway\tNO\t[1.5, {n}]\tfine" for n in range(1, 6)]


def rewrite(data, encoding="auto", piece=None):
    size = piece or max(len(data), 1)
    written = Written()
    pieces = iter([data[at : at + size] for at in range(0, len(data), size)])
    text = b"".join(translated(decoded(pieces, encoding, written), written))
    return text.decode("utf-8", "surrogateescape").split("\n"), written


def text(*lines, end="\n"):
    return "".join(line + end for line in lines)


@pytest.mark.parametrize("piece", [None, 1, 7])
def test_text_as_bold_writes_it_is_unchanged(piece):
    data = text(HEADER, *LINES, 'AAA009-20\tS\t\t\t\t6" net', 'AAA010-20\tS\t\t\t\t"by hand"').encode()
    lines, written = rewrite(data, piece=piece)
    assert "\n".join(lines).encode() == data
    assert written.damage(7) == {}


@pytest.mark.parametrize("piece", [None, 1, 7])
def test_quotes_of_a_spreadsheet(piece):
    quoted = 'AAA009-20\tS\tNorway\tNO\t"[1.5, 2]"\t"caught at 6"" net"'
    lines, written = rewrite(text(HEADER, "AAA008-20\tS\tNorway\tNO\t\tx", quoted).encode(), piece=piece)
    assert lines[2] == 'AAA009-20\tS\tNorway\tNO\t[1.5, 2]\tcaught at 6" net'
    assert written.damage(2) == {"quoted_fields": 1}


def test_a_field_of_several_lines_keeps_the_line_numbers():
    lines, written = rewrite(text(HEADER, 'AAA001-20\tS\tNorway\tNO\t\t"one\ntwo ""x"""', LINES[1]).encode())
    assert lines[1:4] == ['AAA001-20\tS\tNorway\tNO\t\tone two "x"', "", LINES[1]]
    assert written.rows == {"quoted_fields": 1}


def test_quotes_without_a_rule_are_data():
    for line in ('A\t"', 'A\t"x" y', 'A\tx "y"', 'A\t"[1, 2]"\tx, y', 'A\t"word"'):
        lines, written = rewrite(text(HEADER, line).encode())
        assert lines[1] == line
        assert written.rows == {}


def test_tables_of_r():
    quoted = ['"' + '"\t"'.join(HEADER.split("\t")) + '"']
    quoted += [f'"{n}"\t"AAA00{n}-20"\t"S{n}"\tNA\t"NA"\tNA\t"a \\"b\\""' for n in (1, 2)]
    lines, written = rewrite(text(*quoted).encode())
    assert lines[:2] == [f"row_names\t{HEADER}", '1\tAAA001-20\tS1\t\tNA\t\ta "b"']
    assert written.whole == {"row_names"}
    plain = [HEADER, "1\tAAA001-20\tNA\tNamibia\tNA\tNA\tx", "2\tAAA002-20\tS\tNA\tNA\tNA\tNA"]
    lines, _ = rewrite(text(*plain).encode())
    assert lines[1:3] == ["1\tAAA001-20\t\tNamibia\tNA\t\tx", "2\tAAA002-20\tS\t\t\t\t"]


@pytest.mark.parametrize("separator", [";", ",", "|"])
def test_other_separators(separator):
    names = separator.join(HEADER.split("\t"))
    line = separator.join(["AAA001-20", "S", "Norway", "NO", f'"a{separator}b"', "x\ty"])
    for first in ([], [f"sep={separator}"]):
        lines, written = rewrite(text(*first, names, line, end="\r\n").encode())
        assert lines[len(first)] == HEADER
        assert lines[len(first) + 1] == f"AAA001-20\tS\tNorway\tNO\ta{separator}b\tx y"
        assert written.whole == {"other_separator"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("piece", [None, 1, 5])
def test_encodings_are_recognised(encoding, piece):
    lines, written = rewrite(text(HEADER, *(f"{line} Málaga" for line in LINES)).encode(encoding), piece=piece)
    assert lines[1].removeprefix("\ufeff") == f"{LINES[0]} Málaga"
    assert written.whole == (set() if encoding == "utf-8-sig" else {"other_encoding"})


@pytest.mark.parametrize(
    ("window", "western"),
    [
        (b"M\xfcller\nBogot\xe1\n\xc9tienne\n", True),
        (b"5\xb0 N\n6\xb0 N\n", True),
        (b"M\xfcller only\n", False),  # one stray byte may be anything
        (b"M\xfcller\nBogot\xc3\xa1\n", False),  # and here the other is UTF-8
        (b"M\x9fller\nBogot\x87\n", False),  # Mac OS
        (b"Wis\xb3a\nKo\xb3o\n", False),  # Central Europe
        (b"Hunter\xd5s\nCollector\xd5s\n", False),
        (b"a\x81b\nc\x81d\n", False),
    ],
)
def test_windows_1252_is_taken_only_where_it_is_certain(window, western):
    assert is_western(window) is western


IBOL = "processid\tbin_guid\tnucraw\tcountry_reg"


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize(
    ("place", "read"),
    [
        (b"M\xe9xico", "México"),
        (b"Malm\xc3\xb6", "Malmö"),  # saved again as UTF-8
        (b"M\x8exico", "M\udc8exico"),  # no letter of ISO 8859-1
    ],
)
def test_one_letter_is_enough_where_the_layout_is_iso_8859_1(place, read, quote):
    header = "\t".join(f"{quote}{name}{quote}" for name in IBOL.split("\t")).encode()
    lines, written = rewrite(header + b"\nAAA001-10.COI-5P\t\tACGT\t" + place + b"\n")
    assert lines[1].split("\t")[3] == read
    assert written.whole == ({"other_encoding"} if read == "México" else set())


@pytest.mark.parametrize("end", ["\r", "\r\n", "\r\r\n", "\n"])
def test_line_ends(end):
    lines, written = rewrite(text(HEADER, *LINES, end=end).encode(), piece=3)
    assert [line.strip("\r") for line in lines if line] == [HEADER, *LINES]
    assert written.whole == ({"cr_line_ends"} if end == "\r" else set())


def test_the_end_of_a_damaged_file_is_kept():
    def breaks_off():
        yield text(HEADER, 'AAA001-20\tS\tNorway\tNO\t"[1, 2]"\t"a ""b"""').encode()
        yield b'AAA002-20\t"x'
        raise DamagedError("ends early")

    written = Written()
    found = []
    with pytest.raises(DamagedError):
        found.extend(translated(decoded(breaks_off(), "auto", written), written))
    assert b"".join(found).endswith(b'\tNO\t[1, 2]\ta "b"\nAAA002-20\t"x')


@given(
    st.lists(st.sampled_from([b'"', b"\t", b"\n", b"\r", b"a", b",", b"\xe9", b"\xc3\xa9", b'""', b"NA"]), max_size=60)
)
def test_no_bytes_raise_and_pieces_do_not_matter(parts):
    data = HEADER.encode() + b"\n" + b"".join(parts)
    whole, written = rewrite(data)
    for piece in (1, 3):
        again, same = rewrite(data, piece=piece)
        assert again == whole
        assert same == written
    if b"\r" not in data:
        assert len(whole) - data.count(b"\n") in (1, 2)


def test_the_head_of_nothing():
    assert read_head(b"").separator == "\t"
