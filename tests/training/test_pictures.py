"""Models of other sizes get the same cases. Skipped without the training extras."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def pictures():
    """Not at import: collecting the tests of other files must not load torch."""
    pytest.importorskip("cv2", reason="needs training/requirements.txt")
    pytest.importorskip("diffusers")
    return pytest.importorskip("training.pictures")


@pytest.mark.parametrize("side", [256, 128])
def test_a_mask_given_to_a_model_covers_the_painted_one_in_whole_latent_cells(pictures, side):
    mask = np.zeros((256, 256), bool)
    mask[33:101, 50:77] = True

    given = np.asarray(pictures.mask_image(mask, side)) > 0

    assert given.shape == (side, side)
    enlarged = given.repeat(256 // side, 0).repeat(256 // side, 1)
    assert (enlarged | ~mask).all()
    cells = given.reshape(side // 4, 4, side // 4, 4)
    assert (cells.all((1, 3)) == cells.any((1, 3))).all()


def test_pasting_back_changes_nothing_outside_the_mask(pictures):
    rng = np.random.default_rng(1)
    background, made = rng.integers(0, 255, (2, 256, 256, 3)).astype(np.uint8)
    mask = rng.random((256, 256)) < 0.3

    pasted = pictures.paste(pictures.Sample(background, background, mask, None, None), made)

    assert np.array_equal(pasted[~mask], background[~mask])
    assert np.array_equal(pasted[mask], made[mask])
