"""The desk's server: pages, data, images, and the saving of decisions.

Belongs here: routes, headers, and the token. Does not belong here: which requests are answered at all (`ui.guard`), and
what the pages get (`worklist`, `specimen`, `evidence`, `front`).

Everything is read with GET under `data/`, `thumbs/` and `images/`. Only `decide` changes something: it takes JSON from
a page of this server that sends the server's token.
"""

from __future__ import annotations

import datetime as dt
import errno
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bioscan_etl.decisions.bold_template import template_of
from bioscan_etl.decisions.for_bold import as_csv, corrections_of
from bioscan_etl.decisions.write import save
from bioscan_etl.desk.corpus import Corpus, curator_of
from bioscan_etl.desk.evidence import evidence
from bioscan_etl.desk.front import front
from bioscan_etl.desk.groups import group
from bioscan_etl.desk.land import land
from bioscan_etl.desk.pictures import SIDES, Pictures
from bioscan_etl.desk.specimen import barcodes, specimen
from bioscan_etl.desk.states import States
from bioscan_etl.desk.taxon import taxon
from bioscan_etl.desk.trends import Trends
from bioscan_etl.desk.worklist import as_json, doubts_json, part_json, words
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.ui.guard import App, Guard, guarded

MOST_BYTES = 32 << 20
"""Of a request; 20,000 decisions have about 4 MB."""
MOST_DECISIONS = 20_000

