"""Finding, counting and organising, held against a plain look at the rows in Python."""

from __future__ import annotations

import os
import shutil
import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.domain.errors import GenerationNotFound, InvalidInput
from core.domain.gallery.filter import UNVERIFIED, VERDICTS, GalleryFilter
from core.domain.gallery.paging import Cursor, Sort
from core.domain.gallery.search_text import search_terms, words_of
from core.domain.generation import Generation, Relation, Status, Verdict
from core.domain.labels import folded
from core.domain.params import InpaintParams
from db import facets, plans
from db.connection import make_engine
from db.gallery import GalleryRepo
from db.generations import GenerationRepo
from db.mapping import first_free
from db.tables import GenerationRow
from db.text_search import contains_text
from db.upgrade import upgrade

START = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLES = int(os.environ.get("EXAMPLES", "10"))
"""For a thorough look after a change to db/search.py or db/plans.py: EXAMPLES=500."""

laws = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    file = tmp_path_factory.mktemp("empty") / "studio.db"
    engine = make_engine(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    return file


@pytest.fixture
def repo(empty_database, tmp_path):
    file = shutil.copy(empty_database, tmp_path / "studio.db")
    engine = make_engine(f"sqlite:///{file}")
    yield GalleryRepo(engine)
    engine.dispose()


def rows(repo: GalleryRepo) -> GenerationRepo:
    """Of the same database."""
    return GenerationRepo(repo._engine)


def filled(repo: GalleryRepo, generations: list[Generation]) -> list[Generation]:
    """In place of what was there. Returns them as they come back, with their tags."""
    with repo._sessions.begin() as session:
        session.execute(text("PRAGMA defer_foreign_keys=ON"))
        session.execute(text("DELETE FROM generations"))
    rows(repo).add([replace(generation, tags=()) for generation in generations])
    for tag in {tag for generation in generations for tag in generation.tags}:
        repo.tag([generation.id for generation in generations if tag in generation.tags], [tag])
    for verdict in Verdict:
        repo.change([generation.id for generation in generations if generation.verdict is verdict], verdict=verdict)
    return [rows(repo).get(generation.id) for generation in generations]


WORDS = ["red", "Red", "reddish", "sofa", "café", "cafe", "CAFÉ", "x1", "猫", "🎈", "naïve"]
texts = st.lists(st.sampled_from([*WORDS, ",", "-", '"', "*", "(", "a.b"]), max_size=6).map(" ".join) | st.lists(
    st.sampled_from(WORDS), max_size=4
).map("-".join)


@st.composite
def galleries(draw, max_size: int = 25) -> list[Generation]:
    generations: list[Generation] = []
    for n in range(draw(st.integers(0, max_size))):
        parents = [None, *(g.id for g in generations)]
        status = draw(st.sampled_from(list(Status)))
        created_at = START + timedelta(hours=draw(st.integers(0, 80)), milliseconds=draw(st.integers(0, 2)))
        generations.append(
            Generation(
                id=f"{n:03}",
                status=status,
                device=draw(st.sampled_from(["cpu", "cuda:0"])),
                source="s",
                mask="m",
                params=InpaintParams(
                    prompt=draw(texts),
                    negative_prompt=draw(texts),
                    model=draw(st.sampled_from(["m1", "m2"])),
                    scheduler=draw(st.sampled_from(["ddim", "lcm"])),
                ),
                width=draw(st.sampled_from([64, 512, 2000])),
                height=draw(st.sampled_from([64, 512])),
                created_at=created_at,
                parent_id=draw(st.sampled_from(parents)),
                deleted_at=None if status.is_active else draw(st.sampled_from([None, None, START])),
                favourite=draw(st.booleans()),
                rating=draw(st.sampled_from([None, None, 1, 3, 5])),
                runtime_s=draw(st.sampled_from([None, 0.0, 0.1, 2.5])),
                title=draw(texts),
                notes=draw(texts),
                tags=tuple(sorted(draw(st.sets(st.sampled_from(["red", "blue sky"]), max_size=2)))),
                verdict=draw(st.sampled_from([None, None, Verdict.EXACT, Verdict.DIFFERENT])),
            )
        )
    return generations


filters = st.builds(
    GalleryFilter,
    text=st.just("") | texts | st.sampled_from(["red*", "RED", '"red sofa"', "caf*", '"cafe red*', "naive", "🎈", "!"]),
    statuses=st.just(()) | st.lists(st.sampled_from(list(Status)), max_size=3).map(tuple),
    models=st.sampled_from([(), (), ("m1",), ("m1", "m2"), ("other",)]),
    devices=st.sampled_from([(), (), ("cpu",)]),
    schedulers=st.sampled_from([(), (), ("lcm",)]),
    tags=st.sampled_from([(), (), ("red",), ("RED", "blue sky"), ("no such tag",)]),
    verdicts=st.sampled_from([(), (), ("EXACT",), ("CLOSE",), ("different", "EXACT"), (UNVERIFIED,), VERDICTS[1:]]),
    rating=st.sampled_from([None, None, 1, 3]),
    favourite=st.sampled_from([None, None, True, False]),
    has_parent=st.sampled_from([None, None, True, False]),
    parent_id=st.sampled_from([None, None, None, "000"]),
    min_px=st.sampled_from([None, None, 512]),
    max_px=st.sampled_from([None, None, 1999]),
    since=st.sampled_from([None, None, date(2026, 1, 2)]),
    until=st.sampled_from([None, None, date(2026, 1, 2)]),
    in_trash=st.sampled_from([False, False, False, True]),
    sort=st.sampled_from(list(Sort)),
)


def matches(filter: GalleryFilter, g: Generation) -> bool:
    """What the filter says, in plain Python."""
    texts = [g.params.prompt, g.params.negative_prompt, g.notes, g.title, *g.tags]
    terms = search_terms(filter.text)
    day = g.created_at.date()
    return (
        (g.deleted_at is not None) is filter.in_trash
        and (not filter.text or bool(terms) and all(any(holds(t, term) for t in texts) for term in terms))
        and (not filter.statuses or g.status in filter.statuses)
        and (not filter.models or g.params.model in filter.models)
        and (not filter.devices or g.device in filter.devices)
        and (not filter.schedulers or g.params.scheduler in filter.schedulers)
        and {folded(t) for t in filter.tags} <= {folded(t) for t in g.tags}
        and (not filter.verdicts or (g.verdict or UNVERIFIED) in filter.verdicts)
        and (filter.rating is None or (g.rating or 0) >= filter.rating)
        and filter.favourite in (None, g.favourite)
        and filter.has_parent in (None, g.parent_id is not None)
        and filter.parent_id in (None, g.parent_id)
        and (filter.min_px or 0) <= max(g.width, g.height) <= (filter.max_px or 10**9)
        and (filter.since or date.min) <= day <= (filter.until or date.max)
    )


def holds(text: str, term) -> bool:
    words, wanted = [plain(w) for w in words_of(text)], [plain(w) for w in term.words]
    for at in range(len(words) - len(wanted) + 1):
        here = words[at : at + len(wanted)]
        if here[:-1] == wanted[:-1] and (here[-1].startswith(wanted[-1]) if term.prefix else here[-1] == wanted[-1]):
            return True
    return False


def plain(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(c))


def in_order(generations: list[Generation], sort: Sort) -> list[str]:
    def value(g: Generation):
        return 0 if sort.column == "created_at" else getattr(g, sort.column)

    # By number: ties in time stand in the order in which they were added.
    placed = sorted(enumerate(generations), key=lambda pair: (pair[1].created_at, pair[0]), reverse=sort.descending)
    have = [g for _, g in placed if value(g) is not None]
    have.sort(key=value, reverse=sort.descending)
    return [g.id for g in have] + [g.id for _, g in placed if value(g) is None]


WAYS = {
    "as it chooses": {},
    "through the search": {"QUICK_US": 1e12, "FOUND_US": 0.0, "PROBE_US": 1e9},
    "through tags": {"QUICK_US": 0.0, "FOUND_US": 1e-6, "STEP_US": 1e6, "PROBE_US": 0.0},
    "through one filter": {"QUICK_US": 0.0, "FOUND_US": 1e-6, "STEP_US": 1e6, "PROBE_US": 0.0},
    "through the favourites": {
        "QUICK_US": 0.0,
        "FOUND_US": 1e6,
        "STEP_US": 1e6,
        "PROBE_US": 0.0,
        "NARROW_US": 0.0,
    },
    "in the gallery's order": {"QUICK_US": 0.0, "FOUND_US": 1e6, "STEP_US": 0.0, "PROBE_US": 0.0},
}


@pytest.mark.slow
@laws
@given(st.data())
def test_any_question_is_answered_as_by_a_plain_look_at_every_row(repo, monkeypatch, data):
    """Whichever way the rows are read."""
    generations = filled(repo, data.draw(galleries()))
    for _ in range(6):
        filter = data.draw(filters)
        expected = in_order([g for g in generations if matches(filter, g)], filter.sort)
        with monkeypatch.context() as patch:
            for name, value in WAYS[data.draw(st.sampled_from(list(WAYS)))].items():
                patch.setattr(plans, name, value)

            found = repo.browse(filter, None, 99).generations

            assert [g.id for g in found] == expected
            assert repo.count(filter) == len(expected)
            assert_facets_agree(repo, filter, generations)


def assert_facets_agree(repo: GalleryRepo, filter: GalleryFilter, generations: list[Generation]) -> None:
    values = {
        "statuses": lambda g: [g.status],
        "models": lambda g: [g.params.model],
        "devices": lambda g: [g.device],
        "schedulers": lambda g: [g.params.scheduler],
        "favourite": lambda g: [g.favourite],
        "rating": lambda g: [g.rating],
        "has_parent": lambda g: [g.parent_id is not None],
        "tags": lambda g: g.tags,
        "in_trash": lambda g: [g.deleted_at is not None],
        "verdicts": lambda g: [g.verdict or UNVERIFIED],
    }
    for facet, counts in repo.facets(filter).items():
        expected: dict = {}
        for open_filter in (
            {filter, replace(filter, in_trash=not filter.in_trash)}
            if facet == "in_trash"
            else {facets.without(filter, facet)}
        ):
            for g in generations:
                if matches(open_filter, g):
                    for value in values[facet](g):
                        expected[value] = expected.get(value, 0) + 1
        assert dict(counts) == expected, facet


@pytest.mark.slow
@laws
@given(galleries(), st.sampled_from(list(Sort)), st.integers(1, 7), filters)
def test_paging_in_every_order_shows_every_row_once_and_leads_back_again(repo, gallery, sort, limit, filter):
    filter = replace(filter, sort=sort, statuses=(), models=(), since=None, until=None)
    generations = filled(repo, gallery)

    seen, cursors = [], [None]
    while True:
        page = repo.browse(filter, cursors[-1], limit)
        seen += [g.id for g in page.generations]
        if page.next is None:
            break
        assert len(page.generations) == limit
        cursors.append(Cursor.from_text(page.next.to_text()))

    assert seen == in_order([g for g in generations if matches(filter, g)], sort)
    for before, cursor in zip(cursors[:-1], cursors[1:], strict=True):
        assert repo.page_before(filter, cursor, limit) == before


def test_a_cursor_of_another_order_is_refused_with_a_message(repo):
    filled(repo, [a_generation(n) for n in range(3)])
    cursor = repo.browse(GalleryFilter(sort=Sort.BEST), None, 1).next

    for ask in (repo.browse, repo.page_before):
        with pytest.raises(InvalidInput, match="sorted by “best”, not “newest”"):
            ask(GalleryFilter(), cursor, 1)


def test_a_page_does_not_move_when_rows_are_added_meanwhile(repo):
    filled(repo, [a_generation(n) for n in range(6)])
    first = repo.browse(GalleryFilter(), None, 3)

    rows(repo).add([a_generation(9)])

    assert [g.id for g in repo.browse(GalleryFilter(), first.next, 3).generations] == ["002", "001", "000"]


def a_generation(n: int, **values) -> Generation:
    params = InpaintParams(prompt=values.pop("prompt", f"picture {n}"))
    return Generation(
        id=f"{n:03}",
        status=values.pop("status", Status.SUCCEEDED),
        params=params,
        device="cpu",
        source="s",
        mask="m",
        width=64,
        height=64,
        created_at=START + timedelta(seconds=n),
        **values,
    )


# Search text ---------------------------------------------------------------------------------------------------


@laws
@given(st.text(max_size=60) | st.text(alphabet="\"*()-+:^{}AND OR NOT NEAR,a'%_\\;", max_size=60))
def test_nothing_a_user_writes_is_a_syntax_error(repo, words):
    try:
        filter = GalleryFilter(text=words)
    except InvalidInput:
        return

    for sort in (Sort.NEWEST, Sort.BEST):
        assert repo.browse(replace(filter, sort=sort), None, 9).generations == ()
    assert repo.count(filter) == 0
    repo.facets(filter)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("sofa", True),
        ("SOFA", True),
        ("sof", False),
        ("sof*", True),
        ('"red sofa"', True),
        ('"sofa red"', False),
        ("sofa red", True),
        ('"red so*', False),
        ('"red so"*', True),
        ("cafe", True),
        ("keeper", True),
        ("blurry", True),
        ("later", True),
        ("holiday red", True),
        ("prompt:sofa", False),
        ("red OR nothing", False),
        ("red -sofa", True),
        ("'; DROP TABLE generations; --", False),
    ],
)
def test_words_beginnings_and_phrases_are_found_in_all_texts(repo, words, found):
    generation = a_generation(1, prompt="A red sofa, café", title="The keeper", notes="print it later")
    generation = replace(generation, params=generation.params.changed(negative_prompt="blurry"), tags=("Holiday",))
    filled(repo, [generation, a_generation(2)])

    assert repo.count(GalleryFilter(text=words)) == found


