"""python -m core: the studio without a browser."""

import os
import sys

from core.interrupts import send_again_what_is_dropped

# Read when torch loads OpenMP. Its threads would spin while they wait for each other, and where somebody else needs a
# core that costs both: a picture took 14 s instead of 1.2 s beside three busy programs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Read when numpy and scipy load it. For each of its threads each of both sets 32 to 64 MB aside, of which what we have
# them solve uses nothing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if __name__ == "__main__":
    send_again_what_is_dropped()
    try:
        from core.cli import app

        app()
    except KeyboardInterrupt:
        # While the libraries were imported: a second or two.
        sys.exit(130)
