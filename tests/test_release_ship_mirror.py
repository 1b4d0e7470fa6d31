"""Releases on S3, over HTTP to a real server process, through a proxy that breaks requests."""

import hashlib
import shutil

import boto3
import pytest
from botocore.config import Config
from fault_proxy import FaultProxy
from release_corpus import GROWN, corpus

from bioscan_etl.cli import main
from bioscan_etl.errors import LakeError, SourceError
from bioscan_etl.io import s3 as s3_module
from bioscan_etl.release.check import check
from bioscan_etl.release.manifest import MANIFEST, walk
from bioscan_etl.release.ship.mirror import download, publish_to_s3
from bioscan_etl.settings import ReleaseSettings, Settings

pytestmark = pytest.mark.slow  # each sends a release to a real server
BUCKET = "deliveries"
MIB = 1 << 20
SMALL = Settings(
    release=ReleaseSettings(image_packages=("cropped_256",), hdf5_packages=(), forms=("splits", "partitioned", "bbox")),
    splits=GROWN,
)


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """v1 and v2 of one folder; both hold a file of 12 MiB."""
    folder = tmp_path_factory.mktemp("upload")
    made = corpus(folder / "lake")
    big = folder / "big.bin"
    big.write_bytes(b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() * 512 for n in range(12 * 64)))
    (folder / "page").mkdir()
    (folder / "page/index.html").write_text("<p>é</p>")
    for digest in "12":
        made.build(folder / "r", SMALL, digest=digest * 64, extra={"report": folder / "page", "big.bin": big})
    return folder / "r"


@pytest.fixture
def proxy(s3, monkeypatch):
    """The S3 server behind a proxy that logs and breaks requests."""
    running, cached = FaultProxy(int(s3.meta.endpoint_url.rsplit(":", 1)[1])), s3_module.client
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
    cached.cache_clear()
    yield running
    running.close()
    cached.cache_clear()


@pytest.fixture
def impatient(proxy, monkeypatch):
    """Two attempts instead of ten: what cannot be done is given up soon."""
    client = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    monkeypatch.setattr(s3_module, "client", lambda: client)
    return proxy


@pytest.fixture
def prefix(request):
    return f"s3://{BUCKET}/{request.node.name.replace('[', '/').replace(']', '').replace(' ', '-')}"


def objects(s3, prefix, version="v1"):
    key = f"{prefix.removeprefix(f's3://{BUCKET}/')}/{version}/"
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=key):
        for entry in page.get("Contents", []):
            found[entry["Key"].removeprefix(key)] = s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
    return found


def text(s3, prefix, name):
    return s3.get_object(Bucket=BUCKET, Key=f"{prefix.removeprefix(f's3://{BUCKET}/')}/{name}")["Body"].read().decode()


def is_there(s3, prefix, name):
    key = f"{prefix.removeprefix(f's3://{BUCKET}/')}/{name}"
    return s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] > 0


def files(release):
    return {name: (release / name).read_bytes() for name in walk(release)}


def test_a_release_on_s3_is_the_one_in_the_folder(s3, proxy, releases, prefix):
    seen = []
    done = publish_to_s3(releases / "v1", prefix, lambda *told: seen.append(told), part=5 * MIB)
    assert objects(s3, prefix) == files(releases / "v1")
    assert text(s3, prefix, "latest") == "v1\n"
    assert not is_there(s3, prefix, ".publishing")
    assert (done.version, done.sent, done.files, done.latest) == ("v1", done.files, len(files(releases / "v1")), "v1")
    assert done.sent_bytes == sum(map(len, files(releases / "v1").values()))
    assert seen[-1][1] == seen[-1][2] >= 12
    # Readers begin with the manifest: everything else was there before it, and the pointer moved after it.
    written = [path for path in proxy.put() if ".publishing" not in path]
    assert written[-2].endswith(f"/v1/{MANIFEST}")
    assert written[-1].endswith("/latest")
    page = s3.head_object(Bucket=BUCKET, Key=f"{prefix.removeprefix(f's3://{BUCKET}/')}/v1/report/index.html")
    assert page["ContentType"] == "text/html"
    assert page["Metadata"]["sha256"] == hashlib.sha256("<p>é</p>".encode()).hexdigest()