def test_what_changes_is_found_under_its_new_words_and_no_longer_under_the_old(repo):
    filled(repo, [a_generation(n) for n in range(3)])

    repo.change(["001"], notes="a first note", title="old name")
    repo.change(["001"], notes="a second note", title="new name")
    repo.tag(["001"], ["sunny"])
    repo.untag(["001"], ["sunny"])

    assert [repo.count(GalleryFilter(text=t)) for t in ("second", "new", "first", "old", "sunny")] == [1, 1, 0, 0, 0]


def test_without_a_search_index_words_are_found_all_the_same(repo):
    filled(repo, [a_generation(1, prompt="a red_sofa 100%"), a_generation(2, prompt="a blue chair")])

    def found(words: str) -> list[str]:
        with Session(repo._engine) as session:
            return list(session.scalars(select(GenerationRow.id).where(contains_text(GalleryFilter(text=words)))))

    assert found("red") == ["001"]
    assert found("CHAIR a") == ["002"]
    assert found("red*") == ["001"]
    assert found("%") == []
    assert found("purple") == []


# Organising ----------------------------------------------------------------------------------------------------


ACTIONS = [
    lambda repo, some: repo.change(some, favourite=True),
    lambda repo, some: repo.change(some, rating=4),
    lambda repo, some: repo.change(some, rating=None, notes="nothing red"),
    lambda repo, some: repo.change(some, verdict=Verdict.CLOSE),
    lambda repo, some: repo.tag(some, ["red", "Blue Sky"]),
    lambda repo, some: repo.untag(some, ["RED"]),
    lambda repo, some: repo.set_deleted(some, START),
    lambda repo, some: repo.set_deleted(some, None),
    lambda repo, some: repo.purge(START),
    lambda repo, some: [rows(repo).request_cancel(id, START) for id in some],
]


