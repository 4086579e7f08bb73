"""Laws of the pocket model's training data. Skipped without the training extras or the fetched pictures."""

import os
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="needs training/requirements.txt")
data = pytest.importorskip("training.data")
fetch = pytest.importorskip("training.fetch")

from training.words import COLOURS, OBJECTS, background_prompt, object_prompt, vocabulary  # noqa: E402

WORK = Path(os.environ.get("TRAINING_WORK", fetch.DEFAULT_WORK))
needs_pictures = pytest.mark.skipif(
    not fetch.pictures_folder(WORK).is_dir(), reason="run `python -m training.fetch` (TRAINING_WORK names its folder)"
)


def test_there_are_enough_words_and_colours_and_no_word_means_two_objects():
    said = [form for name, word in OBJECTS.items() for form in (name, word.plural, *word.synonyms)]

    assert len(OBJECTS) >= 48
    assert len(COLOURS) >= 8
    assert len(said) == len(set(said))


def test_every_prompt_of_a_word_holds_one_of_its_forms():
    rng = np.random.default_rng(3)

    for name, word in OBJECTS.items():
        forms = (name, word.plural, *word.synonyms)
        prompts = [object_prompt(name, "red", rng) for _ in range(20)]
        assert all(any(form in prompt for form in forms) for prompt in prompts)


def test_half_of_the_background_prompts_are_empty():
    rng = np.random.default_rng(3)

    prompts = [background_prompt(rng) for _ in range(400)]

    assert 0.4 < prompts.count("") / len(prompts) < 0.6


def test_the_vocabulary_says_which_objects_take_a_colour():
    written = vocabulary({"size": 128})

    assert written["objects"]["balloon"]["colours"] is True
    assert written["objects"]["penguin"]["colours"] is False
    assert written["recommended"] == {"size": 128}


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "strokes"])
def test_an_object_stays_inside_its_mask_and_fills_it(kind):
    rng = np.random.default_rng(5)
    sprite = np.full((90, 60, 4), 255, np.float32)
    mask = data.draw_mask(kind, (20, 15, 90, 110), rng)

    placed, left, top = data.placed_in(mask, sprite, rng)
    alpha = np.zeros(mask.shape, bool)
    alpha[top : top + placed.shape[0], left : left + placed.shape[1]] = placed[..., 3] > 24

    assert not (alpha & ~mask).any()
    assert alpha.sum() > 0.25 * mask.sum()


def test_backgrounds_of_one_seed_are_the_same_and_of_another_are_not():
    first, again, other = (data.make_background(np.random.default_rng(seed)) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@needs_pictures
def test_samples_of_one_seed_are_the_same():
    sprites = data.sprites_in(WORK)

    first, again = ([data.SampleSource(sprites, 7, backgrounds=4).draw() for _ in range(6)] for _ in range(2))

    assert all(np.array_equal(a.picture, b.picture) and a.word == b.word for a, b in zip(first, again, strict=True))


@needs_pictures
def test_a_sample_changes_its_background_only_inside_the_mask():
    source = data.SampleSource(data.sprites_in(WORK), 8, backgrounds=4)

    for sample in (source.draw() for _ in range(30)):
        assert np.array_equal(sample.picture[~sample.mask], sample.background[~sample.mask])
        assert np.array_equal(sample.picture, sample.background) == (sample.word is None)


@needs_pictures
def test_recolouring_makes_a_balloon_blue_and_leaves_the_stem_of_a_tulip_green():
    sprites = data.sprites_in(WORK)

    balloon, tulip = sprites.of("balloon", "blue"), sprites.of("tulip", "red")

    red, green, blue, alpha = np.moveaxis(balloon[balloon[..., 3] > 250], -1, 0)
    assert np.median(blue) > np.median(red) + 60
    stem = tulip[-30:][tulip[-30:, :, 3] > 250]
    assert np.median(stem[:, 1]) > np.median(stem[:, 0])