def test_again_nothing_is_sent(s3, proxy, releases, prefix):
    publish_to_s3(releases / "latest", prefix, part=5 * MIB)
    proxy.log.clear()
    done = publish_to_s3(releases / "v2", prefix + "/", part=5 * MIB)
    assert (done.sent, done.sent_bytes, done.latest) == (0, 0, "v2")
    assert [path for path in proxy.put() if ".publishing" not in path] == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["500", "503", "reset", "cut request", "lost answer", "slow"])
def test_broken_requests_are_made_again(s3, proxy, releases, prefix, fault):
    proxy.faults = {
        ("PUT", "big.bin"): [fault],
        ("POST", "big.bin"): [fault],
        ("PUT", "all.csv"): [fault] if fault == "slow" else [fault, fault],
        ("PUT", MANIFEST): [fault],
        ("PUT", "latest"): [fault],
        ("GET", "list-type=2"): [fault],
        ("HEAD", MANIFEST): [fault],
    }
    publish_to_s3(releases / "v1", prefix, part=5 * MIB)
    assert [faults for faults in proxy.faults.values() if faults] == []
    assert objects(s3, prefix) == files(releases / "v1")
    assert text(s3, prefix, "latest") == "v1\n"
    assert not is_there(s3, prefix, ".publishing")


def test_refused_connections_are_waited_out(s3, proxy, releases, prefix):
    proxy.go_away(1.5)
    publish_to_s3(releases / "v1", prefix)
    assert objects(s3, prefix) == files(releases / "v1")


def test_a_server_that_is_away_for_good_is_one_line(impatient, releases, prefix):
    impatient.close()
    with pytest.raises(SourceError, match=r"cannot be reached.*AWS_ENDPOINT_URL") as caught:
        publish_to_s3(releases / "v1", prefix)
    assert "\n" not in str(caught.value)
    impatient._open(impatient.port)


def test_an_interrupted_run_goes_on_where_it_stopped(s3, impatient, releases, prefix):
    impatient.faults = {("PUT", "/v1/splits/"): ["500"] * 99}
    with pytest.raises(SourceError, match=r"splits/.*cannot be written"):
        publish_to_s3(releases / "v1", prefix, workers=2)
    there = objects(s3, prefix)
    assert 0 < len(there) < len(files(releases / "v1"))
    assert not is_there(s3, prefix, f"v1/{MANIFEST}"), "half a release would be visible"
    assert not is_there(s3, prefix, "latest")
    with pytest.raises(SourceError, match="still being published"):
        download(f"{prefix}/v1", releases / "nowhere")
    impatient.faults = {}
    done = publish_to_s3(releases / "v1", prefix)
    assert done.sent == done.files - len(there)
    assert objects(s3, prefix) == files(releases / "v1")


def test_parts_of_a_large_file_are_not_sent_twice(s3, impatient, releases, prefix):
    impatient.faults = {("PUT", "partNumber=3"): ["500"] * 4}
    with pytest.raises(SourceError, match=r"big\.bin cannot be written"):
        publish_to_s3(releases / "v1", prefix, part=5 * MIB)
    impatient.faults = {}
    impatient.log.clear()
    publish_to_s3(releases / "v1", prefix, part=5 * MIB)
    parts = [path.split("partNumber=")[1][0] for path in impatient.put() if "partNumber" in path]
    assert parts == ["3"]
    assert objects(s3, prefix) == files(releases / "v1")
    assert s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


@pytest.fixture
def other(releases, tmp_path):
    """Another release that is called v1, too."""
    made = corpus(tmp_path / "lake", country=["Kenya"])
    return made.build(tmp_path / "r", SMALL)


def test_a_version_is_never_overwritten_by_another_release(s3, releases, other, prefix):
    publish_to_s3(releases / "v1", prefix)
    before = objects(s3, prefix)
    with pytest.raises(SourceError, match="holds another release of this name; nothing was changed"):
        publish_to_s3(other, prefix)
    assert objects(s3, prefix) == before
    assert text(s3, prefix, "latest") == "v1\n"


