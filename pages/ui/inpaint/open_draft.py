"""The draft that is open on the Inpaint page, with all that its canvas and its tools ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.geometry import Size
from pages.ui.shell import prepared, state


@dataclass(frozen=True, slots=True)
class OpenDraft:
    """draft: as it was read last. source: key of its picture. picture: the size of that, in pixels."""

    studio: Studio
    id: str
    draft: Draft
    source: str
    picture: Size

    @classmethod
    def read(cls, studio: Studio, id: str) -> OpenDraft | None:
        """None while no picture is open."""
        draft = studio.drafts.get(id)
        if draft is None or draft.source is None:
            return None
        return cls(studio, id, draft, draft.source, prepared.picture_size(studio, draft.source))

    def read_again(self) -> OpenDraft:
        """As it is stored now; for a callback, which runs long after the buttons were drawn."""
        draft = self.studio.drafts.get(self.id)
        return self if draft is None or draft.source != self.source else replace(self, draft=draft)

    def changed(self, **changes: Any) -> OpenDraft:
        """Store these changes of the draft, which do not concern its picture, over what is stored now."""
        return replace(self, draft=state.change_draft(self.studio, self.id, **changes))
