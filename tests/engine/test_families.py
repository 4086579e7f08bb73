"""Every family that diffusers can repaint with goes the same road: tiny pipelines of the real classes."""

from __future__ import annotations

import inspect
import logging
import warnings
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from core.domain.environment import Device
from core.domain.errors import InvalidParams, ModelUnavailable, NotAnInpaintingModel
from core.domain.model import LoadedModel
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan
from core.engine import device as devices
from core.engine import families
from core.engine.diffusers_inpainter import DiffusersInpainter, load
from core.engine.models.catalogue import Catalogue
from tests.engine.tiny import SIDE, a_picture, a_working_request, save_instruct_pipeline, save_xl_pipeline
from tests.engine.tiny_transformers import PIPELINES, qwen_edit

KANDINSKY = "Kandinsky 2.2"
TRANSFORMERS = sorted(PIPELINES)
OWN_SCHEDULER = [KANDINSKY, *TRANSFORMERS]
INSTRUCT = "InstructPix2Pix"
ALL = ["Stable Diffusion XL, 4 channels", "Stable Diffusion XL, 9 channels", INSTRUCT, *OWN_SCHEDULER]

QUICK = ("FLUX.1", KANDINSKY, "Stable Diffusion XL, 9 channels")
"""With packed latents, of two repositories, and neither: they stand for the others where time is short; CI runs all."""

SOME = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ALL]

GUIDED = [INSTRUCT] + [
    name for name in OWN_SCHEDULER if name not in ("FLUX.1", "FLUX.1 Fill", "FLUX.1 Kontext", "FLUX.2 klein")
]
"""Those that know a negative prompt."""


@pytest.fixture(scope="module")
def tiny(transformer, kandinsky, tmp_path_factory):
    """The inpainter over a tiny pipeline of a family."""
    made = {}

    def of(name: str):
        if name == KANDINSKY:
            return kandinsky
        if name in TRANSFORMERS:
            return transformer(name)
        if name not in made:
            from core.settings import Settings

            settings = Settings(_env_file=None, threads=1, device="cpu", HF_TOKEN=None)
            folder = tmp_path_factory.mktemp("unet")
            if name == INSTRUCT:
                save_instruct_pipeline(folder)
            else:
                save_xl_pipeline(folder, in_channels=4 if "4" in name else 9)
            made[name] = load(str(folder), "cpu", Catalogue(settings), settings)
        return made[name]

    return of


def paint(inpainter, *, degree: Mask | None = None, on_step=lambda report: None, **params):
    return inpainter.inpaint(replace(a_working_request(**params), degree=degree), on_step)


def pixels(*args, **kwargs) -> np.ndarray:
    return np.asarray(paint(*args, **kwargs).image, float)


def usual(value: int) -> Mask:
    """The usual mask of a working request, with this degree all over."""
    return Mask(np.where(a_working_request().mask.pixels > 0, np.uint8(value), np.uint8(0)))


def test_every_pipeline_of_the_table_is_there_and_takes_a_mask_unless_the_table_says_otherwise():
    import diffusers

    for family in families.FAMILIES:
        takes = inspect.signature(getattr(diffusers, family.pipeline).__call__).parameters
        assert "image" in takes, family.title
        for name in ("mask_image", "width", "height"):
            assert (name in takes) == (name not in family.without), family.title


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: family.title)
def test_what_is_recommended_is_what_the_pipeline_itself_would_take(family):
    import diffusers

    defaults = inspect.signature(getattr(diffusers, family.pipeline).__call__).parameters

    assert defaults["num_inference_steps"].default == family.steps
    assert defaults[family.guidance].default == family.guidance_scale
    assert (defaults["strength"].default == family.strength) if family.takes_strength else "strength" not in defaults
    InpaintParams(**family.recommended({}))


@pytest.mark.parametrize(("is_distilled", "steps"), [(True, 4), (False, 50), ("true", 50)])
def test_a_distilled_klein_gets_the_few_steps_that_it_was_distilled_for(is_distilled, steps):
    recommended = families.named("FLUX.2 klein").recommended({"is_distilled": is_distilled})

    assert recommended["num_inference_steps"] == steps


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: family.title)
def test_a_family_is_known_by_each_class_that_its_folders_may_name(family):
    import diffusers

    for name in (family.pipeline, *family.saved_as):
        assert families.of({"_class_name": name}) is family
        assert hasattr(diffusers, name), name


