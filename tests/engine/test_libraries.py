"""What the engine's libraries cost a process, asked in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def in_a_process(code: str, *arguments: str) -> list[str]:
    """The lines that it prints."""
    asked = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.splitlines()


def test_a_picture_is_painted_without_a_compiler_and_without_optimizers():
    said = in_a_process(
        "import sys\n"
        "from core.engine.diffusers_inpainter import load\n"
        "from core.engine.models.catalogue import Catalogue\n"
        "from core.settings import Settings\n"
        "from tests.engine.tiny import a_working_request\n"
        "settings = Settings(_env_file=None, device='cpu')\n"
        "inpainter = load('pocket-inpaint', 'cpu', Catalogue(settings), settings)\n"
        "inpainter.inpaint(a_working_request(), lambda report: None)\n"
        "unused = ('torch._dynamo.eval_frame', 'torch._inductor', 'scipy.optimize', 'scipy.stats._stats_py')\n"
        "print([name for name in unused if name in sys.modules])"
    )

    assert said == ["[]"]


def test_what_was_left_out_is_imported_as_soon_as_it_is_used():
    said = in_a_process(
        "from core.engine.loading import warm_up\n"
        "warm_up()\n"
        "import torch\n"
        "from diffusers import EulerDiscreteScheduler\n"
        "scheduler = EulerDiscreteScheduler(use_beta_sigmas=True)\n"
        "scheduler.set_timesteps(3)\n"
        "print(len(scheduler.timesteps))\n"
        "print(torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item())\n"
        "from diffusers.utils.torch_utils import is_compiled_module\n"
        "layer = torch.nn.Linear(1, 1)\n"
        "print(is_compiled_module(layer), is_compiled_module(torch.compile(layer)))"
    )

    assert said == ["3", "2.0", "False True"]


@pytest.mark.skipif(sys.platform != "linux", reason="how much a process has is read from /proc")
def test_closing_a_large_model_gives_its_memory_back_to_the_system(tmp_path):
    said = in_a_process(
        "import sys, torch\n"
        "import psutil\n"
        "from diffusers import UNet2DConditionModel\n"
        "from core.engine.diffusers_inpainter import load\n"
        "from core.engine.models.catalogue import Catalogue\n"
        "from core.settings import Settings\n"
        "from tests.engine.tiny import a_working_request, save_pipeline\n"
        "folder, settings = save_pipeline(sys.argv[1]), Settings(_env_file=None, device='cpu')\n"
        "unet = UNet2DConditionModel(sample_size=8, in_channels=9, out_channels=4, block_out_channels=(640, 1280),\n"
        "    layers_per_block=1, down_block_types=('DownBlock2D',) * 2, up_block_types=('UpBlock2D',) * 2,\n"
        "    cross_attention_dim=16)\n"
        "unet.save_pretrained(folder + '/unet')\n"
        "print(sum(p.numel() * 4 for p in unet.parameters()))\n"
        "del unet\n"
        "process = psutil.Process()\n"
        "def paint(model):\n"
        "    inpainter = load(model, 'cpu', Catalogue(settings), settings)\n"
        "    inpainter.inpaint(a_working_request(), lambda report: None)\n"
        "    during = process.memory_info().rss\n"
        "    inpainter.close()\n"
        "    return during\n"
        "paint('pocket-inpaint')\n"
        "before = process.memory_info().rss\n"
        "print(before, paint(folder), process.memory_info().rss)",
        str(tmp_path / "model"),
    )

    weights = int(said[0])
    before, during, after = map(int, said[1].split())
    assert weights > 400e6
    assert during > before + 0.9 * weights
    assert after < before + 30e6
