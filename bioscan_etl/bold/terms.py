"""Translate what a user asks for into the terms of the portal's query.

Belongs here: the check and translation of query terms. Does not belong here: running the query (`records`).

The portal takes at most 250 characters of `scope:field:value` terms, joined by `;`. Its preprocessor turns
`tax:Culicidae` or `Culicidae` into such a term, but has two traps, both seen in the published source of the
portal (boldsystems-central/barcode-data-portal) and reported by its users: a name that it does not know is
silently read as an identifier of specimens, which then matches nothing or the wrong records, and a BIN loses
its `BOLD:`. So identifiers and BINs, which no vocabulary can confirm, are not sent there unless they need to
be, and an answer in another scope than the one asked for is refused.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from bioscan_etl.bold.client import BoldError, Client

MAX_CHARACTERS = 250
_MIN_CHARACTERS = 3
_BIN = re.compile(r"(?:bin:)?(?:uri:|na:)?(BOLD:[A-Z]{3}[0-9]{4})", re.IGNORECASE)
_BARE_SCOPE = re.compile(r"([a-z]+):", re.IGNORECASE)
_SCOPES = ("tax", "geo", "ids", "bin", "inst", "recordsetcode")
_NOT_IN_VOCABULARY = {"ids", "recordsetcode"}
_SHOWN = 8


def resolve(client: Client, query: str) -> str:
    """Translate a query into the portal's terms.

    Args:
        client: the connection.
        query: terms joined by `;`: `tax:Culicidae;geo:Canada`, `Culicidae`, `BOLD:AAA9566`,
            `ids:processid:AAASF005-17`.

    Returns:
        Terms `scope:field:value`, joined by `;`, each once, in the order given.

    Raises:
        BoldError: the query is too short or too long, or BOLD does not know a term or finds it ambiguous.
    """
    if any(ord(letter) < 0x20 for letter in query):
        raise BoldError("the query holds control characters or line ends; write the terms in one line")
    tokens = [token.strip() for token in query.split(";") if token.strip()]
    if not tokens:
        raise BoldError("the query is empty; write for example tax:Culicidae or tax:Culicidae;geo:Canada")
    found: list[str] = []
    for token in tokens:
        found += _identifier(token) or _asked(client, token)
    resolved = ";".join(dict.fromkeys(found))
    if len(resolved) > MAX_CHARACTERS:
        raise BoldError(
            f"the query has {len(resolved)} characters in BOLD's terms, which takes {MAX_CHARACTERS}; "
            "split it into several queries"
        )
    return resolved


def _identifier(token: str) -> list[str]:
    """The term of a BIN, a record set or a complete identifier; empty if BOLD has to be asked."""
    if name := _BIN.fullmatch(token):
        return [f"bin:uri:{name[1].upper()}"]
    parts = token.split(":", 2)
    if parts[0] == "recordsetcode" and len(parts) == 2 and parts[1]:
        return [f"recordsetcode:code:{parts[1]}"]
    if parts[0] in _NOT_IN_VOCABULARY and len(parts) == 3 and parts[1] not in {"", "na"} and parts[2]:
        return [token]
    return []


def _asked(client: Client, token: str) -> list[str]:
    """The terms that the preprocessor finds for one token."""
    if not _MIN_CHARACTERS <= len(token) <= MAX_CHARACTERS:
        raise BoldError(f"BOLD takes terms of {_MIN_CHARACTERS} to {MAX_CHARACTERS} characters, not {token[:300]!r}")
    scope = _BARE_SCOPE.match(token)
    if scope and scope[1].lower() not in _SCOPES:
        raise BoldError(f"{token!r} begins with no scope that BOLD knows; take one of {', '.join(_SCOPES)}")
    address = f"{client.settings.portal_url}/api/query/preprocessor?{urlencode({'query': token})}"
    _, answer = client.json(address, also=(400,))
    if isinstance(answer, dict) and "successful_terms" not in answer and "detail" in answer:
        raise BoldError(f"BOLD does not take the term {token!r}: {str(answer['detail'])[:200]}")
    if failed := _matches(answer, "failed_terms"):
        choice = ", ".join(failed[:_SHOWN]) + (", …" if len(failed) > _SHOWN else "")
        raise BoldError(f"BOLD finds {token!r} ambiguous; write one of: {choice}")
    matched = _matches(answer, "successful_terms")
    wanted = scope[1].lower() if scope else None
    scopes = {term.split(":", 1)[0] for term in matched}
    if not matched or (scopes != {wanted} if wanted else "ids" in scopes):
        raise BoldError(
            f"BOLD knows no {token!r}; check the spelling, or write ids:processid:… or ids:sampleid:… for a specimen"
        )
    return matched


def _matches(answer: Any, which: str) -> list[str]:
    """The terms under a key of the preprocessor's answer, in the order given."""
    try:
        texts = [entry["matched"] for entry in answer.get(which, ())]
        return [term.strip() for text in texts for term in text.split(";") if term.strip()]
    except (AttributeError, KeyError, TypeError):
        raise BoldError("BOLD's preprocessor answers in a form that this version does not know; report it") from None
