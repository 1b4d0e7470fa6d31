"""A new report template on a finished corpus: how long the upgrade takes, and how many images it reads.

    python benchmarks/report_upgrade.py [--images 10000] [--keep DIR]

Makes a demo corpus of so many images and its release, then runs the same code with another report template over it, as
an upgrade of the package does. The run is traced by `strace`, where it is installed, for every image and every file of
crops that it opens; the delivered images are moved away meanwhile, so a run that read one would fail. Printed beside:
what the first run took, which is what the upgrade took when every change of code made everything anew.

Data: synthetic, from `bioscan-etl demo`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEMPLATE = Path("bioscan_etl") / "quality" / "report.html.jinja"


def _run(package: Path, output: Path, trace: Path | None = None) -> float:
    """Seconds that `bioscan-etl run` takes with the code of a folder."""
    command = [sys.executable, "-m", "bioscan_etl.cli", "run", "--output", str(output)]
    if trace is not None:
        command = ["strace", "-f", "-qq", "-e", "trace=openat,open", "-o", str(trace), *command]
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=package, env=os.environ | {"PYTHONPATH": str(package)}, timeout=7200)
    return time.perf_counter() - began


def _opened(trace: Path) -> int:
    """Image files and files of crops that a traced run opened."""
    lines = trace.read_text(errors="replace").splitlines()
    paths = {line.split('"')[1] for line in lines if '"' in line and "ENOENT" not in line}
    images = {path for path in paths if path.lower().endswith((".jpg", ".jpeg", ".png", ".tif"))}
    return sum("/report/" not in path and not path.endswith("contact_sheet.jpg") for path in images) + sum(
        "/crops/" in path for path in paths
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="about so many specimens with an image each")
    parser.add_argument("--keep", type=Path, help="work here, and leave the corpus there for another time")
    asked = parser.parse_args()
    work = asked.keep or Path(tempfile.mkdtemp(prefix="bioscan-upgrade-"))
    output, package = work / "out", work / "package"
    shutil.rmtree(package, ignore_errors=True)
    for name in ("bioscan_etl", "assets", "sensors"):
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    if not (output / "landing").exists():
        demo = ["demo", "--output", str(output), "--specimens", str(asked.images)]
        subprocess.run([sys.executable, "-m", "bioscan_etl.cli", *demo], check=True, cwd=package)
    first = _run(package, output)
    again = _run(package, output)
    template = package / TEMPLATE
    template.write_text(template.read_text(encoding="utf-8").replace("</body>", "<!-- upgraded --></body>"))
    away = []
    for folder in [*output.glob("landing/*/images"), *output.glob("landing/*/*.zip")]:
        if folder.name != "records.zip":
            away.append((folder, folder.with_name(f"{folder.name}.away")))
    trace = work / "trace.txt" if shutil.which("strace") else None
    for here, there in away:
        here.rename(there)
    try:
        upgraded = _run(package, output)
        opened = "not counted: strace is not installed"
        if trace is not None:
            template.write_text(template.read_text(encoding="utf-8").replace("upgraded", "upgraded again"))
            _run(package, output, trace)
            opened = str(_opened(trace))
    finally:
        for here, there in away:
            there.rename(here)
    releases = sorted(path.name for path in (output / "releases").glob("v*"))
    print(f"images: about {asked.images:,} (synthetic); releases after all: {', '.join(releases)}")
    print(f"first run, everything made:  {first:9.1f} s")
    print(f"same run again:              {again:9.1f} s")
    print(f"new report template:         {upgraded:9.1f} s   {first / upgraded:.0f} times faster than everything anew")
    print(f"images and crops opened by the upgrade: {opened}")
    if asked.keep is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