@pytest.mark.parametrize(
    "name",
    ["WanPipeline", "KandinskyV22Pipeline", "KandinskyInpaintPipeline", "IFInpaintingPipeline", None, ["FluxPipeline"]],
)
def test_other_kinds_are_refused_with_the_families_that_can(name):
    with pytest.raises(NotAnInpaintingModel, match=r"cannot repaint.*FLUX\.1 Fill.*Z-Image"):
        families.of({"_class_name": name})


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", ALL)
def test_the_same_request_gives_the_same_bits_and_another_seed_others(tiny, name):
    reports = []
    first, again = paint(tiny(name), seed=1, on_step=reports.append), paint(tiny(name), seed=1)
    other = paint(tiny(name), seed=2)

    assert first.image.tobytes() == again.image.tobytes()
    assert first.image.tobytes() != other.image.tobytes()
    assert first.image.size == (SIDE, SIDE)
    assert first.record["pipeline"] == families.of({"_class_name": first.record["pipeline"]}).pipeline
    assert first.record["model_calls"] == first.record["effective_steps"] == len(first.record["timesteps"]) == 4
    assert first.record["noise_sha256"] != other.record["noise_sha256"] != ""
    assert (reports[-1].step, reports[-1].total) == (4, 4)
    assert all(report.preview for report in reports[1:2])


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", [name for name in SOME if not {KANDINSKY, INSTRUCT} & set(name.values)])
def test_a_lower_strength_runs_fewer_steps_and_stays_nearer(tiny, name):
    reports = []
    some = paint(tiny(name), strength=0.5, on_step=reports.append)

    assert some.record["model_calls"] == 2
    assert {report.total for report in reports} == {2}
    assert some.image.tobytes() != paint(tiny(name)).image.tobytes()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", SOME)