_STATIC = Path(__file__).with_name("static")
_KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_MARK = "{{token}}"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class _Refused(Exception):  # noqa: N818 - an answer, not a failure
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def app(corpus: Corpus, guard: Guard, curator_header: str | None = None) -> App:
    """The ASGI app of the desk of a corpus.

    Args:
        corpus: the corpus.
        guard: which requests are answered.
        curator_header: the header in which a proxy names the curator of each request; None: all are of
            `corpus.curator`.
    """
    token = secrets.token_urlsafe(24)
    pictures = Pictures(corpus)
    trends = Trends(corpus)
    states = States(corpus)
    kept: dict[str, tuple[str, bytes]] = {}

    def once(name: str, version: str, make: Callable[[], bytes]) -> bytes:
        """What depends on the run alone is made once."""
        if name not in kept or kept[name][0] != version:
            kept[name] = (version, make())
        return kept[name][1]

    def who(request: Request) -> str:
        return corpus.curator if curator_header is None else _named(corpus, request, curator_header)

    def data(make: Callable[[Request], Any]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            try:
                made = make(request)
            except _Refused as refused:
                return PlainTextResponse(str(refused), refused.status)
            except (BioscanError, OSError) as error:
                return PlainTextResponse(sentence(error), 409)
            if made is None:
                return PlainTextResponse("there is no such thing in this corpus", 404)
            body = made if isinstance(made, bytes) else as_json(made)
            return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

        return answer

    def static(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        path = _STATIC / name
        if path.parent != _STATIC or path.suffix not in _KINDS or not path.is_file():
            return PlainTextResponse("there is no such page", 404)
        text = path.read_text(encoding="utf-8")
        if name == "index.html":
            text = text.replace(_MARK, token)
        return Response(text, media_type=_KINDS[path.suffix], headers={"cache-control": "no-cache"})

    def picture(size: str) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            made = pictures.jpeg(request.path_params["processid"], size)
            if made is None:
                return PlainTextResponse("there is no image that can be shown", 404)
            return Response(made, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})

        return answer

    def for_bold(name: str, kind: str, make: Callable[[], bytes]) -> Route:
        def answer(_: Request) -> Response:
            try:
                made = make()
            except (BioscanError, OSError) as error:
                return PlainTextResponse(sentence(error), 409)
            headers = {"content-disposition": f"attachment; filename={name}", "cache-control": "no-store"}
            return Response(made, media_type=kind, headers=headers)

        return Route(f"/{name}", answer)

    async def decide(request: Request) -> Response:
        try:
            wanted = await _body(request, token)
            done = await run_in_threadpool(_save, states, wanted, who(request))
        except _Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        except (BioscanError, OSError) as error:
            return PlainTextResponse(sentence(error), 409)
        return Response(done, media_type="application/json", headers={"cache-control": "no-store"})

    def doubts(_: Request) -> bytes:
        return once("doubts", corpus.version(), lambda: doubts_json(corpus))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        pictures.close()

    routes = [
        Route("/", static),
        Route("/data/words.json", data(lambda r: words(corpus, who(r)))),
        Route("/data/front.json", data(lambda _: front(corpus))),
        Route("/data/trends.json", data(lambda _: trends.read())),
        Route("/data/doubts.json", data(doubts)),
        Route("/data/states.json", data(lambda r: states.json(who(r), r.query_params.get("have")))),
        Route("/data/land.json", data(lambda _: land())),
        Route("/data/parts/{number:int}.json", data(lambda r: part_json(corpus, r.path_params["number"]))),
        Route("/data/doubts/{id}.json", data(lambda r: evidence(corpus, r.path_params["id"]))),
        Route("/data/specimens/{id}.json", data(lambda r: specimen(corpus, r.path_params["id"]))),
        Route("/data/barcodes/{id}.json", data(lambda r: barcodes(corpus, r.path_params["id"]))),
        Route(
            "/data/taxa/{rank}/{name:path}.json",
            data(lambda r: taxon(corpus, r.path_params["rank"], r.path_params["name"])),
        ),
        Route(
            "/data/groups/{kind}/{name:path}.json",
            data(lambda r: group(corpus, r.path_params["kind"], r.path_params["name"])),
        ),
        Route("/data/masks/{id}.json", data(lambda r: pictures.mask(r.path_params["id"]))),
        *(Route(f"/{size}/{{processid}}.jpg", picture(size)) for size in SIDES),
        for_bold("corrections-for-bold.csv", "text/csv", lambda: as_csv(corrections_of(corpus.lake, corpus.reader))),
        for_bold("corrections-for-bold.zip", "application/zip", lambda: template_of(corpus.lake, corpus.reader)[0]),
        Route("/decide", decide, methods=["POST"]),
        Route("/{name}", static),
    ]
    return guarded(Starlette(routes=routes, lifespan=lifespan), guard, HEADERS)


def _named(corpus: Corpus, request: Request, header: str) -> str:
    """The curator whom a proxy names.

    Raises:
        _Refused: it names nobody, or a name that cannot be written into a decision.
    """
    given = request.headers.get(header, "")
    with suppress(UnicodeError):  # Starlette decodes headers as ISO 8859-1
        given = given.encode("latin-1").decode("utf-8")
    if not given.strip():
        raise _Refused(403, f"the request has no header {header}, in which the proxy has to name the curator")
    try:
        return curator_of(corpus.lake, given)
    except BioscanError as error:
        raise _Refused(403, sentence(error)) from None


async def _body(request: Request, token: str) -> dict[str, Any]:
    """The JSON of a request that changes something.

    Raises:
        _Refused: it has no valid token, comes from another page, or is not what the pages send.
    """
    headers = request.headers
    if not secrets.compare_digest(headers.get("x-desk-token", "").encode(), token.encode()):
        raise _Refused(403, "this page is of an earlier start of the desk; reload it")
    # The guard has compared the origin with the host; here it has to be there.
    if not headers.get("origin"):
        raise _Refused(403, "decisions are taken from the desk's own pages only; put files in with bioscan-etl decide")
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise _Refused(415, "send JSON")
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > MOST_BYTES:
            raise _Refused(413, "these are too many decisions at once; narrow the filter")
    try:
        wanted = json.loads(read)
        lines, gone, have = wanted["lines"], wanted["take_away"], wanted.get("have")
        right = all(isinstance(one, dict) for one in lines) and all(isinstance(one, str) for one in gone)
        right = right and all(v is None or isinstance(v, str) for one in [*lines, {"have": have}] for v in one.values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        right = False
    if not right:
        raise _Refused(400, "send lines (objects of texts) and take_away (ids)")
    if len(lines) > MOST_DECISIONS:
        raise _Refused(413, f"at most {MOST_DECISIONS:,} decisions at once; narrow the filter")
    return {"lines": lines, "take_away": gone, "have": have}


def _save(states: States, wanted: dict[str, Any], curator: str) -> bytes:
    today = dt.date.today().isoformat()
    # A line that is put back by an undo has its own date.
    lines = [one | {"date": one.get("date") or today} for one in wanted["lines"]]
    corpus = states.corpus
    ids = save(corpus.lake, curator, lines, wanted["take_away"], corpus.reader)
    return b'{"ids":' + as_json(ids) + b',"states":' + states.json(curator, wanted["have"]) + b"}"


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        BioscanError: the port is taken, or the address is not one of this machine.
    """
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise BioscanError(f"port {port} of {host} is taken; choose another with --port") from None
        raise BioscanError(f"cannot listen on {host}, port {port}: {error.strerror}; see --host, --port") from None
    return found


def serve(
    corpus: Corpus, listening: socket.socket, allow_hosts: Iterable[str] = (), curator_header: str | None = None
) -> None:
    """Serve the desk until it is interrupted.

    Args:
        corpus: the corpus.
        listening: of `bind`.
        allow_hosts: further names by which browsers reach the desk.
        curator_header: the header in which a proxy names the curator; None: all decisions are of `corpus.curator`.
    """
    host, port = listening.getsockname()[:2]
    guard = Guard(host, port, allow_hosts, command="bioscan-etl desk")
    config = uvicorn.Config(app(corpus, guard, curator_header), log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listening])
