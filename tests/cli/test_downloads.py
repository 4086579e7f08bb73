"""Downloads in a worker's process of its own, from a stand-in for the hub."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.cli.common import open_studio
from core.domain.download import DownloadStatus
from core.settings import Settings
from tests.engine.loopback_hub import LoopbackHub, serving
from tests.engine.tiny import save_pipeline

ROOT = Path(__file__).parents[2]
MODEL = "somebody/tiny-inpainting"
PATIENCE_S = 120


def until(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_killed_worker_s_download_is_gone_on_with_by_the_next_one_and_nobody_needs_to_look_on(tmp_path, monkeypatch):
    with serving(LoopbackHub()) as hub:
        hub.add(MODEL, save_pipeline(tmp_path / "model", in_channels=9))
        environment = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "hub")}
        environment |= {"INPAINT_STUDIO_DATA": str(tmp_path / "data"), "INPAINT_STUDIO_DEVICE": "cpu"}
        monkeypatch.setenv("INPAINT_STUDIO_DATA", str(tmp_path / "data"))
        studio = open_studio(Settings(_env_file=None))
        # Everything that is asked for fails for now.
        hub.status = 503
        studio.downloads.ask(MODEL)

        def worker() -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-m", "core", "worker"], cwd=ROOT, env=os.environ | environment)

        first = worker()
        until(lambda: studio.downloads.get(MODEL).status is DownloadStatus.FAILED)
        hub.status, hub.cut_after = 200, None
        studio.downloads.repo.resume(MODEL, studio.downloads.now())
        until(lambda: studio.downloads.get(MODEL).status in (DownloadStatus.RUNNING, DownloadStatus.SUCCEEDED))
        first.send_signal(signal.SIGKILL)
        first.wait(PATIENCE_S)
        second = worker()
        try:
            until(lambda: studio.downloads.get(MODEL).status is DownloadStatus.SUCCEEDED)
        finally:
            second.send_signal(signal.SIGTERM)
            assert second.wait(PATIENCE_S) == 0

    assert (tmp_path / "hub" / "hub" / "models--somebody--tiny-inpainting" / "refs" / "main").exists()
