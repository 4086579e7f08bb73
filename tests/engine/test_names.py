"""What a model may be called, and what is said of a name that means none."""

from __future__ import annotations

import pytest

from core.domain.errors import UnknownModel
from core.engine.models.catalogue import Catalogue
from tests.engine import model_files as files


@pytest.mark.parametrize(
    ("address", "id"),
    [
        ("https://huggingface.co/owner/name", "owner/name"),
        ("https://huggingface.co/owner/name/", "owner/name"),
        ("http://www.huggingface.co/owner/name?library=diffusers#usage", "owner/name"),
        ("huggingface.co/owner/name", "owner/name"),
        ("hf.co/owner/name", "owner/name"),
        ("https://huggingface.co/owner/name.git", "owner/name"),
        ("https://huggingface.co/owner/name/tree/main", "owner/name"),
        ("https://huggingface.co/owner/name/tree/fp16", "owner/name@fp16"),
        ("https://huggingface.co/owner/name/tree/main/unet", "owner/name"),
        ("https://huggingface.co/owner/name/tree/refs%2Fpr%2F3", "owner/name@refs/pr/3"),
        ("https://huggingface.co/owner/name/commit/" + "a" * 40, "owner/name@" + "a" * 40),
        ("https://huggingface.co/owner/name/blob/main/model_index.json", "owner/name"),
        ("https://huggingface.co/owner/name/discussions/5", "owner/name"),
    ],
)
def test_the_address_of_a_models_page_means_its_id(settings, address, id):
    assert Catalogue(settings).find(address).key == id


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("https://huggingface.co/datasets/owner/name", "not a model page"),
        ("https://huggingface.co/owner", "not a model page"),
        ("https://huggingface.co/owner/name/blob/main/v1.safetensors", "one file"),
        ("https://example.org/models/1234", "not a model page"),
        ("https://[::1/owner/name", "not a model page"),
        ("~nosuchuser", "There is no such model|cannot be accessed"),
        ("~nosuchuser/model", "cannot be accessed"),
        ("/" + "x" * 400, "cannot be accessed"),
        ("x" * 300, "no such model"),
        ("owner/" + "x" * 200, "no such model"),
        ("a\x00b", "invalid characters"),
        ("a\nb", "invalid characters"),
        ("\udcff", "invalid characters"),
        ("dream shaper!!", "no such model"),
        ("  ", "no such model"),
    ],
)
def test_a_name_that_means_no_model_is_reported_with_a_message(settings, key, told):
    with pytest.raises(UnknownModel, match=told):
        Catalogue(settings).find(key)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dreamshaper.safetensors", "is damaged or cut off: not a safetensors file"),
        ("old.ckpt", "can run code"),
        ("old.pt", "can run code"),
        ("picture.png", "is a file"),
    ],
)
def test_a_file_that_is_there_is_told_for_what_it_is(settings, tmp_path, monkeypatch, name, told):
    (tmp_path / name).write_bytes(b"0")
    monkeypatch.chdir(tmp_path)

    for key in (str(tmp_path / name), f"./{name}", name):
        with pytest.raises(UnknownModel, match=told):
            Catalogue(settings).find(key)


FLUX = {
    "model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale": (128,),
    "vae.decoder.conv_in.weight": (512, 16, 3, 3),
    "text_encoders.clip_l.logit_scale": (1,),
}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: files.checkpoint(768, 8),
            r"is a checkpoint \(instruct-pix2pix\) for Stable Diffusion 1, which cannot",
        ),
        (lambda: FLUX, r"is the transformer of a model of the family FLUX\.1\. Text encoders and VAE"),
        (lambda: files.lora_of_kohya(2048), r"is a LoRA for Stable Diffusion XL\. It changes a checkpoint"),
        (lambda: files.checkpoint(1280), "is a refiner for Stable Diffusion XL"),
        (lambda: files.ip_adapter(768), "is an IP-Adapter for Stable Diffusion 1"),
        (lambda: files.esrgan("real"), "is an upscaler"),
        (files.svd, "is a video model for Stable Video Diffusion"),
        (lambda: {"weight": (2, 2)}, "is a file of an unknown kind"),
    ],
)
def test_a_file_of_weights_is_told_by_its_header(settings, tmp_path, make, told):
    file = files.write(tmp_path / "oil.safetensors", make())

    with pytest.raises(UnknownModel, match=told):
        Catalogue(settings).find(str(file))
