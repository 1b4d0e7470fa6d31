"""docs/deploy.md is followed: its listings are taken from the page, with other paths, and tried on this machine."""

import base64
import getpass
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from desk_corpus import write
from postgres_server import PASSWORD, USER, postgres, programs
from ui_process import Ui as RunningUi
from ui_process import deliver, free_port, until

from bioscan_etl.cli import main
from bioscan_etl.settings import load_settings
from bioscan_etl.ui.database import require_database

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'```(?P<kind>\w+) title="(?P<title>[^"]+)"\n(?P<text>.*?)```', re.S)
BLOCKS = [(block["kind"], block["title"], block["text"]) for block in BLOCK.finditer(PAGE)]
BIN = Path(sys.executable).parent
# What only a whole system can do; the page says that it was not tried.
NOT_TRIED = ("apt-get", "adduser", "systemctl", "journalctl", "pip install")


def block(title, number=0):
    return [text for _, name, text in BLOCKS if name == title][number]


def lines(title, *parts):
    """The lines of a script that hold all parts, joined."""
    text = block(title).replace("\\\n", "")
    return "\n".join(line for line in text.splitlines() if all(part in line for part in parts))


def sh(text, *, check=True, **environment):
    """Run a script with the programs of this environment first."""
    path = f"{BIN}:{os.environ['PATH']}"
    found = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DAGSTER", "BIOSCAN"))}
    return subprocess.run(
        ["sh", "-euc", text], env=found | {"PATH": path} | environment, check=check, capture_output=True, text=True
    )


def needs(*names):
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is missing: apt-get install {name.replace('systemd-analyze', 'systemd')}")


def test_every_script_parses_and_no_listing_is_without_a_title():
    assert len(BLOCKS) == PAGE.count("```") / 2
    for kind, title, text in BLOCKS:
        if kind == "sh":
            done = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (title, done.stderr)


def test_every_command_is_tried_here_or_listed_as_not_tried():
    tried = {
        "python3 -m venv", "ln -s", "runuser", "umask", "printf", "chown", "chmod", "nginx -t", "bioscan-backup",
        "bioscan-etl status", "bioscan-etl check", "bioscan-etl run", "rsync", "dagster instance migrate",
    }  # fmt: skip
    said = PAGE.split("## What was tried")[1]
    assert all(f"`{name}`" in said for name in NOT_TRIED)
    for kind, title, text in BLOCKS:
        if kind == "sh" and not title.startswith("/"):
            for line in text.replace("\\\n", "").splitlines():
                assert any(name in line for name in (*tried, *NOT_TRIED)), line


@pytest.mark.parametrize("number", range(2))
def test_the_settings_are_settings(tmp_path, number):
    path = tmp_path / "settings.toml"
    path.write_text(block("settings.toml", number))
    assert load_settings(path).automation.model_fields_set


def test_the_server_knows_the_user_by_its_account(monkeypatch):
    """As on the page, but the test's server knows anybody who reaches its socket."""
    with postgres() as server:
        monkeypatch.delenv("PGPASSFILE", raising=False)
        made = lines("database", "runuser").replace("runuser -u postgres -- ", "")
        sh(
            made,
            PATH=f"{programs()}:/usr/bin:/bin",
            PGHOST=str(server.folder),
            PGPORT=str(server.port),
            PGUSER="postgres",
        )
        address = re.search(r'"(postgres.*)"', block("settings.toml"))[1]
        require_database(address.replace("/run/postgresql", f"{server.folder}&port={server.port}&user=bioscan"))
        assert server.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'bioscan'") == "bioscan"


def test_the_password_is_found_in_the_home_of_the_user(tmp_path, monkeypatch):
    with postgres() as server:
        address = server.database("bioscan")
        text = block("password").replace("db.example.org:5432", f"127.0.0.1:{server.port}")
        secret = PASSWORD.replace(":", "\\:")
        sh(text.replace("bioscan:bioscan", f"bioscan:{USER}"), HOME=str(tmp_path), PASSWORD=secret)
        assert (tmp_path / ".pgpass").stat().st_mode & 0o777 == 0o600
        code = f"from bioscan_etl.ui.database import require_database; require_database({address!r})"
        assert sh(f"python -c '{code}'".replace(repr(address), f'"{address}"'), HOME=str(tmp_path)).returncode == 0


