"""How the pocket model reads prompts. Skipped without the training extras."""

import pytest


@pytest.fixture(scope="module")
def likeness():
    # Not at the top: who only collects the tests should not wait for torch.
    torch = pytest.importorskip("torch", reason="needs the model libraries")
    pytest.importorskip("cv2", reason="needs training/requirements.txt")
    networks = pytest.importorskip("training.networks")
    text = pytest.importorskip("training.text")
    tokenizer = text.new_tokenizer()
    encoder = networks.new_text_encoder(tokenizer).eval()

    @torch.no_grad()
    def of_the_last_token(first: str, second: str) -> float:
        ids = tokenizer([first, second], padding="max_length", max_length=networks.LENGTH, return_tensors="pt")
        one, other = encoder(ids.input_ids).last_hidden_state[:, -1]
        return torch.cosine_similarity(one, other, dim=0).item()

    return of_the_last_token


def test_synonyms_plurals_and_small_words_mean_the_same(likeness):
    assert likeness("cat", "kitty") > 0.95
    assert likeness("cat", "cats") > 0.95
    assert likeness("cat", "a photo of a cat") > 0.7


def test_other_objects_mean_something_else_and_a_colour_adds_to_its_object(likeness):
    assert likeness("cat", "dog") < 0.5
    assert 0.5 < likeness("a red balloon", "a balloon") < 0.95


def test_words_for_removal_mean_the_same_as_no_words(likeness):
    assert likeness("", "background") > 0.95
    assert likeness("", "cat") < likeness("", "background")