@pytest.mark.slow
@laws
@given(st.data())
def test_counts_and_search_index_stay_true_whatever_is_done(repo, data):
    gallery = data.draw(galleries(12))
    filled(repo, gallery)
    ids = [g.id for g in gallery]
    for _ in range(data.draw(st.integers(0, 12)) if ids else 0):
        some = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=5))
        some = [id for id in some if exists(repo, id)]
        data.draw(st.sampled_from(ACTIONS))(repo, some)

    with repo._engine.begin() as connection:
        values = (
            "deleted_at IS NOT NULL, status, model, device, scheduler, favourite, coalesce(rating, 0), "
            "parent_id IS NOT NULL, coalesce(verdict, ''), count(*)"
        )
        groups = "GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
        true = {tuple(r) for r in connection.execute(text(f"SELECT 0, {values} FROM generations {groups}"))}
        true |= {
            tuple(r)
            for r in connection.execute(
                text(f"SELECT tag_id, {values} FROM generation_tags JOIN generations USING (number) {groups}")
            )
        }
        kept = {tuple(r) for r in connection.execute(text("SELECT * FROM facet_counts WHERE n <> 0"))}
        assert kept == true
        # Raises if the index and the texts differ.
        connection.execute(text("INSERT INTO generation_texts (generation_texts, rank) VALUES ('integrity-check', 1)"))
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


