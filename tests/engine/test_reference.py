"""IP-Adapters beside tiny pipelines of real layouts: what they change, what they leave, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image, ImageChops

from core.domain.errors import GenerationCancelled, InvalidReference
from core.domain.generation import Phase
from core.domain.guide import Guide, Role
from core.domain.model_file import Base, FileKind
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.engine.models import kinds
from core.engine.reference import encoder
from tests.engine import tiny
from tests.engine.tiny_control import net_for, write
from tests.engine.tiny_reference import EMBEDS, STATES, write_adapter, write_encoder

RED = Image.new("RGB", (40, 64), "red")
BLUE = Image.new("RGB", (64, 40), "blue")


@pytest.fixture
def ip(settings, loaded, models):
    """A model of 4 channels with adapters in the watched folders."""
    inpainter = loaded(models(in_channels=4))
    folder = settings.models / "ipadapter"
    write_adapter(folder / "look.safetensors", inpainter._pipe.unet)
    write_encoder(settings.models / "clip_vision" / "vit")
    return inpainter


def asked(*pictures, adapter="look", **changes):
    request = tiny.a_working_request()
    guides = tuple(Guide(Role.REFERENCE, at, picture) for at, picture in enumerate(pictures))
    params = {**request.params.model_dump(), "num_inference_steps": 2, "ip_adapter": adapter, **changes}
    return replace(request, params=InpaintParams(**params), guides=guides)


def painted(inpainter, request):
    return inpainter.inpaint(request, lambda report: None)


def same(one, other) -> bool:
    return ImageChops.difference(one.image, other.image).getbbox() is None


def test_a_reference_changes_the_picture_and_without_it_the_model_is_what_it_was(ip):
    before = painted(ip, asked(adapter=""))
    red, blue, again = (painted(ip, asked(picture)) for picture in (RED, BLUE, RED))
    off = painted(ip, asked(RED, ip_adapter_scale=0.0))
    after = painted(ip, asked(adapter=""))

    assert not same(red, before)
    assert not same(red, blue)
    assert same(red, again)
    assert same(off, before)
    assert same(after, before)
    [adapter], [reader] = red.record["ip_adapter"], red.record["image_encoder"]
    assert (adapter["name"], adapter["ip_adapter_scale"], reader["name"]) == ("look", 0.6, "vit")
    assert adapter["image_embeds_sha256"] != blue.record["ip_adapter"][0]["image_embeds_sha256"]
    assert "ip_adapter" not in before.record
    assert "image_encoder" not in off.record


def test_what_the_encoder_gave_is_what_the_pipeline_itself_makes_of_the_picture(ip, settings):
    import torch
    from diffusers import StableDiffusionInpaintPipeline
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    request = asked(RED, BLUE)
    ours = painted(ip, request)

    folder = settings.models / "clip_vision" / "vit"
    pipe = StableDiffusionInpaintPipeline(
        **{
            **ip._pipe.components,
            "image_encoder": CLIPVisionModelWithProjection.from_pretrained(folder),
            "feature_extractor": CLIPImageProcessor(size=28, crop_size=28),
        },
        requires_safety_checker=False,
    )
    embeds = pipe.encode_image([RED, BLUE], "cpu", 1, False)[0]

    kept = next(iter(ip._looking._embeds.values()))
    assert torch.equal(kept[1], embeds)
    assert not kept[0].any()
    assert ours.record["image_encoder"][0]["bytes"] == (folder / "model.safetensors").stat().st_size


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_a_plus_adapter_looks_at_patches(ip, settings, guidance):
    write_adapter(settings.models / "ipadapter" / "plus.safetensors", ip._pipe.unet, plus=True)

    plain = painted(ip, asked(adapter="", guidance_scale=guidance))
    plus, twice = (painted(ip, asked(RED, adapter="plus", guidance_scale=guidance)) for _ in range(2))

    assert same(plus, twice)
    assert not same(plus, plain)
    assert same(plain, painted(ip, asked(adapter="", guidance_scale=guidance)))


@pytest.mark.slow
def test_it_works_beside_a_controlnet_and_a_cancelled_run_leaves_nothing(ip, settings):
    write(settings.models / "controlnet" / "canny.safetensors", net_for(ip._pipe.unet))
    both = asked(RED, controlnet=[{"name": "canny", "hint": "canny"}])
    plain, guided = painted(ip, asked(adapter="")), painted(ip, both)

    def stop(report):
        if report.phase is Phase.DENOISING:
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        ip.inpaint(asked(BLUE), stop)

    assert not same(guided, painted(ip, asked(RED)))
    assert same(guided, painted(ip, both))
    assert same(plain, painted(ip, asked(adapter="")))


@pytest.mark.slow
def test_it_works_with_a_soft_mask(ip):
    half = Mask(tiny.a_working_request().mask.pixels // 2)
    soft, plain = replace(asked(RED), degree=half), replace(asked(adapter=""), degree=half)

    looked = painted(ip, soft)

    assert same(looked, painted(ip, soft))
    assert not same(looked, painted(ip, asked(RED)))
    assert not same(looked, painted(ip, plain))


@pytest.mark.slow
def test_the_encoder_of_the_record_is_taken_again_also_where_another_suits_too(ip, settings):
    first = painted(ip, asked(RED))
    write_encoder(settings.models / "clip_vision" / "a-newer-one", seed=9)

    newer = painted(ip, asked(RED))
    again = painted(ip, replace(asked(RED), recorded=first.record))

    assert newer.record["image_encoder"][0]["name"] == "a-newer-one"
    assert same(again, first)
    assert not same(newer, first)


def test_an_adapter_without_an_encoder_for_it_or_for_another_model_is_refused_in_words(ip, settings, models, loaded):
    folder = settings.models / "ipadapter"
    write_adapter(folder / "wide.safetensors", ip._pipe.unet, embeds=EMBEDS + 4)
    xl = loaded(tiny.save_xl_pipeline(settings.data / "xl", in_channels=4))
    write_adapter(folder / "xl.safetensors", xl._pipe.unet)

    with pytest.raises(InvalidReference, match="none that gives vectors 24 wide is on this machine"):
        painted(ip, asked(RED, adapter="wide"))
    with pytest.raises(InvalidReference, match="xl.safetensors was made for another model"):
        painted(ip, asked(RED, adapter="xl"))
    with pytest.raises(InvalidReference, match="has no reference picture"):
        painted(ip, asked())
    with pytest.raises(InvalidReference, match="gone.safetensors is not on this machine"):
        painted(ip, asked(RED, adapter="gone"))


@pytest.mark.slow
def test_xl_and_nine_channels_look_too(settings, loaded, models):
    for model in (loaded(models(in_channels=9)), loaded(tiny.save_xl_pipeline(settings.data / "xl"))):
        write_adapter(settings.models / "ipadapter" / "look.safetensors", model._pipe.unet)
        write_encoder(settings.models / "clip_vision" / "vit")
        plain, red = painted(model, asked(adapter="")), painted(model, asked(RED))

        assert not same(plain, red)
        assert same(plain, painted(model, asked(adapter="")))


def test_adapters_and_encoders_tell_by_their_headers_what_they_read_and_give(ip, settings):
    about = kinds.of(settings.models / "ipadapter" / "look.safetensors")
    reads = kinds.of(settings.models / "clip_vision" / "vit" / "model.safetensors")

    assert (about.kind, about.variant, about.image_embeds) == (FileKind.IP_ADAPTER, None, EMBEDS)
    assert (reads.kind, reads.image_states, reads.image_embeds) == (FileKind.IMAGE_ENCODER, STATES, EMBEDS)
    assert about.base in (None, Base.SD1)


def test_a_single_file_of_vit_h_tells_its_configuration_by_its_tensors(tmp_path):
    import torch

    from core.domain.model_file import ModelFile, NamedFile

    def empty(*shape):
        return torch.empty(shape, device="meta")

    tensors = {
        "vision_model.embeddings.patch_embedding.weight": empty(1280, 3, 14, 14),
        "vision_model.embeddings.position_embedding.weight": empty(257, 1280),
        "vision_model.encoder.layers.31.layer_norm1.weight": empty(1280),
        "vision_model.encoder.layers.0.mlp.fc1.weight": empty(5120, 1280),
        "visual_projection.weight": empty(1024, 1280),
    }
    file = NamedFile("vit", tmp_path / "vit.safetensors", ModelFile(FileKind.IMAGE_ENCODER, 1))

    assert encoder._config(file, tensors) == {
        "hidden_size": 1280,
        "patch_size": 14,
        "image_size": 224,
        "num_hidden_layers": 32,
        "intermediate_size": 5120,
        "projection_dim": 1024,
        "num_attention_heads": 16,
        "hidden_act": "gelu",
    }
