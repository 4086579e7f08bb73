"""python -m core: the studio without a browser."""

from core import cli_verify  # noqa: F401 - adds its command
from core.cli import app

if __name__ == "__main__":
    app()
