"""The rows: paging, the trash, limits, migrations."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from core.domain.draft import Draft
from core.domain.errors import DatabaseConflict, DatabaseUnusable, InvalidInput, InvalidMove
from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.paging import Cursor
from core.domain.generation import Generation, Relation, Status
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.record import Record
from db.connection import make_engine
from db.drafts import DraftRepo
from db.gallery import GalleryRepo
from db.generations import GenerationRepo
from db.tables import Table
from db.upgrade import upgrade

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_generation(id: str, created_at: datetime = START, **values) -> Generation:
    return Generation(
        id=id,
        status=Status.QUEUED,
        params=values.pop("params", InpaintParams(prompt=id)),
        device="cpu",
        source="sha256:s",
        mask="sha256:m",
        width=10,
        height=20,
        created_at=created_at,
        **values,
    )


@pytest.fixture
def engine(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'studio.db'}")
    upgrade(engine)
    return engine


@pytest.fixture
def repo(engine) -> GenerationRepo:
    return GenerationRepo(engine)


@pytest.fixture
def gallery(engine) -> GalleryRepo:
    return GalleryRepo(engine)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 7))
def test_paging_shows_every_row_once_also_when_many_share_one_instant(tmp_path_factory, seconds, limit):
    engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('paging') / 'studio.db'}")
    upgrade(engine)
    gallery = GalleryRepo(engine)
    GenerationRepo(engine).add([a_generation(f"{n:03}", START + timedelta(seconds=s)) for n, s in enumerate(seconds)])

    seen, cursor = [], None
    while True:
        page = gallery.browse(GalleryFilter(), cursor, limit)
        assert len(page.generations) <= limit
        seen += page.generations
        cursor = page.next and Cursor.from_text(page.next.to_text())
        if cursor is None:
            break

    assert [g.id for g in seen] == [
        id for _, id in sorted(((s, f"{n:03}") for n, s in enumerate(seconds)), reverse=True)
    ]
    engine.dispose()


def test_a_row_comes_back_as_it_was_put(repo):
    repo.add([a_generation("parent")])
    generation = a_generation(
        "child",
        parent_id="parent",
        relation=Relation.VARIATION,
        session="s",
        source_name="ünïcode.png",
        params=InpaintParams(prompt="'; DROP TABLE generations; --", seed=2**32 - 1),
        record=Record.of({"crop": [1, 2, 3, 4]}),
    )

    repo.add([generation])

    assert repo.get("child") == generation


def test_a_batch_is_added_whole_or_not_at_all(repo, gallery):
    repo.add([a_generation("a")])

    with pytest.raises(DatabaseConflict):
        repo.add([a_generation("b"), a_generation("a")])

    assert gallery.count(GalleryFilter()) == 1


def test_the_trash_hides_a_row_until_it_is_restored(repo, gallery):
    repo.add([a_generation("a"), a_generation("b")])
    repo.request_cancel("a", START)

    assert gallery.set_deleted(["a"], START) == 1

    assert [g.id for g in gallery.browse(GalleryFilter(), None, 9).generations] == ["b"]
    assert [g.id for g in gallery.browse(GalleryFilter(in_trash=True), None, 9).generations] == ["a"]
    gallery.set_deleted(["a"], None)
    assert gallery.count(GalleryFilter()) == 2


def test_what_is_being_painted_cannot_be_thrown_away(studio):
    from tests.conftest import a_request

    [id] = studio.generations.submit(a_request())

    with pytest.raises(InvalidMove, match="Cancel it first"):
        studio.gallery.trash([id])


def test_filters_by_status_model_and_parent(repo, gallery):
    repo.add(
        [a_generation("a"), a_generation("b", params=InpaintParams(model="sd14")), a_generation("c", parent_id="a")]
    )
    repo.request_cancel("c", START)

    def ids(**filter):
        return {g.id for g in gallery.browse(GalleryFilter(**filter), None, 9).generations}

    assert ids(statuses=(Status.CANCELLED,)) == {"c"}
    assert ids(models=("sd14",)) == {"b"}
    assert ids(parent_id="a") == {"c"}


@pytest.mark.slow_but_first
@pytest.mark.parametrize("column", ["num_inference_steps", "guidance_scale", "strength", "seed"])
def test_the_database_refuses_what_is_outside_the_limits_of_the_domain(repo, engine, column):
    repo.add([a_generation("a")])

    for value in (PARAMETERS[column].low - 1, PARAMETERS[column].high + 1):
        with pytest.raises(InvalidInput), engine.begin() as connection:
            connection.execute(text(f"UPDATE generations SET {column} = {value}"))


def test_the_migrations_make_the_tables_that_the_code_expects(engine, tmp_path):
    declared = make_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    Table.metadata.create_all(declared)

    migrated, expected = inspect(engine), inspect(declared)
    for table in Table.metadata.tables:
        columns = {c["name"]: (str(c["type"]), c["nullable"]) for c in migrated.get_columns(table)}
        assert set(columns) == {c["name"] for c in expected.get_columns(table)}
        assert {c["name"]: c["nullable"] for c in expected.get_columns(table)} == {n: c[1] for n, c in columns.items()}
        assert {i["name"]: i["column_names"] for i in migrated.get_indexes(table)} == {
            i["name"]: i["column_names"] for i in expected.get_indexes(table)
        }
        assert {c["name"]: c["sqltext"] for c in migrated.get_check_constraints(table)} == {
            c["name"]: c["sqltext"] for c in expected.get_check_constraints(table)
        }


def test_upgrading_twice_is_harmless_and_two_at_once_do_it_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    problems = []

    def start() -> None:
        try:
            upgrade(make_engine(url))
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert problems == []
    upgrade(make_engine(url))


def test_a_database_of_a_newer_version_is_left_alone(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(DatabaseUnusable, match="newer version"):
        upgrade(engine)


def test_a_file_that_is_no_database_is_reported_with_a_message(tmp_path):
    (tmp_path / "studio.db").write_bytes(b"this is not a database, and it is long enough to be looked at" * 20)

    with pytest.raises(DatabaseUnusable):
        upgrade(make_engine(f"sqlite:///{tmp_path / 'studio.db'}"))


def test_a_wrong_cursor_is_reported_with_a_message():
    for text_ in ("", "%%%", "bm90IGpzb24=", "WzEsMl0="):
        with pytest.raises(InvalidInput):
            Cursor.from_text(text_)


def test_a_draft_comes_back_as_it_was_saved(engine):
    drafts = DraftRepo(engine)
    draft = Draft(
        source="sha256:x",
        notes=("a", "b"),
        drawing='{"objects":[]}',
        params={"seed": 3},
        generations=("g",),
        relation=Relation.CONTINUATION,
        parent_id="p",
    )

    drafts.save("d", Draft(), START)
    drafts.save("d", draft, START)

    assert drafts.get("d") == draft
    assert drafts.get("other") is None