def test_guidance_and_prompt_have_their_effect(tiny, name):
    plain = pixels(tiny(name))

    assert not np.array_equal(plain, pixels(tiny(name), prompt="another thing"))
    assert not np.array_equal(plain, pixels(tiny(name), guidance_scale=6.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", GUIDED)
def test_a_negative_prompt_has_its_effect(tiny, name):
    assert not np.array_equal(pixels(tiny(name)), pixels(tiny(name), negative_prompt="blurred"))
    assert np.array_equal(pixels(tiny(name), guidance_scale=1.0), pixels(tiny(name), guidance_scale=1.0))


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", [name for name in TRANSFORMERS if name not in GUIDED])
def test_where_a_negative_prompt_has_none_the_family_says_so(tiny, name):
    assert "negative_prompt" in families.of({"_class_name": tiny(name).model.details["pipeline"]}).unused
    assert np.array_equal(pixels(tiny(name)), pixels(tiny(name), negative_prompt="blurred"))


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", SOME)
def test_near_seeds_start_from_near_noise(tiny, name):
    plain, near, far = (pixels(tiny(name), variation_strength=share, variation_seed=9) for share in (0.0, 0.02, 1.0))

    assert 0 < np.abs(near - plain).mean() < np.abs(far - plain).mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_a_soft_mask_keeps_more_the_less_may_change(tiny, name):
    hard = paint(tiny(name), num_inference_steps=8)
    full, weak = (paint(tiny(name), num_inference_steps=8, degree=usual(value)) for value in (255, 20))

    assert full.image.tobytes() == hard.image.tobytes()
    assert weak.image.tobytes() != hard.image.tobytes()
    assert weak.record["noise_sha256"] == hard.record["noise_sha256"]


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", SOME)
def test_nothing_outside_the_mask_changes(tiny, name):
    picture = a_picture(160, 120)
    on = np.zeros((120, 160), np.uint8)
    on[40:80, 50:110] = 255
    request = InpaintRequest(picture, Mask(on), InpaintParams(prompt="a ball", size=64, num_inference_steps=2))
    plan = Plan.of(request, tiny(name).model.cell)

    working = plan.working_request(tiny(name).model.cell)
    result = plan.finish(tiny(name).inpaint(working, lambda report: None).image)

    outside = plan.blend_mask.pixels == 0
    assert (np.asarray(result)[outside] == np.asarray(picture)[outside]).all()
    assert (np.asarray(result)[~outside] != np.asarray(picture)[~outside]).any()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", OWN_SCHEDULER)
def test_these_models_run_with_their_own_scheduler_only(tiny, name):
    with pytest.raises(InvalidParams, match="their own scheduler"):
        paint(tiny(name), scheduler="euler")


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", OWN_SCHEDULER)
def test_weights_in_a_prompt_are_refused_with_a_message(tiny, name):
    with pytest.raises(InvalidParams, match="cannot take weights"):
        paint(tiny(name), prompt="(a red)1.3 ball", prompt_weights=True)


@pytest.mark.parametrize("name", OWN_SCHEDULER)
@pytest.mark.slow_but_first
def test_a_size_between_two_tokens_is_refused(tiny, name):
    with pytest.raises(InvalidParams, match="multiples of 64" if name == KANDINSKY else "multiples of 16"):
        tiny(name).inpaint(a_working_request(72, 64), lambda report: None)


@pytest.mark.slow
@pytest.mark.parametrize("title", ["Qwen-Image-Edit", "Qwen-Image-Edit Plus"])
def test_qwen_image_edit_chooses_a_size_of_its_own_and_gives_back_ours(title):
    family = families.named(title)
    model = LoadedModel("tiny", None, "", "cpu", "float32", cell=16, native_px=1024, load_s=0)
    inpainter = DiffusersInpainter(qwen_edit(family.pipeline), family, model, Device("cpu", "", "float32"), threads=1)

    first, again, soft = (paint(inpainter, num_inference_steps=2, degree=degree) for degree in (None, None, usual(20)))

    assert first.image.size == (SIDE, SIDE)
    assert first.image.tobytes() == again.image.tobytes() != soft.image.tobytes()


def test_a_family_that_needs_a_package_which_is_not_there_says_so():
    if find_spec("torchvision"):
        pytest.skip("torchvision is installed")

    with pytest.raises(ModelUnavailable, match="need the package torchvision"):
        families.of({"_class_name": "QwenImageEditPipeline"}).check()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("kind", ["4 channels", "9 channels"])
def test_half_precision_takes_soft_masks_near_seeds_and_previews_and_says_nothing(
    monkeypatch, settings, kind, tmp_path
):
    monkeypatch.setattr(devices, "resolve", lambda key: Device("cpu", "", "float16"))
    folder = save_xl_pipeline(tmp_path / "xl", in_channels=int(kind[0]))
    inpainter = load(str(folder), "cpu", Catalogue(settings), settings)
    said, previews = [], []
    listener = logging.Handler()
    listener.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("diffusers").addHandler(listener)

    with warnings.catch_warnings(record=True) as warned:
        paint(
            inpainter, degree=usual(120), variation_strength=0.3, on_step=lambda report: previews.append(report.preview)
        )

    logging.getLogger("diffusers").removeHandler(listener)
    assert inpainter.model.dtype == "float16"
    assert any(previews)
    assert (said, [str(warning.message) for warning in warned]) == ([], [])


def test_on_a_card_the_transformers_compute_in_bfloat16():
    card, old_card = Device("cuda:0", "a card", "float16"), Device("cuda:1", "a card", "float32")
    dtypes = {family.title: family.dtype(card) for family in families.FAMILIES}

    with_unet = [dtypes.pop(title) for title in ("Stable Diffusion", "Stable Diffusion XL", INSTRUCT, KANDINSKY)]
    assert with_unet == ["float16"] * 4
    assert set(dtypes.values()) == {"bfloat16"}
    assert {family.dtype(Device("cpu", "a processor", "float32")) for family in families.FAMILIES} == {"float32"}
    assert {family.dtype(old_card) for family in families.FAMILIES} == {"bfloat16", "float32"}