def test_two_releases_of_one_name_are_not_mixed_while_one_is_under_way(s3, impatient, releases, other, prefix):
    impatient.faults = {("PUT", "/v1/splits/"): ["500"] * 99}
    with pytest.raises(SourceError, match="cannot be written"):
        publish_to_s3(releases / "v1", prefix)
    impatient.faults = {}
    before = objects(s3, prefix)
    with pytest.raises(
        SourceError, match=r"another release is being published.*remove s3://deliveries/.*publishing-v1"
    ):
        publish_to_s3(other, prefix)
    assert objects(s3, prefix) == before


def test_latest_never_goes_back(s3, releases, prefix):
    assert publish_to_s3(releases / "v2", prefix).latest == "v2"
    assert publish_to_s3(releases / "v1", prefix).latest == "v2"
    assert text(s3, prefix, "latest") == "v2\n"
    assert objects(s3, prefix, "v1") == files(releases / "v1")


def test_damaged_bytes_on_s3_are_sent_again_and_strangers_refused(s3, releases, prefix):
    publish_to_s3(releases / "v1", prefix)
    key = f"{prefix.removeprefix(f's3://{BUCKET}/')}/v1/"
    s3.put_object(
        Bucket=BUCKET, Key=f"{key}splits/all.csv", Body=b"x" * (releases / "v1/splits/all.csv").stat().st_size
    )
    assert publish_to_s3(releases / "v1", prefix).sent == 1
    assert objects(s3, prefix) == files(releases / "v1")
    s3.put_object(Bucket=BUCKET, Key=f"{key}zzz.txt", Body=b"x")
    with pytest.raises(SourceError, match=r"v1/zzz\.txt is no file of this release"):
        publish_to_s3(releases / "v1", prefix)


@pytest.mark.slow
def test_a_damaged_folder_is_not_published(s3, releases, tmp_path, prefix):
    def damaged(act):
        copy = tmp_path / "copy" / "v1"
        shutil.rmtree(copy.parent, ignore_errors=True)
        shutil.copytree(releases / "v1", copy)
        act(copy)
        return copy

    def other_letters(root):
        (root / "README.md").write_bytes(b"x" * (root / "README.md").stat().st_size)

    def other_part(root):
        body = bytearray((root / "big.bin").read_bytes())
        body[-1] ^= 1
        (root / "big.bin").write_bytes(body)

    def leads_out(root):
        (root.parent / "secret").write_text("s")
        for name in (MANIFEST, "md5sums.txt"):
            path = root / name
            path.write_text(
                path.read_text().replace("BIOSCAN_5M_Insect_bbox.tsv", "../secret").replace("README.md", "../secret")
            )

    def a_link(root):
        (root.parent / "secret").write_bytes((root / "README.md").read_bytes())
        (root / "README.md").unlink()
        (root / "README.md").symlink_to(root.parent / "secret")

    for act, says in (
        (lambda root: (root / "README.md").unlink(), "README.md' is no file of the release"),
        (lambda root: (root / "README.md").write_text("short"), "README.md is not what manifest.json says"),
        (other_letters, "README.md is not what manifest.json says"),
        (other_part, "big.bin is not what manifest.json says"),
        (leads_out, "no file of the release"),
        (a_link, "no file of the release"),
        (lambda root: (root / "md5sums.txt").write_text(""), "is damaged|is not what"),
        (lambda root: (root / MANIFEST).write_text("{}"), "is no release"),
        (lambda root: (root / MANIFEST).unlink(), "is no release"),
    ):
        with pytest.raises(LakeError, match=says) as caught:
            publish_to_s3(damaged(act), prefix, part=5 * MIB)
        assert "\n" not in str(caught.value)
        assert not is_there(s3, prefix, f"v1/{MANIFEST}")
        assert not is_there(s3, prefix, "v1/../secret")
    # The damage undone, the same place takes the release.
    publish_to_s3(releases / "v1", prefix, part=5 * MIB)
    assert objects(s3, prefix) == files(releases / "v1")


