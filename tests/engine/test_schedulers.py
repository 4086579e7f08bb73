from __future__ import annotations

import json

import pytest

from core.domain.errors import InvalidParams
from core.domain.generation import Phase
from core.domain.hashing import canonical_json, pixels_sha256
from core.domain.params import MODEL_DEFAULT, SCHEDULERS
from core.engine.run import schedulers
from tests.engine.tiny import a_working_request

KINDS = {
    "epsilon": None,
    "v-prediction": {"prediction_type": "v_prediction"},
    "zero-snr": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
}


def own(**settings):
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1, **settings
    )


def test_every_key_of_the_domain_has_a_class():
    assert set(schedulers.CLASSES) | {MODEL_DEFAULT} == set(SCHEDULERS)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "strength"), [(9, 1.0), (4, 0.55)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", SCHEDULERS)
def test_every_scheduler_paints_a_picture_or_says_why_it_cannot(shared, key, kind, channels, strength):
    inpainter = shared(in_channels=channels, scheduler=KINDS[kind])
    request = a_working_request(scheduler=key, num_inference_steps=4, strength=strength)
    reports = []

    if kind == "zero-snr" and key in schedulers.WITHOUT_ZERO_SNR:
        with pytest.raises(InvalidParams, match="Choose another one"):
            inpainter.inpaint(request, reports.append)
        return
    result = inpainter.inpaint(request, reports.append)
    again = inpainter.inpaint(request, lambda report: None)

    assert len(result.image.getcolors(64 * 64)) > 100, "a picture, not one flat colour"
    assert pixels_sha256(again.image) == pixels_sha256(result.image)
    steps = [(report.step, report.total) for report in reports if report.phase is Phase.DENOISING]
    assert steps == sorted(steps)
    assert steps[-1] == (result.record["effective_steps"],) * 2 == (reports[0].total,) * 2
    assert len(steps) == result.record["model_calls"]
    assert json.loads(canonical_json(result.record))["scheduler"]["class"]


@pytest.mark.parametrize("key", sorted(set(SCHEDULERS) - {"pndm"}))
@pytest.mark.parametrize(("steps", "strength"), [(1, 1.0), (20, 1.0), (20, 0.3), (7, 0.99), (50, 0.02)])
def test_the_steps_really_run_are_the_ones_that_the_params_promise(key, steps, strength):
    scheduler = schedulers.fresh(key, own())

    calls = schedulers.planned(scheduler, num_inference_steps=steps, strength=strength)

    assert schedulers.steps_of(len(calls), scheduler.order) == int(steps * strength)


def test_pndm_runs_one_step_more_than_asked_for():
    calls = schedulers.planned(schedulers.fresh("pndm", own()), num_inference_steps=20, strength=1.0)

    assert len(calls) == 21


@pytest.mark.parametrize("key", SCHEDULERS)
def test_each_run_gets_a_new_object_that_keeps_what_the_model_was_trained_with(key):
    trained = own(prediction_type="v_prediction", timestep_spacing="trailing")

    first, second = schedulers.fresh(key, trained), schedulers.fresh(key, trained)

    assert first is not second
    assert first is not trained
    kept = ("beta_start", "beta_end", "beta_schedule", "prediction_type", "timestep_spacing")
    assert [first.config[name] for name in kept] == [trained.config[name] for name in kept]
    assert first.config.get("clip_sample", False) is False


def test_karras_sigmas_are_used_where_the_key_says_so_and_nowhere_else():
    from diffusers import EulerDiscreteScheduler

    karras = EulerDiscreteScheduler(beta_schedule="scaled_linear", use_karras_sigmas=True)

    fresh = {key: schedulers.configuration(schedulers.fresh(key, karras)) for key in schedulers.CLASSES}

    assert [key for key, values in fresh.items() if values.get("use_karras_sigmas")] == ["dpmpp-2m-karras"]
    assert schedulers.fresh(MODEL_DEFAULT, karras).config.use_karras_sigmas


def test_more_steps_than_lcm_has_are_refused_with_a_message():
    with pytest.raises(InvalidParams, match="LCM cannot run 60 steps"):
        schedulers.planned(schedulers.fresh("lcm", own()), num_inference_steps=60, strength=1.0)


def test_heun_counts_steps_and_not_model_calls(nine):
    reports = []

    result = nine.inpaint(a_working_request(scheduler="heun", num_inference_steps=5), reports.append)

    assert [r.step for r in reports if r.phase is Phase.DENOISING] == [0, 1, 1, 2, 2, 3, 3, 4, 5]
    assert (result.record["effective_steps"], result.record["model_calls"]) == (5, 9)


def test_the_configuration_of_every_scheduler_is_plain_json():
    for key in SCHEDULERS:
        configuration = schedulers.configuration(schedulers.fresh(key, own(trained_betas=[0.001, 0.002])))

        assert json.loads(canonical_json(configuration)) == configuration
        assert configuration["trained_betas"] == [0.001, 0.002]


def test_a_recorded_configuration_gives_the_same_scheduler_again():
    for key in SCHEDULERS:
        recorded = schedulers.configuration(schedulers.fresh(key, own(timestep_spacing="trailing")))

        restored = schedulers.as_recorded(schedulers.fresh(key, own()), json.loads(canonical_json(recorded)))

        assert schedulers.configuration(restored) == recorded


def test_a_scheduler_whose_library_is_missing_is_refused_with_a_message(monkeypatch):
    import diffusers

    class Dummy:
        @classmethod
        def from_config(cls, *args, **kwargs):
            raise ImportError("LMSDiscreteScheduler requires the scipy library but it was not found")

    monkeypatch.setattr(diffusers, "LMSDiscreteScheduler", Dummy, raising=False)

    with pytest.raises(InvalidParams, match="scipy"):
        schedulers.fresh("lms", own())


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("ddim-trailing", [999, 749, 499, 249]),
        ("euler-trailing", [999, 749, 499, 249]),
        ("lcm", [999, 759, 499, 259]),
        ("tcd", [999, 759, 499, 259]),
    ],
)
def test_schedulers_of_few_steps_begin_at_pure_noise(key, wanted):
    timesteps = schedulers.planned(schedulers.fresh(key, own()), num_inference_steps=4, strength=1.0)

    assert [round(t) for t in timesteps] == wanted


def test_without_guidance_the_model_is_called_for_one_picture_only_and_tcd_is_told_its_eta(shared):
    inpainter, sizes = shared(in_channels=9), []
    hook = inpainter._pipe.unet.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    try:
        for guidance in (1.0, 1.01):
            request = a_working_request(scheduler="tcd", num_inference_steps=4, guidance_scale=guidance)
            record = inpainter.inpaint(request, lambda report: None).record
    finally:
        hook.remove()

    assert sizes == [1] * 4 + [2] * 4
    assert record["eta"] == 0.3
