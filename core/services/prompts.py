"""Prompts with choices in them: {red|blue} and __colour__, decided by the seed of each picture.

The syntax and its reader are those of the dynamicprompts library, which artists know from other tools.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import InvalidParams

CHOICE = re.compile(r"\{[^{}]*\|[^{}]*\}|\{[^{}]*\$\$|__[\w/*-]+__")
"""What makes a prompt one with choices. Everything else goes to the model as it was written."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """folders: with text files of wildcards, one value a line; a file colour.txt is __colour__."""

    folders: Sequence[Path]

    def has_choices(self, text: str) -> bool:
        return CHOICE.search(text) is not None

    def decided(self, text: str, seed: int) -> str:
        """The prompt with every choice made; the same for the same seed and the same files.

        Raises InvalidParams if a bracket is left open, or a wildcard has no file.
        """
        if not self.has_choices(text):
            return text
        from dynamicprompts.generators import RandomPromptGenerator
        from dynamicprompts.wildcards import WildcardManager
        from pyparsing import ParseException

        unknown = [name for name in re.findall(r"__([\w/*-]+)__", text) if not self._exists(name)]
        if unknown:
            raise InvalidParams(f"Prompt: there is no wildcard “{unknown[0]}”. {self._known()}")
        manager = WildcardManager(root_map={"": [folder for folder in self.folders if folder.is_dir()]})
        try:
            return RandomPromptGenerator(manager, seed=seed).generate(text, 1)[0].strip()
        except (ParseException, ValueError, IndexError, RecursionError) as error:
            raise InvalidParams(
                "Prompt: the choices in it cannot be read. Write them as {red|blue}, and close every bracket."
            ) from error

    def wildcards(self) -> list[str]:
        """The names of all wildcards."""
        files = (file.relative_to(folder) for folder in self.folders for file in sorted(folder.rglob("*.txt")))
        return sorted({file.with_suffix("").as_posix() for file in files})

    def _exists(self, name: str) -> bool:
        if name.startswith("/"):
            return False
        return any(any(folder.glob(f"{name}.txt")) for folder in self.folders if folder.is_dir())

    def _known(self) -> str:
        names = self.wildcards()[:20]
        return f"Known are: {', '.join(names)}." if names else "Put a file of that name into the wildcards folder."
