"""The pocket model's tokenizer and prompts as tokens."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from training.words import BACKGROUND_WORDS, COLOURS, OBJECTS, background_prompt, object_prompt

LENGTH = 16  # tokens, start and end included


def new_tokenizer() -> CLIPTokenizer:
    """A byte-pair CLIPTokenizer whose merges make one token of every word we use; any other text still has bytes."""
    end = "</w>"
    learner = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix=end))
    learner.normalizer = normalizers.Lowercase()
    words = Regex(r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        end_of_word_suffix=end,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learner.train_from_iterator(every_phrase(), trainer)
    model = json.loads(learner.to_str())["model"]
    merges = [tuple(pair) if not isinstance(pair, str) else tuple(pair.split(" ")) for pair in model["merges"]]
    return CLIPTokenizer(vocab=model["vocab"], merges=merges, model_max_length=LENGTH)


def tokenizer_in(work: Path) -> CLIPTokenizer:
    """The tokenizer of this training, made once: learning it again numbers the single letters in another order."""
    folder = work / "tokenizer"
    if not folder.exists():
        new_tokenizer().save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def every_phrase() -> list[str]:
    rng = np.random.default_rng(0)
    phrases = list(BACKGROUND_WORDS) + list(COLOURS)
    for name, word in OBJECTS.items():
        phrases += [name, word.plural, *word.synonyms]
        phrases += [object_prompt(name, None, rng) for _ in range(60)]
    return phrases


class PromptTokens:
    """Draws a prompt for a label and gives its tokens; remembers what it has tokenised."""

    def __init__(self, tokenizer: CLIPTokenizer):
        self._tokenizer = tokenizer
        self._seen: dict[str, list[int]] = {}
        self._words, self._colours = list(OBJECTS), list(COLOURS)

    def of(self, text: str) -> list[int]:
        if text not in self._seen:
            self._seen[text] = self._tokenizer(text, padding="max_length", max_length=LENGTH, truncation=True).input_ids
        return self._seen[text]

    def drawn(self, label: np.ndarray, rng: np.random.Generator) -> list[int]:
        """label: index of the word and of the colour, -1 = none."""
        word, colour = (int(i) for i in label)
        if word < 0:
            return self.of(background_prompt(rng))
        return self.of(object_prompt(self._words[word], self._colours[colour] if colour >= 0 else None, rng))