def exists(repo: GalleryRepo, id: str) -> bool:
    try:
        return bool(rows(repo).get(id))
    except GenerationNotFound:
        return False


def test_a_change_of_many_is_made_to_all_or_to_none(repo):
    filled(repo, [a_generation(n) for n in range(3)])

    for change in (
        lambda: repo.change(["000", "nobody"], favourite=True),
        lambda: repo.tag(["000", "nobody"], ["x"]),
        lambda: repo.untag(["nobody"], ["x"]),
    ):
        with pytest.raises(GenerationNotFound):
            change()

    assert not rows(repo).get("000").favourite
    assert repo.tags() == []


def test_tags_that_differ_in_case_only_are_one_and_unused_ones_are_forgotten(repo):
    filled(repo, [a_generation(n) for n in range(2)])

    repo.tag(["000", "001"], ["Straße"])
    repo.tag(["000"], ["STRASSE", "b"])
    repo.untag(["000", "001"], ["strasse"])

    assert repo.tags() == ["b"]
    assert rows(repo).get("000").tags == ("b",)


@pytest.mark.parametrize("rating", [0, 6, -1])
def test_the_database_refuses_a_rating_that_is_none(repo, rating):
    filled(repo, [a_generation(1)])

    with pytest.raises(InvalidInput, match="outside"):
        repo.change(["001"], rating=rating)


