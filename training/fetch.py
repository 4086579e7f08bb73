"""Fetch the pictures the model learns from: `python -m training.fetch [--work DIR]`.

Two npm packages, both MIT: `@lobehub/fluent-emoji-3d` (pictures) and `emojibase-data` (their names).
Needs the `npm` command. Nothing of it is committed.
"""

import argparse
import subprocess
import tarfile
from pathlib import Path

DEFAULT_WORK = Path.home() / ".cache" / "inpaint-studio" / "training"
PACKAGES = {"emoji": "@lobehub/fluent-emoji-3d@1.1.0", "names": "emojibase-data@17.0.0"}


def work_argument(parser: argparse.ArgumentParser) -> None:
    """The folder for data, caches and checkpoints; never inside the repository."""
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for data and checkpoints")


def pictures_folder(work: Path) -> Path:
    return work / "emoji" / "package" / "assets"


def names_file(work: Path) -> Path:
    return work / "names" / "package" / "en" / "data.json"


def fetch(work: Path) -> None:
    """Download and unpack whatever is missing; running it again costs nothing."""
    work.mkdir(parents=True, exist_ok=True)
    for folder, package in PACKAGES.items():
        target = work / folder
        if (target / "package").is_dir():
            continue
        packed = subprocess.run(
            ["npm", "pack", package, "--silent"], cwd=work, check=True, capture_output=True, text=True
        ).stdout.split()[-1]
        with tarfile.open(work / packed) as archive:
            archive.extractall(target, filter="data")
        (work / packed).unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    work = parser.parse_args().work
    fetch(work)
    print(f"{len(list(pictures_folder(work).glob('*.webp')))} pictures in {pictures_folder(work)}")


if __name__ == "__main__":
    main()
