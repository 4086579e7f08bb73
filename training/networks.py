"""The networks that are trained: a 9-channel UNet and its small text encoder, and the schedule of the noise."""

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel

from training.stock import FACTOR
from training.text import LENGTH
from training.words import COLOURS, NATIVE_SIZE, OBJECTS

WIDTH = 128  # of the text encoder
SILENT = 1e-4  # spread of embeddings that say nothing: below the layer norms' epsilon


def new_unet(pixels: int = NATIVE_SIZE) -> UNet2DConditionModel:
    """Attention only at 8 and 4 cells a side; at 16 it cost more than a third of a step in a trial.

    The outermost level of the larger one, 64 cells a side, is narrow: it costs as much as all others together.
    """
    more = pixels == NATIVE_SIZE
    plain_down, attending_down = "DownBlock2D", "CrossAttnDownBlock2D"
    plain_up, attending_up = "UpBlock2D", "CrossAttnUpBlock2D"
    return UNet2DConditionModel(
        sample_size=pixels // FACTOR,
        in_channels=9,
        out_channels=4,
        block_out_channels=(32,) * more + (48, 96, 144, 144),
        down_block_types=(plain_down,) * (2 + more) + (attending_down,) * 2,
        up_block_types=(attending_up,) * 2 + (plain_up,) * (2 + more),
        time_embedding_dim=192,
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def new_text_encoder(tokenizer) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    encoder = CLIPTextModel(config)
    start_as_bag_of_words(encoder, tokenizer)
    return encoder


@torch.no_grad()
def start_as_bag_of_words(encoder: CLIPTextModel, tokenizer) -> None:
    """Every token from the object's name on carries the names of object and colour; all other words carry nothing.

    From a random start the one telling token of sixteen drowns in padding, and the UNet still mixed up words after
    30,000 samples. Here each object and colour has its own direction, shared by its synonyms and plural; the first
    layer's attention hands the mean of what was said so far to every later token, and the last layer norm brings it
    to full size. An unknown word means the same as an empty prompt: background.
    """
    concepts = [(name, word.plural, *word.synonyms) for name, word in OBJECTS.items()]
    concepts += [(colour,) for colour in COLOURS]
    directions = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0)))[0]
    parts = dict(encoder.named_parameters())
    tokens = next(p for name, p in parts.items() if name.endswith("token_embedding.weight"))
    tokens.normal_(0, SILENT, generator=torch.Generator().manual_seed(1))
    for direction, forms in zip(directions, concepts, strict=False):
        for form in forms:
            ids = tokenizer(form, add_special_tokens=False).input_ids
            if len(ids) == 1:
                tokens[ids[0]] = direction * 0.5 * WIDTH**0.5
    for name, part in parts.items():
        if name.endswith("position_embedding.weight"):
            part.normal_(0, SILENT, generator=torch.Generator().manual_seed(2))
        elif "layers.0.self_attn.v_proj.weight" in name:
            part.copy_(torch.eye(WIDTH))
        elif "layers.0.self_attn.out_proj.weight" in name:
            part.copy_(4 * torch.eye(WIDTH))
        elif name.endswith(("fc2.weight", "layers.1.self_attn.out_proj.weight")):
            part.mul_(0.05)


def new_scheduler() -> DDIMScheduler:
    """Inpainting starts from pure noise, so the last timestep must be pure noise: zero terminal SNR, trailing."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


class Networks(torch.nn.Module):
    """The UNet, which is trained, and the text encoder, which stays the bag of words it starts as."""

    def __init__(self, tokenizer, pixels: int = NATIVE_SIZE):
        super().__init__()
        self.unet = new_unet(pixels)
        self.text = new_text_encoder(tokenizer).requires_grad_(False)
        # written-out attention: the fused kernel's backward pass took a fifth of a step on the CPU
        self.unet.set_attn_processor(AttnProcessor())

    def forward(self, noisy, mask, masked, timestep, tokens):
        """noisy, masked (N, 4, cells, cells), mask (N, 1, cells, cells) -> predicted v, as noisy."""
        seen = self.text(tokens).last_hidden_state
        return self.unet(torch.cat([noisy, mask, masked], 1), timestep, seen).sample