def test_systemd_accepts_the_units(tmp_path):
    needs("systemd-analyze")
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = [(Path(title).name, text) for _, title, text in BLOCKS if "/systemd/" in title]
    assert len(units) == 4
    for name, text in units:
        started = re.sub(r"ExecStart=\S+", f"ExecStart={program}", text)
        (tmp_path / name).write_text(started.replace("User=bioscan", "User=daemon"))
    for name, _ in units:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert not [line for line in done.stderr.splitlines() if name in line]
    (tmp_path / "bioscan.service").write_text(units[0][1].replace("OOMPolicy=continue", "OOMPolicy=perhaps"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / "bioscan.service"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert "bioscan.service" in done.stderr, "it accepts anything"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus of two batches with a release, and a third delivery."""
    folder = tmp_path_factory.mktemp("deploy")
    assert main(["demo", "--output", str(folder / "demo"), "--specimens", "40"]) == 0
    names = sorted(path.parent.name for path in (folder / "demo" / "landing").glob("*/batch.json"))
    for name in names[:2]:
        deliver(folder / "demo" / "landing" / name, folder / "out" / "landing", name)
    assert main(["run", "--output", str(folder / "out")]) == 0
    return folder


def told(command):
    """The JSON that a command of this package prints."""
    return json.loads(sh(f"{command} --json").stdout)


def moved(text, corpus):
    """A listing with the corpus, the backup and the restored corpus below the test's folder."""
    return text.replace("/srv/bioscan/", f"{corpus}/").replace("/backup/", f"{corpus}/backup/")


@pytest.fixture(scope="module")
def script(corpus):
    """The folder of the page's backup script."""
    needs("rsync")
    path = corpus / "bin" / "bioscan-backup"
    path.parent.mkdir()
    path.write_text(block("/usr/local/bin/bioscan-backup"))
    path.chmod(0o755)
    return path.parent


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_corpus_that_works_is_copied_and_everything_in_the_restored_copy_is_current(corpus, script):
    path = f"{script}:{BIN}:/usr/bin:/bin"
    name = sorted(path.parent.name for path in (corpus / "demo" / "landing").glob("*/batch.json"))[2]
    deliver(corpus / "demo" / "landing" / name, corpus / "out" / "landing", name)
    working = subprocess.Popen([sys.executable, "-m", "bioscan_etl.cli", "run", "--output", corpus / "out"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    copies = 0
    while working.poll() is None:
        sh(moved(lines("backup", "bioscan-backup"), corpus), PATH=path)
        found = told(f"bioscan-etl status --output {corpus}/backup/out")
        states = {one["batch"]: one["status"] for one in found["batches"]}
        assert list(states.values()).count("current") >= 2, found
        copies += 1
        assert main(["check", f"{corpus}/backup/out/releases/latest"]) == 0
    assert working.returncode == 0
    assert copies > 2, "nothing was copied while it worked"

    done = sh(moved(block("backup"), corpus), PATH=path)
    assert done.stdout.count("current") >= 3
    done = sh(moved(block("restore"), corpus), PATH=path)
    assert "would make no release" in done.stdout
    assert "would ingest" not in done.stdout
    found = told(f"bioscan-etl status --output {corpus}/restored")
    assert [one["status"] for one in found["batches"]] == ["current"] * 3
    assert not (corpus / "restored" / ".dagster" / "history").exists()

    # The old corpus is gone; the restored one goes on, and makes nothing anew.
    before = {path.relative_to(corpus / "restored"): path.stat().st_mtime_ns
              for path in (corpus / "restored" / "lake" / "outputs").rglob("*.parquet")}  # fmt: skip
    (corpus / "out").rename(corpus / "gone")
    try:
        assert main(["run", "--output", str(corpus / "restored")]) == 0
    finally:
        (corpus / "gone").rename(corpus / "out")
    after = {path.relative_to(corpus / "restored"): path.stat().st_mtime_ns
             for path in (corpus / "restored" / "lake" / "outputs").rglob("*.parquet")}  # fmt: skip
    assert before == after
    releases = [path.name for path in (corpus / "restored" / "releases").glob("v*")]
    assert sorted(releases) == ["v1", "v2"]


@pytest.mark.slow
def test_the_upgrade_of_this_version_changes_nothing(corpus, script):
    text = "\n".join(line for line in block("upgrade").replace("\\\n", "").splitlines() if "systemctl" not in line)
    text = text.replace("/opt/bioscan-etl/bin/", f"{BIN}/")
    text = "\n".join(line for line in text.splitlines() if "pip install" not in line)
    # The UI writes the configuration that the migration reads; this corpus has only run in the terminal.
    from bioscan_etl.settings import AutomationSettings
    from bioscan_etl.ui.plan import instance

    (corpus / "out" / ".dagster" / "dagster.yaml").write_text(instance(AutomationSettings()))
    done = sh(moved(text, corpus), PATH=f"{script}:{BIN}:/usr/bin:/bin")
    assert "would ingest" not in done.stdout
    assert "Traceback" not in done.stderr


class Proxy:
    """nginx with the page's configuration, over TLS."""

    def __init__(self, folder, port, plain):
        self.port = port
        self.context = ssl.create_default_context(cafile=folder / "lab.pem")

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return self.context.wrap_socket(raw, server_hostname="lab.example.org")

    def ask(self, method="GET", path="/", body=b"", user=None, **headers):
        """Status and body of an answer; the headers are given with _ for -."""
        sent = {"Host": f"lab.example.org:{self.port}", "Connection": "close", "Content-Length": str(len(body))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            sent["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        with self.connect() as connection:
            connection.sendall(head.encode() + b"\r\n" + body)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), rest


@contextmanager
def nginx(folder, upstream, desk=None):
    """The page's proxy in front of a local port: with other paths and ports, and the commands that make its users."""
    needs("nginx", "openssl")
    port = free_port()
    folder.mkdir()
    folder.chmod(0o755)
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", folder / "lab.key", "-out", folder / "lab.pem", "-days", "2"]
    names = ["-subj", "/CN=lab.example.org", "-addext", "subjectAltName=DNS:lab.example.org"]
    subprocess.run(["openssl", "req", "-x509", *key, *names], check=True, capture_output=True)
    owner = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
    users = lines("proxy", "htpasswd").replace("/etc/nginx", str(folder))
    if os.getuid():
        users = users.replace("root:www-data", f"{getpass.getuser()}:{owner}")
    sh(users.replace("openssl passwd -apr1", "openssl passwd -apr1 'correct horse'"))
    site = block("/etc/nginx/sites-available/bioscan")
    for old, new in {
        "443 ssl": f"127.0.0.1:{port} ssl",
        "127.0.0.1:3000": f"127.0.0.1:{upstream}",
        "127.0.0.1:3100": f"127.0.0.1:{desk or free_port()}",
        "/etc/ssl/certs/lab.example.org.pem": f"{folder}/lab.pem",
        "/etc/ssl/private/lab.example.org.key": f"{folder}/lab.key",
        "/etc/nginx/bioscan.htpasswd": f"{folder}/bioscan.htpasswd",
    }.items():
        assert old in site
        site = site.replace(old, new)
    (folder / "site").write_text(site)
    # Debian's nginx has folders for these that only root can use.
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"{'' if os.getuid() else 'user www-data;'}\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}include {folder}/site;\n}}\n"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    running = subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (folder / "error.log").read_text()
                time.sleep(0.1)
        yield Proxy(folder, port, upstream)
    finally:
        running.terminate()
        running.wait(20)


@pytest.fixture
def open_folder(tmp_path_factory):
    """A folder that the workers of nginx may enter."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    folder.chmod(0o755)
    yield folder / "nginx"
    shutil.rmtree(folder, ignore_errors=True)


def test_the_proxy_names_the_curator_and_drops_what_a_browser_claims(open_folder):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps([self.headers.get_all("Remote-User"), self.headers.get_all("Authorization")]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=upstream.serve_forever, daemon=True).start()
    try:
        with nginx(open_folder, upstream.server_port) as proxy:
            assert proxy.ask()[0] == 401
            assert proxy.ask(user="ada:wrong")[0] == 401
            assert proxy.ask(Remote_User="ada")[0] == 401
            status, body = proxy.ask(user="ada:correct horse", Remote_User="eve", remote_user="mallory")
            assert (status, json.loads(body)) == (200, [["ada"], None])
    finally:
        upstream.shutdown()
        upstream.server_close()


@contextmanager
def desk(output):
    """The desk as its unit starts it; yields its port."""
    command = re.search(r"ExecStart=(.+)", block("/etc/systemd/system/bioscan-desk.service"))[1]
    command = command.replace("/opt/bioscan-etl/bin", str(BIN)).replace("/srv/bioscan/out", str(output))
    process = subprocess.Popen(
        [*command.split(), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found, said + process.stdout.read()
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.mark.slow
def test_each_curator_behind_the_proxy_decides_under_a_name_of_their_own(tmp_path, open_folder):
    write(tmp_path, 3)  # a corpus with doubts
    with desk(tmp_path) as port, nginx(open_folder, free_port(), port) as proxy:
        with (open_folder / "bioscan.htpasswd").open("a") as users:
            users.write(sh("printf 'zoé:%s\\n' \"$(openssl passwd -apr1 secret)\"").stdout)
        assert proxy.ask(path="/desk/")[0] == 401
        known = {"ada": "ada:correct horse", "zoé": "zoé:secret"}
        for name, user in known.items():
            status, page = proxy.ask(path="/desk/", user=user)
            assert status == 200
            token = re.search(rb'name="desk-token" content="([^"]+)"', page)[1].decode()
            status, told = proxy.ask(path="/desk/data/words.json", user=user, Remote_User="eve")
            assert json.loads(told)["curator"] == name
            line = {"processid": "DESK00000-26", "action": "reject", "reason": "no_insect", "note": f"by {name}"}
            asked = {
                "method": "POST",
                "path": "/desk/decide",
                "body": json.dumps({"lines": [line], "take_away": []}).encode(),
                "user": user,
                "Content_Type": "application/json",
                "X_Desk_Token": token,
            }
            assert proxy.ask(**asked, Origin="https://evil.example")[0] == 403
            status, answer = proxy.ask(**asked, Origin=f"https://lab.example.org:{proxy.port}")
            assert status == 200, answer
        texts = {path.name: path.read_text() for path in (tmp_path / "decisions").glob("*.csv")}
        assert sorted(texts) == ["ada.csv", "zoe.csv"]
        assert "zoé" in texts["zoe.csv"]
        assert "eve" not in "".join(texts.values())
        # Without the proxy nobody is named, so nothing is shown and saved.
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/data/words.json", timeout=30)
        assert refused.value.code == 403
        refused.value.close()


@contextmanager
def service(corpus):
    """The UI as the unit starts it: its command, its folder, its signal, and no environment but a path."""
    unit = block("/etc/systemd/system/bioscan.service")
    command = re.search(r"ExecStart=(.+)", unit)[1].replace("/opt/bioscan-etl/bin", str(BIN))
    port = free_port()
    log = corpus / "ui.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*moved(command, corpus).split(), "--port", str(port)],
            env={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}, cwd=corpus, stdout=out, stderr=out,
        )  # fmt: skip
    running = RunningUi(corpus / "out", port, process)
    try:
        until(lambda: "ready" in log.read_text() or process.poll() is not None, 180, running, "the UI is not ready")
        assert process.poll() is None, log.read_text()
        yield running
    finally:
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_ui_works_behind_the_proxy_with_its_websockets(corpus, open_folder):
    query = json.dumps({"query": "{ version }"}).encode()
    posted = {"method": "POST", "path": "/graphql", "body": query, "Content_Type": "application/json"}
    with service(corpus) as running, nginx(open_folder, running.port) as proxy:
        good = {"user": "ada:correct horse"}
        origin = {"Origin": f"https://lab.example.org:{proxy.port}"}
        assert proxy.ask()[0] == 401
        assert proxy.ask(**posted)[0] == 401
        status, page = proxy.ask(path="/runs", **good)
        assert status == 200
        script = re.search(rb'src="(/[^"]+\.js)"', page)[1].decode()
        assert proxy.ask(path=script, **good)[0] == 200
        assert proxy.ask(path=script)[0] == 401
        status, answer = proxy.ask(**posted, **good, **origin)
        assert status == 200, answer
        assert b'"version"' in answer
        assert proxy.ask(**posted, **good, Origin="https://evil.example")[0] == 403
        assert proxy.ask(**posted, **good, **origin, Sec_Fetch_Site="cross-site")[0] == 403
        assert proxy.ask(**good, Host="evil.example")[0] == 403

        from websockets.exceptions import InvalidStatus
        from websockets.sync.client import connect

        place = f"wss://lab.example.org:{proxy.port}/graphql"
        basic = {"Authorization": "Basic " + base64.b64encode(b"ada:correct horse").decode()}
        options = {"subprotocols": ["graphql-ws"], "origin": origin["Origin"], "ssl": proxy.context, "proxy": None}
        raw = socket.create_connection(("127.0.0.1", proxy.port))
        with connect(place, sock=raw, additional_headers=basic, **options) as pages:
            pages.send(json.dumps({"type": "connection_init", "payload": {}}))
            assert json.loads(pages.recv(30))["type"] == "connection_ack"
            pages.send(json.dumps({"id": "1", "type": "start", "payload": {
                "query": "subscription { locationStateChangeEvents { event { eventType } } }"}}))  # fmt: skip
            os.kill(json.loads((corpus / "out" / ".dagster" / "children.json").read_text())[0]["pid"], 9)
            assert "LOCATION" in pages.recv(90), "what happens on the server reaches the page"
        for headers, code in (({}, 401), (basic, 403)):
            raw = socket.create_connection(("127.0.0.1", proxy.port))
            changed = options | {"origin": "https://evil.example"}
            with (
                pytest.raises(InvalidStatus) as refused,
                connect(place, sock=raw, additional_headers=headers, **changed),
            ):
                pass
            assert refused.value.response.status_code == code
