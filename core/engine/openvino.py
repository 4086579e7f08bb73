"""The U-Net of Stable Diffusion computed by OpenVINO, on the processor. All else of the pipeline stays torch's.

It is chosen like a device, and installed apart (requirements-openvino.txt); docs/decisions/0045-kernels-and-engines.md
says what it gains.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.domain.errors import DeviceUnavailable
from core.domain.params import BFLOAT16, FLOAT32
from core.engine.families import Family
from core.engine.quiet import quiet_libraries

BLOCKS = ("conv_in", "down_blocks", "mid_block", "up_blocks", "conv_norm_out", "conv_out")
"""Of diffusers' UNet2DConditionModel, what OpenVINO takes over: all but what makes a vector of the time step, which it
would round: there is no bfloat16 of 501, and its picture would be 12 % off."""

PRECISION = {FLOAT32: "f32", BFLOAT16: "bf16"}

ODD = 17
"""Latents a side of what the network is traced with: no multiple of what its layers divide by, so that it also learns
how sizes are made equal that do not come out even."""

COPIES = {FLOAT32: 2, BFLOAT16: 3}
"""Of the weights of the U-Net, those that lie in memory while it is taken over, in the type it is computed in: torch's
in float32, and OpenVINO's own."""


def check(family: Family) -> None:
    """Raises DeviceUnavailable for a family that it does not compute."""
    if family.denoiser != "unet" or not family.takes_additions:
        raise DeviceUnavailable(
            f"OpenVINO does not compute {family.title} models, only Stable Diffusion 1, 2 and XL. Choose the device "
            "cpu."
        )


def take_over(pipe: Any, dtype: str) -> None:
    """From now on OpenVINO computes its U-Net, and torch the rest, all in this type. pipe: of torch, in float32.

    Raises DeviceUnavailable for a U-Net of another kind.
    """
    import torch

    unet = pipe.unet
    about = unet.config
    if about.addition_embed_type not in (None, "text_time") or about.encoder_hid_dim_type or about.class_embed_type:
        raise DeviceUnavailable("OpenVINO does not compute the U-Net of this model. Choose the device cpu.")
    network = Network(_converted(unet), dtype)
    for name in BLOCKS:
        setattr(unet, name, None)
    unet.forward = _forward(unet, network)
    with quiet_libraries():
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.to(getattr(torch, dtype))


class Network:
    """What OpenVINO computes, by as many threads as torch does at that moment: in float32 they decide last bits."""

    def __init__(self, model: Any, dtype: str) -> None:
        self._model = model
        self._precision = PRECISION[dtype]
        self._threads = 0
        self._request: Any = None
        self._compile()

    def __call__(self, *inputs: Any) -> Any:
        """inputs: tensors of torch. Returns one of their type."""
        import torch

        if self._threads != torch.get_num_threads():
            self._compile()
        found = self._request.infer([one.float().numpy() for one in inputs])[0]
        # A copy: the next step writes where this one is.
        return torch.from_numpy(found.copy()).to(inputs[0].dtype)

    def _compile(self) -> None:
        import openvino
        import torch

        self._threads = torch.get_num_threads()
        how = {
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            # Its own choice is bfloat16 wherever the processor has it.
            "INFERENCE_PRECISION_HINT": self._precision,
        }
        self._request = openvino.Core().compile_model(self._model, "CPU", how).create_infer_request()


def _forward(unet: Any, network: Network) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

    def forward(
        sample: Any,
        timestep: Any,
        encoder_hidden_states: Any,
        timestep_cond: Any = None,
        added_cond_kwargs: Any = None,
        return_dict: bool = True,
        **others: Any,
    ) -> Any:
        if unknown := [name for name, value in others.items() if value is not None]:
            raise ValueError(f"OpenVINO's network has no {', '.join(unknown)}")
        time = unet.time_embedding(unet.get_time_embed(sample=sample, timestep=timestep), timestep_cond)
        more = unet.get_aug_embed(
            emb=time, encoder_hidden_states=encoder_hidden_states, added_cond_kwargs=added_cond_kwargs
        )
        found = network(sample, time if more is None else time + more, encoder_hidden_states)
        return UNet2DConditionOutput(sample=found) if return_dict else (found,)

    return forward


def _converted(unet: Any) -> Any:
    """OpenVINO's model of its blocks: of latents (N, C, H, W), the vector of the time step (N, T) and the prompt
    (N, tokens, width) to what is predicted, (N, 4, H, W). Its weights stay where torch has them.

    By the frontend itself: openvino.convert_model reports its use to its makers.
    """
    import openvino
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    channels, of_time = unet.config.in_channels, unet.time_embedding.linear_2.out_features
    of_text = unet.config.cross_attention_dim
    shapes = ((2, channels, ODD, ODD), (2, of_time), (2, 8, of_text))
    example = tuple(torch.zeros(shape) for shape in shapes)
    # The tracer warns of each size that a layer looks at.
    with torch.no_grad(), warnings.catch_warnings(), _given_its_time(unet):
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(_blocks(unet), example_input=example)
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
    free = ([-1, channels, -1, -1], [-1, of_time], [-1, -1, of_text])
    for parameter, shape in zip(model.inputs, free, strict=True):
        parameter.get_node().set_partial_shape(openvino.PartialShape(shape))
    model.validate_nodes_and_infer_types()
    return model


def _blocks(unet: Any) -> Any:
    """As a module of torch that takes and returns tensors by their places."""
    import torch

    class Blocks(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unet = unet

        def forward(self, sample: Any, time: Any, text: Any) -> Any:
            return self.unet(sample, time, text, return_dict=False)[0]

    return Blocks().eval()


@contextmanager
def _given_its_time(unet: Any) -> Iterator[None]:
    """Meanwhile it takes the vector of the time step in the place of the step."""
    unet.get_time_embed = lambda sample, timestep: timestep
    unet.get_aug_embed = lambda **_: None
    unet.time_embedding.forward = lambda time, condition=None: time
    try:
        yield
    finally:
        del unet.get_time_embed, unet.get_aug_embed, unet.time_embedding.forward
