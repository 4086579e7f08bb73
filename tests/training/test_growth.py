"""A larger inpainter begins with what a smaller one knows. Skipped without the training extras."""

import pytest

torch = diffusers = growth = networks = None


@pytest.fixture(scope="module", autouse=True)
def _libraries():
    """Not at import: collecting the tests of other files must not load torch."""
    global torch, diffusers, growth, networks
    torch = pytest.importorskip("torch", reason="needs the model libraries")
    pytest.importorskip("cv2", reason="needs training/requirements.txt")
    diffusers = pytest.importorskip("diffusers")
    growth = pytest.importorskip("training.growth")
    networks = pytest.importorskip("training.networks")


def unet(widths: tuple[int, ...], **others):
    plain = len(widths) - 1
    return diffusers.UNet2DConditionModel(
        sample_size=16,
        in_channels=9,
        out_channels=4,
        block_out_channels=widths,
        down_block_types=("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",) + ("UpBlock2D",) * plain,
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
        **others,
    )


@pytest.fixture(scope="module")
def grown(_libraries):
    torch.manual_seed(1)
    smaller = unet((16, 24, 24))
    # as training leaves it: quick waves, which tell neighbouring timesteps apart, have no say
    with torch.no_grad():
        smaller.time_embedding.linear_1.weight.view(64, 2, 8)[:, :, :4] = 0
    larger = unet((16, 16, 24, 24), time_embedding_dim=64)
    kept = growth.grow(larger, smaller, networks.new_scheduler())
    return smaller, larger, kept


def test_the_inner_levels_are_those_of_the_smaller_model(grown):
    smaller, larger, kept = grown

    assert torch.equal(larger.mid_block.resnets[0].conv1.weight, smaller.mid_block.resnets[0].conv1.weight)
    assert torch.equal(larger.down_blocks[2].resnets[0].conv2.weight, smaller.down_blocks[1].resnets[0].conv2.weight)
    assert torch.equal(larger.up_blocks[0].resnets[0].conv1.weight, smaller.up_blocks[0].resnets[0].conv1.weight)
    assert "mid_block.resnets.0.conv1.weight" in kept


def test_the_outer_level_is_new_and_trains_first(grown):
    _, _, kept = grown

    assert not any(name.startswith(("conv_in", "conv_out", "down_blocks.0", "up_blocks.3")) for name in kept)


def test_the_inner_levels_are_told_of_the_noise_that_halving_leaves(grown):
    smaller, larger, _ = grown
    scheduler = networks.new_scheduler()
    times = torch.arange(100, 1000, 50)
    noise = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt()
    halved = torch.searchsorted(noise, noise[times] / 2)

    told = larger.time_embedding.linear_1(growth.sinusoids(larger, times))
    meant, unchanged = (smaller.time_embedding.linear_1(growth.sinusoids(smaller, t)) for t in (halved, times))

    assert (told - meant).square().mean() < 0.5 * (told - unchanged).square().mean()


def test_a_grown_model_runs_on_latents_of_twice_the_side(grown):
    _, larger, _ = grown

    made = larger(torch.zeros(1, 9, 32, 32), 500, torch.zeros(1, 4, 8)).sample

    assert made.shape == (1, 4, 32, 32)
    assert torch.isfinite(made).all()