# Removing ------------------------------------------------------------------------------------------------------


def test_children_outlive_their_parent_and_remember_that_there_was_one(repo):
    filled(repo, [a_generation(1), a_generation(2, parent_id="001", relation=Relation.VARIATION)])
    repo.set_deleted(["001"], START)

    assert repo.purge(START) == (1, {"s", "m"})

    child = rows(repo).get("002")
    assert (child.parent_id, child.relation) == (None, Relation.VARIATION)
    assert repo.count(GalleryFilter(has_parent=True)) == 0


def test_only_what_lies_in_the_trash_for_long_enough_is_removed(repo):
    filled(repo, [a_generation(n) for n in range(3)])
    repo.set_deleted(["000"], START)
    repo.set_deleted(["001"], START + timedelta(days=2))

    repo.purge(START, before=START + timedelta(days=1))

    assert [exists(repo, id) for id in ("000", "001", "002")] == [False, True, True]


@given(st.sets(st.integers(0, 60)), st.integers(0, 60))
def test_a_free_number_is_found_behind_the_run_of_taken_ones(taken, wanted):
    found = first_free(wanted, taken.__contains__)

    assert found not in taken
    assert found == wanted if wanted not in taken else found - 1 in taken and found > wanted


def test_many_pictures_of_one_instant_keep_the_order_in_which_they_were_added(repo):
    rows(repo).add([replace(a_generation(n), created_at=START) for n in range(200)])

    page = repo.browse(GalleryFilter(sort=Sort.OLDEST), None, 200)

    assert [g.id for g in page.generations] == [f"{n:03}" for n in range(200)]
