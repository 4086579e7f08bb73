"""Dynamic prompts: {red|blue} and __colour__ are resolved by the seed of each picture.

The syntax and its reader are those of the dynamicprompts library, which artists know from other tools. It reads what
is not closed as text, and knows no way to write a bracket that is text; here the one is told, and the other is \\{.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import InvalidParams
from core.domain.params import PARAMETERS, PROCESSING, InpaintParams
from core.ports import CheckParams

CHOICE = re.compile(r"\{[^{}|]*\|[^{}]*\}|\{[^{}]*\$\$|__[\w/*-]+__")
"""What makes a prompt one with choices. Everything else goes to the model as it was written."""

WILDCARD = re.compile(r"__([\w/*-]+)__")
LEFT_OPEN = re.compile(r"(?<!\w)__[^\W_][\w/*-]*")
"""The beginning of a wildcard, once all whole ones are taken out. A word like snake__case is none."""

AS_TEXT = {"\\{": "\ue000", "\\}": "\ue001"}
"""Brackets that are text, and what stands for them while the choices are made: signs that no writing uses."""

SIGN = re.compile(r"[{|]|__")
MOST_SIGNS = 1_000
"""Of choices in one prompt. The library's reader takes a quarter of a second for as many, and more for each more."""

PROMPTS = ("prompt", "negative_prompt")


@dataclass(frozen=True, slots=True)
class Prompts:
    """folders: with text files of wildcards, one value a line; a file colour.txt is __colour__.

    told: the params with what their prompts tell. Raises InvalidParams.
    """

    folders: Sequence[Path]
    check: CheckParams
    told: Callable[[InpaintParams], InpaintParams] = lambda params: params

    def expand(self, params: InpaintParams) -> InpaintParams:
        """With every choice resolved, by the seed, and what is then told. Raises InvalidParams as these do."""
        resolved = {
            name: self.resolve(getattr(params, name), params.seed, title=PARAMETERS[name].title) for name in PROMPTS
        }
        params = self.told(params.changed(**resolved))
        self.check(params)
        return params

    def has_choices(self, text: str) -> bool:
        return CHOICE.search(text) is not None

    def resolve(self, text: str, seed: int, *, title: str = PARAMETERS["prompt"].title) -> str:
        """The prompt with every choice resolved; the same for the same seed and the same files.

        Raises InvalidParams if a bracket or a wildcard is left open, or a wildcard has no file.
        """
        for written, sign in AS_TEXT.items():
            text = text.replace(written, sign)
        problem = _left_open(text) or self._unknown(text)
        if problem:
            raise InvalidParams(f"{title}: {problem}")
        if self.has_choices(text):
            if len(SIGN.findall(text)) > MOST_SIGNS:
                raise InvalidParams(f"{title}: at most {MOST_SIGNS} signs of choices, {{ and | and __, can be read.")
            text = self._sample(text, seed, title)
        for written, sign in AS_TEXT.items():
            text = text.replace(sign, written[-1])
        return text

    def wildcards(self) -> list[str]:
        """The names of all wildcards."""
        files = (file.relative_to(folder) for folder, file in self._files())
        return sorted({file.with_suffix("").as_posix() for file in files})

    def _files(self) -> Iterator[tuple[Path, Path]]:
        """Each folder with each of its files."""
        return ((folder, file) for folder in self.folders for file in folder.rglob("*.txt"))

    def _sample(self, text: str, seed: int, title: str) -> str:
        from dynamicprompts.generators import RandomPromptGenerator
        from dynamicprompts.wildcards import WildcardManager
        from pyparsing import ParseException

        if odd := next((file for _, file in self._files() if not file.is_file()), None):
            # The library would open it, and wait for ever.
            raise InvalidParams(f"{title}: {odd.name} in the wildcards folder is not a file. Remove it.")
        manager = WildcardManager(root_map={"": [folder for folder in self.folders if folder.is_dir()]})
        try:
            return RandomPromptGenerator(manager, seed=seed).generate(text, 1)[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidParams(
                f"{title}: a file in the wildcards folder cannot be read. Save it as text in UTF-8."
            ) from error
        except (ParseException, ValueError, IndexError, RecursionError) as error:
            raise InvalidParams(
                f"{title}: the choices in it cannot be read. Write them as {{red|blue}}, and only a few within each "
                "other."
            ) from error

    def _unknown(self, text: str) -> str | None:
        for name in WILDCARD.findall(text):
            if not self._exists(name):
                return f"there is no wildcard “{name}”. {self._known()}"
        return None

    def _exists(self, name: str) -> bool:
        if name.startswith("/"):
            return False
        try:
            return any(any(folder.glob(f"{name}.txt")) for folder in self.folders if folder.is_dir())
        except (OSError, ValueError):
            return False  # no file can have such a name

    def _known(self) -> str:
        names = self.wildcards()[:20]
        return f"Known are: {', '.join(names)}." if names else "Put a file of that name into the wildcards folder."


def escape(text: str) -> str:
    """A resolved prompt with its brackets escaped: none of them is read as a choice again."""
    is_safe = not (CHOICE.search(text) or _left_open(text) or any(written in text for written in AS_TEXT))
    return text if is_safe else text.replace("{", "\\{").replace("}", "\\}")


def for_resubmission(params: InpaintParams) -> InpaintParams:
    """The params of a generation, to submit again with or without changes: its prompts are literal text.

    By the newest rules of processing: only a re-run keeps those of its row.
    """
    return params.changed(**{name: escape(getattr(params, name)) for name in PROMPTS}).processed_by(PROCESSING)


def _left_open(text: str) -> str | None:
    """Why the brackets cannot be meant as they stand; None if they can."""
    depth = 0
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return "a bracket } has no opening bracket. Write \\} for literal text."
    if depth:
        return "a bracket { is not closed. Write choices as {red|blue}, and \\{ if it is text."
    opened = LEFT_OPEN.search(WILDCARD.sub(" ", text))
    if opened:
        whole = f"{opened[0].rstrip('_')}__"
        return f"the wildcard {opened[0]} is not closed. Write {whole} with two underscores on both sides."
    return None
