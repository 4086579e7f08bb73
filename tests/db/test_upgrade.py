"""Databases of earlier versions: every row survives, and a migration that fails leaves everything as it was."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from core.domain.errors import DatabaseUnusable, StorageFull
from core.domain.gallery.filter import UNVERIFIED, GalleryFilter
from core.domain.guide import Guide, Role
from core.domain.hashing import canonical_json
from core.domain.params import InpaintParams
from db.connection import make_engine
from db.gallery import GalleryRepo
from db.generations import GenerationRepo
from db.migrating import _config
from db.upgrade import MIGRATIONS, upgrade

AT = "2026-01-01 00:00:00.{:06}"


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "studio.db"


@pytest.fixture
def engine(file):
    engine = make_engine(f"sqlite:///{file}")
    yield engine
    engine.dispose()


def insert(engine, id: str, microsecond: int, **values) -> None:
    """A row as the first version wrote it."""
    params = InpaintParams(prompt=values.pop("prompt", "a cat"))
    row = {
        "id": id,
        "status": "succeeded",
        "created_at": AT.format(microsecond),
        "params_json": canonical_json(params.to_dict()),
        "prompt": params.prompt,
        "negative_prompt": "",
        "model": params.model,
        "scheduler": params.scheduler,
        "num_inference_steps": 50,
        "guidance_scale": 7.5,
        "strength": 1.0,
        "seed": 0,
        "source": "sha256:s",
        "mask": "sha256:m",
        "width": 10,
        "height": 20,
        "device": "cpu",
        "record_json": "{}",
        **values,
    }
    with engine.begin() as connection:
        names = ", ".join(row)
        connection.execute(text(f"INSERT INTO generations ({names}) VALUES (:{', :'.join(row)})"), row)


def of_the_first_version(engine) -> None:
    upgrade(engine, to="0001")
    insert(engine, "b", 5, prompt="a red sofa", runtime_s=1.5)
    insert(engine, "a", 5, prompt="a blue sofa", parent_id="b", relation="variation")
    insert(engine, "c", 6, status="failed", error="ünïcode '", deleted_at=AT.format(9))
    insert(engine, "z", 1, status="interrupted", seed=2**32 - 1)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO progress (generation_id, phase, step, total) VALUES ('z', 'denoising', 1, 2)")
        )
        connection.execute(
            text("INSERT INTO drafts (id, updated_at, draft_json) VALUES ('d', :at, '{}')"), {"at": AT.format(1)}
        )


def everything(engine) -> dict[str, list]:
    with engine.connect() as connection:
        tables = ["drafts", "environments", "generations"]
        return {
            t: [dict(r._mapping) for r in connection.execute(text(f"SELECT * FROM {t} ORDER BY id"))] for t in tables
        }


def test_every_row_of_the_first_version_is_kept_and_found(engine):
    of_the_first_version(engine)
    before = everything(engine)

    upgrade(engine)

    after = everything(engine)
    assert after["drafts"] == [{**row, "person": None, "title": "", "deleted_at": None} for row in before["drafts"]]
    assert [{k: row[k] for k in old} for old, row in zip(before["generations"], after["generations"], strict=True)] == (
        before["generations"]
    )
    repo = GalleryRepo(engine)
    assert [g.id for g in repo.browse(GalleryFilter(), None, 9).generations] == ["b", "a", "z"]
    assert [g.id for g in repo.browse(GalleryFilter(text="sofa"), None, 9).generations] == ["b", "a"]
    assert [g.id for g in repo.browse(GalleryFilter(in_trash=True), None, 9).generations] == ["c"]
    assert repo.count(GalleryFilter()) == 3
    assert GenerationRepo(engine).get("a").created_at == datetime(2026, 1, 1, 0, 0, 0, 5, UTC)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        numbers = connection.execute(text("SELECT number FROM generations ORDER BY number")).scalars().all()
    assert numbers == [1767225600_000001, 1767225600_000005, 1767225600_000006, 1767225600_000007]


def test_verdicts_given_before_are_found_and_counted_and_sizes_are_read_from_the_records(engine):
    upgrade(engine, to="0003")
    for n, id in enumerate("abc"):
        insert(engine, id, n, number=n, runtime_s=2.0, record_json='{"working_size": [64, 32]}')
    insert(engine, "d", 3, number=3, record_json='{"imported": 1}', deleted_at=AT.format(9))
    given = [("a", "EXACT", 1), ("a", "DIFFERENT", 2), ("a", None, 3), ("b", "CLOSE", 1), ("c", None, 1)]
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO tags (id, name, folded) VALUES (1, 't', 't')"))
        connection.execute(text("INSERT INTO generation_tags (tag_id, number) VALUES (1, 0), (1, 3)"))
        for id, verdict, at in given:
            row = {"id": f"{id}{at}", "g": id, "at": AT.format(at), "verdict": verdict}
            columns = "id, generation_id, status, requested_at, verdict"
            values = ":id, :g, 'succeeded', :at, :verdict"
            connection.execute(text(f"INSERT INTO verifications ({columns}) VALUES ({values})"), row)

    upgrade(engine)

    repo = GalleryRepo(engine)
    assert [GenerationRepo(engine).get(id).verdict for id in "abcd"] == ["DIFFERENT", "CLOSE", None, None]
    assert [g.id for g in repo.browse(GalleryFilter(verdicts=("DIFFERENT",)), None, 9).generations] == ["a"]
    assert dict(repo.facets(GalleryFilter())["verdicts"]) == {"DIFFERENT": 1, "CLOSE": 1, UNVERIFIED: 1}
    assert dict(repo.facets(GalleryFilter(tags=("t",)))["verdicts"]) == {"DIFFERENT": 1}
    repo.untag(["a", "d"], ["t"])
    with engine.connect() as connection:
        assert connection.execute(text("SELECT working_px FROM generations ORDER BY id")).scalars().all() == (
            [2048, 2048, 2048, None]
        )
        assert connection.execute(text("SELECT sum(n) FROM facet_counts WHERE tag_id = 1")).scalar() == 0


def test_rows_from_before_there_were_guides_have_none_and_the_way_back_keeps_every_row(engine):
    upgrade(engine, to="0016")
    for n, id in enumerate("ab"):
        insert(engine, id, n, number=n)
    before = everything(engine)
    guide = Guide(Role.CONTROL, 0, "sha256:g")

    upgrade(engine)
    repo = GenerationRepo(engine)
    repo.add([replace(repo.get("a"), id="c", guides=(guide,))])

    assert [repo.get(id).guides for id in "abc"] == [(), (), (guide,)]
    with engine.begin() as connection:
        config = _config(MIGRATIONS)
        config.attributes["connection"] = connection
        connection.execute(text("DELETE FROM generations WHERE id = 'c'"))
        assert connection.execute(text("SELECT count(*) FROM guides")).scalar() == 0
        command.downgrade(config, "0016")
    assert everything(engine) == before


def test_an_empty_database_of_the_first_version_is_upgraded(engine):
    upgrade(engine, to="0001")

    upgrade(engine)

    assert GalleryRepo(engine).count(GalleryFilter()) == 0


def test_the_backup_holds_the_rows_as_they_were(engine, file):
    of_the_first_version(engine)
    before = everything(engine)

    upgrade(engine)

    backup = make_engine(f"sqlite:///{file}.backup")
    assert everything(backup) == before
    upgrade(backup)
    assert GalleryRepo(backup).count(GalleryFilter()) == 3
    backup.dispose()


@pytest.fixture
def failing(tmp_path):
    """Makes migrations of which the last does this, after it has changed a lot."""

    def make(last_words: str) -> Path:
        scripts = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, scripts)
        head = max(path.name for path in (scripts / "versions").glob("0*.py"))[:4]
        (scripts / "versions" / "9999_bad.py").write_text(
            f"revision, down_revision, branch_labels, depends_on = '9999', '{head}', None, None\n"
            "from alembic import op\n"
            "def upgrade():\n"
            "    op.execute('DELETE FROM drafts')\n"
            "    op.execute('ALTER TABLE generations ADD COLUMN extra TEXT')\n"
            f"    {last_words}\n"
        )
        return scripts

    return make


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "last_words",
    [
        "raise KeyError('a mistake')",
        "op.execute('SELECT * FROM nowhere')",
        "op.execute(\"UPDATE generations SET parent_id = 'nobody'\")",
        "raise KeyboardInterrupt",
    ],
    ids=["error", "wrong SQL", "broken reference", "Ctrl+C"],
)
def test_a_migration_that_fails_half_way_leaves_the_file_byte_for_byte_as_it_was(engine, file, failing, last_words):
    of_the_first_version(engine)
    before = everything(engine)
    engine.dispose()
    bytes_before = file.read_bytes()

    with pytest.raises((DatabaseUnusable, KeyboardInterrupt)):
        upgrade(engine, scripts=failing(last_words))

    assert everything(engine) == before
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    engine.dispose()
    assert file.read_bytes() == bytes_before
    upgrade(engine)
    assert GalleryRepo(engine).count(GalleryFilter()) == 3


def test_what_a_failing_migration_has_already_written_for_good_is_restored_from_the_backup(engine, file, failing):
    of_the_first_version(engine)
    before = everything(engine)

    with pytest.raises(DatabaseUnusable, match="left unchanged"):
        upgrade(engine, scripts=failing("op.execute('COMMIT'); raise KeyError('too late to roll back')"))

    assert everything(engine) == before
    upgrade(engine)
    assert GalleryRepo(engine).count(GalleryFilter()) == 3


def test_without_room_for_the_backup_nothing_is_changed(engine, file, monkeypatch):
    of_the_first_version(engine)
    before = everything(engine)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)

    with pytest.raises(StorageFull):
        upgrade(engine)

    assert everything(engine) == before
    assert not list(file.parent.glob("*.backup*"))


def test_the_backup_takes_what_another_process_has_not_yet_written_back(engine, file):
    of_the_first_version(engine)
    other = sqlite3.connect(file)
    other.execute("UPDATE generations SET prompt = 'changed a moment ago' WHERE id = 'a'")
    other.commit()

    upgrade(engine)

    other.close()
    with sqlite3.connect(f"{file}.backup") as backup:
        assert backup.execute("SELECT prompt FROM generations WHERE id = 'a'").fetchone() == ("changed a moment ago",)
    assert GenerationRepo(engine).get("a").id == "a"
