"""Another VAE in the place of a pipeline's own: other weights in the same modules, and the own ones back to the bit.

Of an ordinary VAE only weights change. What belongs to the latents that the denoiser was trained on, such as their
scaling factor, stays the model's own, whatever the configuration beside another VAE says. A tiny autoencoder (TAESD) is
another network: it takes the place of the module, and its latents are scaled already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.domain.errors import DamagedModel, InvalidVae
from core.domain.model_file import FileKind, NamedFile
from core.domain.params import PARAMETERS
from core.engine.models.hashed_files import HashedFile
from core.engine.models.single_file import empty, filled
from core.engine.quiet import quiet_libraries
from core.engine.replaced import Replaced
from core.engine.storage.unloaded import ReadAgain, Unloaded

RECORDED = "vae"
"""The field of an inpainter's record: a list of one."""

ORIGINAL_LAYOUT = re.compile(r"(?:first_stage_model\.|vae\.)?(?:encoder\.down|decoder\.up)\.\d")
OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Of the attention in diffusers' own layout: its first versions, and today's."""


class Swapped:
    """The VAE that is in a pipeline at this moment. is_missing: its own has no weights, so one must be chosen.

    read_again: see Unloaded; of its own, which is not in memory while a tiny one is in its place.
    """

    def __init__(self, pipe: Any, *, is_missing: bool, read_again: ReadAgain | None = None) -> None:
        self._pipe = pipe
        self._vae = getattr(pipe, "vae", None)
        self._own = Unloaded({"vae": self._vae}, read_again)
        self._is_missing = is_missing
        self._replaced = Replaced()
        self._now: str | None = None

    def change_to(self, chosen: HashedFile | None) -> bool:
        """From now on this one; None: the pipeline's own. Whether it is another one than before.

        Raises InvalidVae; then the VAE is the pipeline's own.
        """
        if chosen is None and self._is_missing:
            raise InvalidVae(
                f"This checkpoint comes without its VAE. Choose one under {PARAMETERS['vae'].title}, among More "
                "parameters (--vae), or a version of the checkpoint that contains it."
            )
        is_tiny = chosen is not None and chosen.file.about.kind is FileKind.TINY_VAE
        if not is_tiny:
            self._own.bring_back()
        wanted = chosen.sha256 if chosen else None
        if wanted == self._now:
            return False
        self._now = None
        self._replaced.put_back()
        if self._vae is not None and self._pipe.vae is not self._vae:
            self._pipe.vae = self._vae
        if chosen is not None and is_tiny:
            self._pipe.vae = _tiny(chosen.file, self._pipe, self._vae)
            self._own.take_out()
        elif chosen is not None:
            self._replaced.put_in(_others(self._vae, _weights(chosen.file, self._vae)))
        self._now = wanted
        return True


def _others(vae: Any, weights: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    """Each module of the VAE, the name of its parameter, and what takes its place. weights: by their whole names."""
    for path, module in vae.named_modules():
        for name, own in list(module.named_parameters(recurse=False)):
            yield module, name, weights[f"{path}.{name}" if path else name].to(own.device)


def _tiny(file: NamedFile, pipe: Any, own: Any) -> Any:
    """The tiny autoencoder in this file (madebyollin/taesd), where the VAE lies. Raises InvalidVae."""
    import diffusers

    name = file.path.name
    _check_kind(name, own)
    if file.about.latent_channels is None:
        raise InvalidVae(
            f"VAE {name}: it holds only one half of a tiny autoencoder. Choose the file of diffusers, which holds both "
            "halves: diffusion_pytorch_model.safetensors of madebyollin/taesd, or of taesdxl for Stable Diffusion XL."
        )
    with _read(name):
        tiny = empty(lambda: diffusers.AutoencoderTiny(latent_channels=file.about.latent_channels or 0))
        made = filled("VAE", tiny, lambda: _loaded(file), own.dtype)
    if 2 ** (len(made.config.decoder_block_out_channels) - 1) != pipe.vae_scale_factor:
        raise InvalidVae(f"VAE {name}: its latents have another size than this model's. Use its own.")
    _check_numbers(name, made.state_dict())
    return made.to(pipe._execution_device)


def _check_kind(name: str, vae: Any) -> None:
    import diffusers

    kind: Any = diffusers.AutoencoderKL
    if type(vae) is not kind:
        raise InvalidVae(f"VAE {name}: this model's own is of another kind, so it cannot take its place. Use its own.")


def _check_numbers(name: str, weights: Mapping[str, Any]) -> None:
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise InvalidVae(f"VAE {name}: it holds what is no number. Download or copy it again.")


def _loaded(file: NamedFile) -> Mapping[str, Any]:
    from safetensors.torch import load_file

    tensors: Mapping[str, Any] = load_file(file.path)
    return tensors


@contextmanager
def _read(name: str) -> Iterator[None]:
    """Whatever is wrong with the file of this name is an InvalidVae."""
    from safetensors import SafetensorError

    try:
        with quiet_libraries():
            yield
    except (OSError, SafetensorError) as error:
        raise InvalidVae(f"VAE {name}: it cannot be read ({error}). Download or copy it again.") from error
    except DamagedModel as error:
        raise InvalidVae(
            f"VAE {name}: it does not have the parts of this model's own ({error.args[0].partition('. ')[0]}). Choose "
            "one that was made for this model."
        ) from error


def _weights(file: NamedFile, vae: Any) -> Mapping[str, Any]:
    """By their names in this VAE, in its type. Raises InvalidVae if they are not all that it needs."""
    name = file.path.name
    _check_kind(name, vae)
    if any(parameter.is_meta for parameter in vae.parameters()):
        raise InvalidVae(
            "A VAE cannot be chosen for a model that is moved to the card layer by layer. Set INPAINT_STUDIO_OFFLOAD "
            "to model, or use the model's own."
        )
    with _read(name):
        tensors = _loaded(file)
        own = empty(lambda: type(vae).from_config(vae.config))
        made = filled("VAE", own, lambda: _in_diffusers_layout(tensors, vae.config), vae.dtype)
    weights: Mapping[str, Any] = made.state_dict()
    _check_numbers(name, weights)
    return weights


def _in_diffusers_layout(tensors: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    if any(ORIGINAL_LAYOUT.match(name) for name in tensors):
        converted: Mapping[str, Any] = convert_ldm_vae_checkpoint(dict(tensors), config)
        return converted
    return dict(in_todays_names(tensors))


def in_todays_names(tensors: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Of weights in diffusers' own layout."""
    for name, tensor in tensors.items():
        path, _, ending = name.rpartition(".")
        before, _, role = path.rpartition(".")
        is_old = ".attentions." in path and role in OLD_NAMES
        yield (f"{before}.{OLD_NAMES[role]}.{ending}" if is_old else name), tensor
