"""Laws of the pocket model's training data. Skipped without the training extras or the fetched pictures."""

import os
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="needs training/requirements.txt")
data = pytest.importorskip("training.data")
fetch = pytest.importorskip("training.fetch")

from training.backgrounds import make_background  # noqa: E402
from training.drawings import MAKERS, Drawings, drawings_in, recoloured  # noqa: E402
from training.masks import KINDS, S, draw_box, draw_mask, eroded_at_the_edge  # noqa: E402
from training.photographs import HELD_OUT, TRAINING, Photograph, crop_of, in_other_light  # noqa: E402
from training.words import COLOURS, OBJECTS, background_prompt, object_prompt, vocabulary  # noqa: E402

WORK = Path(os.environ.get("TRAINING_WORK", fetch.DEFAULT_WORK))
needs_pictures = pytest.mark.skipif(
    not fetch.pictures_folder(WORK).is_dir(), reason="run `python -m training.fetch` (TRAINING_WORK names its folder)"
)


def block(red: int, green: int, blue: int) -> np.ndarray:
    """A plain opaque drawing, 90 x 60."""
    return np.broadcast_to(np.array([red, green, blue, 255], np.uint8), (90, 60, 4)).copy()


@pytest.fixture(scope="module")
def source():
    """Samples of made drawings on a made photograph: no fetched picture is needed."""
    plain = {(word, maker): block(200, 40, 40) for word in OBJECTS for maker in MAKERS}
    coloured = {
        (word, maker, colour): block(*COLOURS[colour])
        for word, maker in plain
        if OBJECTS[word].recoloured
        for colour in COLOURS
    }
    full = np.random.default_rng(0).integers(0, 255, (400, 500, 3)).astype(np.uint8)
    photograph = Photograph(full, full[::2, ::2])
    return data.SampleSource(Drawings(plain, coloured, [block(10, 10, 10)]), [photograph], 7, generated=3)


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
    written = vocabulary({"size": 256})

    assert written["objects"]["balloon"]["colours"] is True
    assert written["objects"]["penguin"]["colours"] is False
    assert written["recommended"] == {"size": 256}


def test_no_photograph_is_both_trained_on_and_measured_on():
    assert len(HELD_OUT) == 5
    assert not set(HELD_OUT) & set(TRAINING)


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_stays_inside_its_mask_and_fills_it(kind):
    rng = np.random.default_rng(5)
    mask = draw_mask(kind, (40, 30, 180, 220), rng)

    placed, left, top = data.placed_in(mask, block(255, 255, 255), rng)
    alpha = np.zeros(mask.shape, bool)
    alpha[top : top + placed.shape[0], left : left + placed.shape[1]] = placed[..., 3] > 24

    assert not (alpha & ~mask).any()
    assert alpha.sum() > 0.2 * mask.sum()


def test_masks_are_large_in_most_crops_and_small_in_some():
    rng = np.random.default_rng(6)

    boxes = [draw_box(rng, 1.0) for _ in range(400)]
    longest = np.array([max(right - left, bottom - top) for left, top, right, bottom in boxes])

    assert all(left >= 0 and top >= 0 and right <= S and bottom <= S for left, top, right, bottom in boxes)
    assert (longest > 160).mean() > 0.6
    assert (longest < 120).mean() > 0.05


def test_the_edge_of_a_mask_is_the_band_next_to_what_is_kept():
    mask = np.zeros((S, S), bool)
    mask[40:100, 60:140] = True

    band = eroded_at_the_edge(mask, 8)

    assert band[40:48, 60:140].all()
    assert not band[48:92, 68:132].any()
    assert not (band & ~mask).any()


def test_backgrounds_of_one_seed_are_the_same_and_of_another_are_not():
    first, again, other = (make_background(np.random.default_rng(seed)) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_crop_of_a_small_photograph_has_the_size_of_a_sample():
    photograph = Photograph(np.zeros((300, 451, 3), np.uint8), np.zeros((150, 226, 3), np.uint8))
    rng = np.random.default_rng(8)

    assert all(in_other_light(crop_of(photograph, rng), rng).shape == (S, S, 3) for _ in range(20))


def test_samples_of_one_seed_are_the_same():
    def drawn() -> list:
        drawings = Drawings({(w, m): block(9, 90, 9) for w in OBJECTS for m in MAKERS}, {}, [block(1, 1, 1)])
        source = data.SampleSource(drawings, [], 7, generated=2)
        return [source.draw("cat", None) for _ in range(4)]

    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(drawn(), drawn(), strict=True))


def test_a_sample_changes_its_background_only_inside_the_mask(source):
    for sample in (source.draw() for _ in range(30)):
        assert np.array_equal(sample.picture[~sample.mask], sample.background[~sample.mask])
        assert np.array_equal(sample.picture, sample.background) == (sample.word is None)


def test_a_shadow_darkens_the_mask_below_an_object_and_nothing_outside_it():
    picture = np.full((S, S, 3), 200, np.float32)
    mask = draw_mask("rectangle", (40, 30, 200, 220), np.random.default_rng(0))

    shaded = data.with_shadow(picture, mask, block(0, 0, 0), 90, 100, np.random.default_rng(1))

    assert (shaded <= picture).all()
    assert shaded[180:195, 100:140].mean() < 190
    assert np.array_equal(shaded[~mask], picture[~mask])


def test_recolouring_changes_the_main_colour_and_keeps_the_rest():
    sprite = block(220, 30, 40)
    sprite[60:] = (40, 150, 40, 255)  # a stem

    blue = recoloured(sprite, "blue")

    assert np.median(blue[:60, :, 2]) > np.median(blue[:60, :, 0]) + 60
    assert np.median(blue[60:, :, 1]) > np.median(blue[60:, :, 2]) + 60
    assert (blue[..., 3] == 255).all()


@needs_pictures
@pytest.mark.slow
def test_every_word_has_a_drawing_of_every_maker():
    drawings = drawings_in(WORK)

    assert all((drawings.plain[word, maker][..., 3] > 24).mean() > 0.15 for word in OBJECTS for maker in MAKERS)
