"""python -m core with stand-ins for the models, as a process of its own: for tests that send signals to it.

Environment: PAINTING_STEP_S, the seconds of a step; PAINTING_LOAD_S, of loading. Neither can be interrupted.
PAINTING_TIMEOUT_FACTOR: so much shorter than usual it may take. The second step of what has HANGS as its prompt takes
ten minutes; of what has LOCKS, it lets no other thread of Python run meanwhile.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from core import bootstrap
from core.cli import app
from core.cli.common import open_studio
from core.settings import Settings
from tests.fakes import FakeCatalogue, FakeInpainter, FakeLoader

HANGS, LOCKS = "it hangs", "it hangs and locks"


class SlowInpainter(FakeInpainter):
    def inpaint(self, request, on_step):
        def slow_step(report) -> None:
            time.sleep(float(os.environ.get("PAINTING_STEP_S", "0")))
            if report.step == 2 and request.params.prompt == HANGS:
                time.sleep(600)
            if report.step == 2 and request.params.prompt == LOCKS:
                ctypes.PyDLL(None).sleep(600)
            on_step(report)

        return super().inpaint(request, slow_step)


def load(model: str, device: str, **how: object) -> FakeInpainter:
    time.sleep(float(os.environ.get("PAINTING_LOAD_S", "0")))
    return FakeLoader(SlowInpainter())(model, device)


def settings() -> Settings:
    """With a factor that is none of a user's."""
    return Settings().model_copy(update={"timeout_factor": float(os.environ.get("PAINTING_TIMEOUT_FACTOR", "1"))})


if __name__ == "__main__":
    # The stand-ins need none of the engine's libraries.
    bootstrap.warm_up = lambda: None
    app(obj=lambda: open_studio(settings(), load=load, catalogue=FakeCatalogue(), resolve_device=lambda wish: "cpu"))
