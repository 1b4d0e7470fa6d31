r"""Text that is safe to show: in one line, with every character visible.

Belongs here: what a character must be to be shown as it is. Does not belong here: which text is shown where, and
cleaning the values of the data (`records`, `taxonomy`). Stages name files with it, so nothing else belongs here.

Messages quote names of files, values of records and errors of libraries. A control character in them can rewrite the
terminal, a line break can fake a line of a log, and a bidirectional or invisible character can make one name look like
another. All are shown as Python's escapes, such as `\x1b`.
"""

from __future__ import annotations

import re

# Characters that Python calls printable although nothing is seen of them (Unicode: Default_Ignorable_Code_Point), and
# the blank of Braille.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(text: object) -> str:
    r"""Return a text as one line in which control, invisible and bidirectional characters are escaped.

    Also escapes line breaks, spaces other than U+0020, and lone surrogates (in which Python holds the bytes of a file
    name that are not UTF-8), so that every output can encode the text. A printable text is returned unchanged.

    Example:
        >>> print(printable("a\x1b[31m\u202eb\n"))
        a\x1b[31m\u202eb\n
        >>> printable("Müller – 25 °C")
        'Müller – 25 °C'
    """
    shown = str(text)
    if shown.isprintable() and (shown.isascii() or not _INVISIBLE.search(shown)):
        return shown
    return "".join(one if one.isprintable() and not _INVISIBLE.match(one) else _escaped(one) for one in shown)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
