"""One model in memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.domain.errors import ModelNotDownloaded
from core.services.model_cache import ModelCache
from tests.fakes import FakeInpainter


class Loader:
    """loads: what was loaded, and how many loaded models were open at that moment."""

    def __init__(self) -> None:
        self.loaded: list[FakeInpainter] = []
        self.loads: list[tuple[str, str, int]] = []

    def __call__(self, model: str, device: str, *, dtype: str = "auto", smaller: bool = False) -> FakeInpainter:
        self.loads.append((model, device, sum(not inpainter.closed for inpainter in self.loaded)))
        self.loaded.append(FakeInpainter(model, device))
        return self.loaded[-1]


def test_a_model_is_loaded_once_and_kept():
    load = Loader()
    models = ModelCache(load)

    assert models("a", "cpu") is models("a", "cpu")
    assert load.loads == [("a", "cpu", 0)]


@pytest.mark.parametrize("other", [("b", "cpu"), ("a", "cuda:0")])
def test_another_model_or_device_is_loaded_only_after_the_last_one_was_closed(other):
    load = Loader()
    models = ModelCache(load)

    for key in (("a", "cpu"), other, ("a", "cpu")):
        models(*key)

    assert load.loads == [("a", "cpu", 0), (*other, 0), ("a", "cpu", 0)]
    assert [inpainter.closed for inpainter in load.loaded] == [1, 1, 0]


def test_what_is_to_take_less_memory_is_loaded_again_and_so_is_what_may_take_more():
    load = Loader()
    models = ModelCache(load)

    whole = models("a", "cpu")
    small = models("a", "cpu", smaller=True)

    assert models("a", "cpu", smaller=True) is small
    assert models("a", "cpu") not in (whole, small)
    assert [inpainter.closed for inpainter in load.loaded] == [1, 1, 0]


def test_two_threads_that_ask_at_the_same_time_get_the_same_model():
    load, together = Loader(), threading.Barrier(2)
    models = ModelCache(load)

    def ask() -> FakeInpainter:
        together.wait(20)
        return models("a", "cpu")

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(ask), threads.submit(ask)

    assert first.result() is second.result()
    assert len(load.loads) == 1


def test_it_tells_what_it_holds_from_the_moment_that_it_is_loaded():
    seen = []
    models = ModelCache(lambda *key, **how: seen.append(models.loaded == key) or FakeInpainter(*key))
    before = models.loaded

    models("a", "cpu")

    assert (before, seen, models.loaded) == (None, [True], ("a", "cpu"))


def test_after_a_model_that_cannot_be_loaded_nothing_is_held_and_the_next_one_is_loaded():
    answers = iter([ModelNotDownloaded(), FakeInpainter("a")])

    def load(model: str, device: str, *, dtype: str, smaller: bool) -> FakeInpainter:
        answer = next(answers)
        if isinstance(answer, ModelNotDownloaded):
            raise answer
        return answer

    models = ModelCache(load)

    with pytest.raises(ModelNotDownloaded):
        models("a", "cpu")
    held = models.loaded

    assert held is None
    assert models("a", "cpu").model.key == "a"


def test_closed_it_gives_the_memory_back_and_loads_again_when_it_is_asked():
    load = Loader()
    models = ModelCache(load)
    models("a", "cpu")

    models.close()
    models.close()

    assert load.loaded[0].closed == 1
    assert models("a", "cpu") is load.loaded[1]
