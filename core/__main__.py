"""python -m core: the studio without a browser."""

import sys

if __name__ == "__main__":
    try:
        from core.cli import app

        app()
    except KeyboardInterrupt:
        # While the libraries were imported: a second or two.
        sys.exit(130)
