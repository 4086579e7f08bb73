"""python -m core with stand-ins for the models, as a process of its own: for tests that send signals to it.

Environment: PAINTING_STEP_S, the seconds of a step; PAINTING_LOAD_S, of loading. Neither can be interrupted.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.cli import app
from core.cli.common import open_studio
from tests.fakes import FakeCatalogue, FakeInpainter, FakeLoader


class SlowInpainter(FakeInpainter):
    def inpaint(self, request, on_step):
        def slow_step(report) -> None:
            time.sleep(float(os.environ.get("PAINTING_STEP_S", "0")))
            on_step(report)

        return super().inpaint(request, slow_step)


def load(model: str, device: str) -> FakeInpainter:
    time.sleep(float(os.environ.get("PAINTING_LOAD_S", "0")))
    return FakeLoader(SlowInpainter())(model, device)


app(obj=lambda: open_studio(load=load, catalogue=FakeCatalogue(), resolve_device=lambda wish: "cpu"))
