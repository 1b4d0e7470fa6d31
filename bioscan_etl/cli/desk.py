"""The command `desk`: its options.

Belongs here: options, and the line that says where the desk is. Does not belong here: the server (`bioscan_etl.desk`).
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from bioscan_etl.cli.options import Folder, Loudness, Said, UsageError, reflowed
from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.io.locations import local_path

if TYPE_CHECKING:
    from bioscan_etl.desk.corpus import Corpus

_AS_EVER = Loudness()


@reflowed
def desk(
    output: Path,
    /,
    *,
    curator: Annotated[str | None, Parameter(metavar="NAME")] = None,
    curator_header: Annotated[str | None, Parameter(metavar="HEADER")] = None,
    host: Annotated[str, Parameter(metavar="H", show_default=True)] = "127.0.0.1",
    port: Annotated[
        int, Parameter(metavar="P", show_default=True, validator=validators.Number(gte=0, lte=65535))
    ] = 3100,
    allow_host: Annotated[tuple[str, ...], Parameter(metavar="NAME")] = (),
    write: Folder | None = None,
    batch: Annotated[str | None, Parameter(metavar="NAME")] = None,
    images: Annotated[int | None, Parameter(metavar="N", validator=validators.Number(gte=0))] = None,
    answer: Loudness = _AS_EVER,
    terminal: Said,
) -> int:
    """Serve the curators' desk of a corpus.

    Serve pages that show every doubt with its evidence, and save decisions into decisions/ of the corpus, until Ctrl-C.
    The next run applies them.

    Args:
        output: folder of the corpus
        curator: who decides; without it, the name of your account
        curator_header: take the name of the curator from this header of each request, which a proxy sets; without it,
            a request is refused
        host: address to listen on
        port: port to listen on; 0: any that is free
        allow_host: a further name by which browsers reach the desk, as behind a proxy; may be repeated
        write: write the pages into this folder instead; they open from a disk and behind any web server, and hand
            decisions out as a file for bioscan-etl decide
        batch: with --write: only doubts about this batch
        images: with --write: at most so many images, 2,000 by default; open doubts about images come first
    """
    from bioscan_etl.desk.corpus import open_corpus
    from bioscan_etl.desk.server import bind, serve
    from bioscan_etl.ui.plan import host_name

    if write is None and (batch is not None or images is not None):
        raise UsageError("--batch and --images are for --write; without it, the desk shows all")
    if curator is not None and curator_header is not None:
        raise UsageError("--curator names one curator, --curator-header lets a proxy name them; give one of the two")
    corpus = open_corpus(local_path(output), curator or getpass.getuser())
    if write is not None:
        return _write(corpus, write, batch, images, terminal)
    decider = corpus.curator if curator_header is None else f"whom the header {curator_header} names"
    listening = bind(host, port)
    address = f"http://{host_name(host)}:{listening.getsockname()[1]}"
    terminal.say(f"the desk of {corpus.lake.root} is on {address}, for {decider}; stop it with Ctrl-C")
    serve(corpus, listening, allow_host, curator_header)
    return 0


def _write(corpus: Corpus, folder: Path, batch: str | None, images: int | None, terminal: Terminal) -> int:
    from bioscan_etl.desk.export import MOST_IMAGES, Contents, write_pages
    from bioscan_etl.desk.front import front
    from bioscan_etl.desk.trends import Trends

    with terminal.progress() as progress:
        most = MOST_IMAGES if images is None else images
        contents = Contents(front=front(corpus), trends=Trends(corpus).read(), most_images=most)
        done = write_pages(corpus, local_path(folder), contents, batch, progress)
    first = done.folder / "index.html"
    terminal.say(f"{done.doubts:,} doubts and {done.images:,} images are in {first}; open it with a browser")
    return 0
