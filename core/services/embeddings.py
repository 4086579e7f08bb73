"""Which words of the prompts are names of embeddings, and which of these the model reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.domain.embedding import is_in_brackets, word_of, words_in
from core.domain.errors import InvalidEmbedding, InvalidParams
from core.domain.model_file import NamedFile
from core.domain.params import InpaintParams
from core.services.additions import Additions


@dataclass(frozen=True, slots=True)
class Named:
    """The embeddings whose names stand in prompts. read: those that the model reads.

    notes: a sentence for each name that is read as a word, though there is a file of it.
    """

    read: tuple[NamedFile, ...] = ()
    notes: tuple[str, ...] = ()


class Embeddings(Additions):
    __slots__ = ()

    FIELD = "embeddings"

    def resolved(self, params: InpaintParams) -> InpaintParams:
        """With the embeddings that its prompts name now. Raises InvalidEmbedding as named()."""
        names = tuple(file.name for file in self.named(params).read)
        return params if names == params.embeddings else params.changed(embeddings=names)

    def named(self, params: InpaintParams) -> Named:
        """What stands in the prompts, also of files that these params do not list.

        A name that is also a word is read as one where its file was made for another model, as A1111 does: who paints
        with several models has files with names such as "oil". Raises InvalidEmbedding where no word can be meant:
        for <oil>, and for one that these params list and that is not on this machine.
        """
        spec = self._spec(params.model)
        if spec is None or self.FIELD in spec.unused:
            return Named()
        here, listed, unsafe = map(_by_word, (self.library.paths(), params.embeddings, self.library.unsafe()))
        text = f"{params.spoken_prompt}\n{params.negative_prompt}"
        read, notes = list[NamedFile](), list[str]()
        for word in words_in(text, {**here, **listed, **unsafe}):
            names = here.get(word) or listed.get(word) or unsafe[word]
            try:
                read.append(self._fitting(names, params.model))
            except InvalidParams as error:
                if is_in_brackets(text, word) or (word in listed and word not in here):
                    raise
                notes.append(f"“{word}” is read as a word. {error}")
        return Named(tuple(read), tuple(notes))

    def _fitting(self, names: Sequence[str], model: str) -> NamedFile:
        """The first of these that is for this model. Raises InvalidParams, of the first one."""
        bases = self._bases(model)
        files = [self.library.find(name) for name in names]
        if (fitting := next((file for file in files if file.can_be_for(bases)), None)) is not None:
            return fitting
        raise InvalidEmbedding(f"Embedding: {files[0].problem_for(bases)}")


def _by_word(names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Names of files by what stands for them in a prompt, in lower case."""
    found = defaultdict[str, list[str]](list)
    for name in names:
        found[word_of(name).casefold()].append(name)
    return found
