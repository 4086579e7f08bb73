"""The kernels of a run are recorded, and a picture is made again in those on its record, whatever is usual by then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from core.domain.errors import GenerationCancelled
from core.domain.generation import Phase, Verdict
from core.domain.hashing import pixels_sha256
from core.engine import card, device, pipelines
from core.engine.card import Card
from core.engine.diffusers_inpainter import DiffusersInpainter
from core.engine.run.kernels import NOT_CHOSEN, Kernels, Running
from tests.engine.test_lora_generations import painted, started, verified
from tests.engine.tiny import a_working_request

AMPERE = Card("a made-up card", (8, 6))
WRITTEN_OUT = Kernels(attention=("math",))
CHANNELS_LAST = Kernels(channels_last=True)
COMPILED = Kernels(compiled=True)


@pytest.fixture
def usually(loaded, models) -> Callable[..., DiffusersInpainter]:
    """usually(kernels) -> an inpainter of its own in which these are the usual ones."""

    def make(kernels: Kernels, **more) -> DiffusersInpainter:
        found = loaded(models(in_channels=9))
        found._running = Running(found._pipe.unet, kernels, **more)
        return found

    return make


@pytest.fixture
def nine(usually) -> DiffusersInpainter:
    return usually(NOT_CHOSEN)


def run(inpainter, recorded=None, **params):
    return inpainter.inpaint(replace(a_working_request(**params), recorded=recorded or {}), lambda report: None)


@pytest.mark.parametrize("kernels", [WRITTEN_OUT, CHANNELS_LAST])
def test_a_picture_is_made_again_in_the_kernels_on_its_record(nine, usually, kernels):
    again = usually(kernels)
    plain, other = run(nine), run(again)
    of_both = {pixels_sha256(one.image): one.record for one in (plain, other)}

    assert plain.record["latents_sha256"] != other.record["latents_sha256"]
    for pixels, record in of_both.items():
        found = [run(inpainter, record) for inpainter in (again, nine, again)]
        assert {pixels_sha256(one.image) for one in found} == {pixels}
        assert [Kernels.recorded(one.record) for one in found] == [Kernels.recorded(record)] * 3


def test_what_is_as_it_was_before_there_was_a_choice_is_not_recorded(nine):
    assert not NOT_CHOSEN.record
    assert not {"attention_kernels", "channels_last", "compiled"} & set(run(nine).record)


@pytest.mark.parametrize(
    "record",
    [
        {"attention_kernels": "flash", "channels_last": 1, "compiled": "yes"},
        {"attention_kernels": ["flash", {"a": 1}], "channels_last": None},
        {"attention_kernels": ["rm -rf"], "compiled": []},
    ],
)
def test_what_is_malformed_in_a_record_counts_as_not_there(record):
    assert Kernels.recorded(record) == NOT_CHOSEN


def test_a_cancelled_run_leaves_torch_as_it_was(usually):
    import torch

    def cancel(report):
        if report.phase is Phase.DENOISING:
            raise GenerationCancelled

    before = torch.nn.attention._cur_sdpa_kernel_backends(with_priority=True)
    with pytest.raises(GenerationCancelled):
        usually(WRITTEN_OUT).inpaint(a_working_request(), cancel)

    assert torch.nn.attention._cur_sdpa_kernel_backends(with_priority=True) == before


def test_one_that_cannot_be_compiled_any_more_runs_as_it_is_and_says_so(nine):
    assert "compiled" not in run(nine, COMPILED.record).record


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler on a processor")
def test_what_is_compiled_gives_the_same_bits_after_other_sizes_and_is_left_at_once(nine, usually):
    plain = run(nine)
    compiled = usually(COMPILED)
    first = run(compiled)

    compiled.inpaint(a_working_request(96, 64), lambda report: None)
    again, later = run(compiled, first.record), run(usually(NOT_CHOSEN, can_compile=True), first.record)

    assert first.record["compiled"] is True
    assert {pixels_sha256(one.image) for one in (first, again, later)} == {pixels_sha256(first.image)}
    assert first.record["latents_sha256"] != plain.record["latents_sha256"]
    assert pixels_sha256(run(compiled, plain.record).image) == pixels_sha256(plain.image)


@pytest.mark.parametrize(("then", "now"), [(AMPERE, None), (None, AMPERE)])
def test_what_was_painted_on_one_card_verifies_exact_where_other_kernels_are_usual(
    settings, models, monkeypatch, then, now
):
    """The processor stands for the cards: it has the same kernels of attention, and the same layouts."""
    monkeypatch.setattr(device, "_bfloat16_units", lambda: "avx512_bf16")
    monkeypatch.setattr(device, "card", lambda where: then)
    generation = painted(started(settings), models(in_channels=9), dtype="bfloat16")

    monkeypatch.setattr(device, "card", lambda where: now)
    found = verified(started(settings), generation.id)

    chosen = Kernels.recorded(generation.record.inpainter.raw)
    assert chosen == (Kernels(("flash", "efficient", "math"), channels_last=True) if then else NOT_CHOSEN)
    assert found.reproduction.verdict is Verdict.EXACT
    assert found.reproduction.changes == ()
    assert ("channels_last" in found.restored) == bool(then)


def test_a_transformer_whose_layers_come_in_groups_paints_the_same_picture(transformer):
    inpainter = transformer("Stable Diffusion 3")
    before = run(inpainter)

    pipelines.place_by_group(inpainter._pipe, "cpu", pins_ahead=False)

    assert pixels_sha256(run(inpainter).image) == pixels_sha256(before.image)


def test_on_a_card_a_pipeline_is_placed_as_its_setting_says(monkeypatch):
    calls = []
    monkeypatch.setattr(pipelines, "place_by_group", lambda pipe, where, pins_ahead: calls.append("group"))

    class Pipe:
        def __getattr__(self, name):
            return lambda *args, **kwargs: calls.append(name)

    where = device.Device("cuda:0", "a card", "float16")
    placed = [
        pipelines.place(Pipe(), where, {part: 1}, wish, native_px=512)
        for part in ("unet", "transformer")
        for wish in (card.WHOLE, card.BY_PART, card.BY_LAYER, card.BY_GROUP)
    ]

    assert placed == ["whole", "model", "sequential", "sequential", "whole", "model", "sequential", "group"]
    assert calls == [
        *("to", "enable_model_cpu_offload", "enable_sequential_cpu_offload", "enable_sequential_cpu_offload"),
        *("to", "enable_model_cpu_offload", "enable_sequential_cpu_offload", "group"),
    ]
