"""The dashboard's process never imports the machine learning libraries that paint, nor those that Streamlit imports for
tables and charts of its own: every page works without them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

VISIT = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        # Whether it is installed may be asked, as transformers does; to execute it is what costs 200 MB.
        if name in ("torch._C", "diffusers.pipelines", "accelerate.state", "pandas", "pyarrow", "altair"):
            raise AssertionError(name + " was imported")

sys.meta_path.insert(0, Forbidden())

from streamlit.testing.v1 import AppTest

from core.domain.files.picture import Picture
from core.domain.params import InpaintParams
from pages.ui.shell.resources import studio
from tests.browser.artist import filled_studio
from tests.conftest import a_mask, a_picture, a_request

here = studio()
painted = filled_studio(here.settings.data)
old, other = (id for steps in (1, 2) for id in painted.generations.submit(a_request(num_inference_steps=steps)))
painted.reproductions.verify([old, other])
id = here.drafts.start()
draft = here.drafts.open_picture(here.drafts.get(id), Picture(a_picture()), "photo.png")
here.drafts.save(id, draft)
params = InpaintParams(prompt="(a red apple)1.2", prompt_weights=True, size=128, num_inference_steps=2)
stored = here.generations.stored(draft.picture, a_mask(), params)
[made] = here.generations.submit(stored)
here.reproductions.overview(here.machine.environments())
assert here.models.prompt_lengths(params)["prompt"].tokens
for page, query in [
    ("Home.py", {}),
    ("pages/1_Inpaint.py", {"draft": id}),
    ("pages/2_Gallery.py", {}),
    ("pages/2_Gallery.py", {"generation": made}),
    ("pages/2_Gallery.py", {"generation": old}),
    ("pages/2_Gallery.py", {"compare": [old, other]}),
    ("pages/3_Queue.py", {}),
    ("pages/4_Reproduction.py", {}),
    ("pages/5_Statistics.py", {}),
    ("pages/6_Models.py", {}),
    ("pages/6_Models.py", {"model": "pocket-inpaint"}),
    ("pages/6_Models.py", {"view": "download"}),
]:
    app = AppTest.from_file("Home.py", default_timeout=60)
    if page != "Home.py":
        app.switch_page(page)
    app.query_params.update(query)
    app.run()
    assert not app.exception and not app.error, (page, app.exception, app.error)
    seen = {kind for kind in ("vega_lite_chart", "html") if app.get(kind)}
    assert page != "pages/5_Statistics.py" or seen == {"vega_lite_chart", "html"}, seen
from pages.ui.shell.component import serialization
assert not serialization.is_dataframe_like({"objects": [{"type": "Rect"}]})
print("visited", "torch" in sys.modules, "diffusers" in sys.modules)
"""


@pytest.mark.slow
def test_no_page_imports_what_paints_or_what_tables_of_streamlit_need(tmp_path):
    ours = {"INPAINT_STUDIO_DATA": str(tmp_path / "data"), "INPAINT_STUDIO_EMBEDDED_WORKER": "false"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INPAINT_STUDIO_")}
    visit = subprocess.run(
        [sys.executable, "-c", VISIT],
        cwd=ROOT,
        env=inherited | ours | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert visit.returncode == 0, visit.stderr[-3000:]
    assert visit.stdout.split() == ["visited", "False", "False"]
