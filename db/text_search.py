"""The search index: what a search text asks of it, and of rows where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, column, false, or_, table

from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.search_text import Term, search_terms
from db.tables import GenerationRow

TEXTS = table("generation_texts", column("rowid"), column("generation_texts"))


def fts_query(terms: Sequence[Term]) -> str:
    """Each term as a quoted string, so that nothing a user writes is ever read as syntax."""
    return " ".join('"{}"{}'.format(" ".join(term.words), "*" if term.prefix else "") for term in terms)


def matches_text(filter: GalleryFilter) -> ColumnElement[bool]:
    terms = search_terms(filter.text)
    if not terms:
        return false()
    return TEXTS.c.generation_texts.op("MATCH", is_comparison=True)(fts_query(terms))


def contains_text(filter: GalleryFilter) -> ColumnElement[bool]:
    """Without a search index: each term somewhere in the texts, also inside of a word."""
    row = GenerationRow
    texts = (row.prompt, row.negative_prompt, row.notes, row.title, row.tags)
    terms = search_terms(filter.text)
    found = [or_(*(text.icontains(" ".join(term.words), autoescape=True) for text in texts)) for term in terms]
    return and_(*found) if found else false()
