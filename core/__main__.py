"""python -m core: the studio without a browser."""

from core.cli import app

if __name__ == "__main__":
    app()