def test_places_that_are_none(s3, releases, prefix):
    for location, says in (
        ("out/releases", "no place on S3"),
        ("s3://", "no place on S3"),
        ("s3://no-such-bucket/x", "check the bucket"),
    ):
        with pytest.raises(SourceError, match=says):
            publish_to_s3(releases / "v1", location)
    s3.put_object(Bucket=BUCKET, Key=f"{prefix.removeprefix(f's3://{BUCKET}/')}/latest", Body=b"a picture")
    with pytest.raises(SourceError, match="latest names no version"):
        publish_to_s3(releases / "v1", prefix)


@pytest.mark.slow
def test_a_release_is_fetched_and_checked(s3, proxy, releases, prefix, tmp_path, capsys):
    publish_to_s3(releases / "v1", prefix, part=5 * MIB)
    proxy.faults = {("GET", "big.bin"): ["cut answer", "500"], ("GET", "all.csv"): ["slow"]}
    root = download(f"{prefix}/latest", tmp_path)
    assert root == tmp_path / "v1"
    assert files(root) == files(releases / "v1")
    assert main(["check", f"{prefix}/v1"]) == 0
    assert "no fault found" in capsys.readouterr().out
    key = f"{prefix.removeprefix(f's3://{BUCKET}/')}/v1/"
    s3.delete_object(Bucket=BUCKET, Key=f"{key}splits/all.csv")
    assert main(["check", f"{prefix}/latest"]) == 1
    assert "splits/all.csv: is missing" in capsys.readouterr().out
    s3.put_object(Bucket=BUCKET, Key=f"{key}../../evil", Body=b"x")
    with pytest.raises(SourceError, match="leads out of the release"):
        download(f"{prefix}/v1", tmp_path / "again")
    assert not (tmp_path / "again").exists()
    with pytest.raises(SourceError, match="names no version"):
        download(prefix, tmp_path)


def test_the_command_tells_what_was_sent(s3, releases, prefix, capsys):
    assert main(["publish", str(releases / "latest"), prefix]) == 0
    told = capsys.readouterr().out
    assert f"published v2: {prefix}/v2" in told
    assert check(download(f"{prefix}/latest", releases.parent / "fetched")) == []
    assert main(["publish", str(releases / "latest"), prefix]) == 0
    assert "of which 0 were sent now (0 bytes)" in capsys.readouterr().out
    assert main(["publish", str(releases), prefix]) == 2
    assert "is no release" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_mirrors_its_release(s3, prefix, tmp_path, capsys):
    """By the setting, through the asset, and by the option; the report tells what leaks and what was moved."""
    output, settings = tmp_path / "out", tmp_path / "settings.toml"
    settings.write_text(f'[splits]\nprotocol = "stable"\n[release]\npublish_to = "{prefix}/setting"\n')
    assert main(["demo", "--output", str(output), "--specimens", "40"]) == 0
    run = ["run", "--output", str(output), "--settings", str(settings)]
    assert main(run) == 0
    release = output / "releases" / "v1"
    assert objects(s3, f"{prefix}/setting") == files(release)
    assert text(s3, f"{prefix}/setting", "latest") == "v1\n"
    page = (release / "report" / "index.html").read_text()
    for words in ("by partition and records of a species", "in at most two bases", "near duplicates of", "Moves since"):
        assert words in page
    assert (release / "changelog.md").read_text() == "# Changes of v1\n\nThe first release.\n"
    assert "publish_to" not in (release / "manifest.json").read_text()
    capsys.readouterr()
    assert main([*run, "--publish", f"{prefix}/option"]) == 0
    told = capsys.readouterr().out
    assert "nothing changed" in told
    assert f"published v1: {prefix}/option/v1" in told
    assert objects(s3, f"{prefix}/option") == files(release)
    assert main([*run, "--publish", "elsewhere"]) == 2
    assert "is no place on S3" in capsys.readouterr().err
