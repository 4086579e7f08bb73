"""How long the gallery takes with many rows, beside the schema and queries of InvokeAI 6.14 on the same rows.

    python -m tests.benchmarks.gallery --rows 100000 --rows 1000000

Ours is asked through GalleryRepo, from the filter to finished Generation values. The other side is plain SQL through
sqlite3, without making values of the rows, and without its service on top: that favours it. A page there is two
queries, as in its own service: the page and the count of all. It has no tags, ratings, filters by model, and no search
index; where it has no such question, the nearest one is asked. Each question is asked with changing values.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text

from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.paging import PAGE_ROWS, Cursor, Sort
from core.domain.generation import Generation, Status
from core.domain.hashing import canonical_json
from core.domain.params import InpaintParams
from core.services.statistics import Statistics
from db.connection import make_engine
from db.gallery import GalleryRepo
from db.generations import GenerationRepo
from db.mapping import number_at
from db.statistics import StatisticsRepo
from db.tables import GenerationRow, GenerationTagRow, TagRow
from db.upgrade import upgrade

BATCH = 10_000
EVERYTHING = GalleryFilter()
START = datetime(2025, 1, 1, tzinfo=UTC)
EVERY_S = 31

COMMON = re.findall(
    r"\w+",
    """
    a the of with in on red blue green old small large soft light dark wooden stone photo portrait painting detailed
    cinematic sofa garden cat dog sky sea forest castle window table house street man woman child flower tree river
    mountain night sunset vintage marble gold silver glass metal modern ancient city lamp chair balloon bird boat car
    """,
)
SYLLABLES = re.findall(r"\w+", "ka lo mi ren sta vor tel qui bra fen dol ais nor pel zan thu gri mos war eld")
MODELS = {"pocket-inpaint": 50, "sd15-inpainting": 30, "sd14": 15, "owner/dreamshaper-8-inpainting": 5}
SCHEDULERS = {"model-default": 50, "ddim": 15, "unipc": 15, "dpmpp-2m-karras": 10, "euler": 8, "lcm": 2}
DEVICES = {"cpu": 80, "cuda:0": 20}
STATUSES = {"succeeded": 930, "failed": 30, "cancelled": 30, "interrupted": 10}
VERDICTS = {"EXACT": 95, "CLOSE": 4, "DIFFERENT": 1}
TAGS = [f"{word} {n}" for word in ("project", "client", "print", "idea", "series") for n in range(8)]
NEGATIVES = ("", "", "blurry, lowres", "text, watermark, signature")
SIZES = ((512, 512), (768, 512), (1024, 768), (1536, 1024), (3000, 2000), (4000, 3000))


def some(weights: dict[str, int], random: random.Random) -> str:
    return random.choices(list(weights), list(weights.values()))[0]


class Rows:
    """The same rows for both sides, made again from the seed each time they are gone through."""

    def __init__(self, count: int) -> None:
        self.count = count
        chance = random.Random(1)
        rare = ["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(4000)]
        self.rare = rare
        self.prompts = [
            " ".join(
                chance.choice(COMMON) if chance.random() < 0.7 else rare[int(chance.paretovariate(0.9)) % len(rare)]
                for _ in range(chance.randint(5, 20))
            )
            for _ in range(20_000)
        ]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self.row(n) for n in range(self.count))

    def row(self, n: int) -> dict[str, Any]:
        chance = random.Random(n)
        status = some(STATUSES, chance)
        width, height = chance.choice(SIZES)
        params = {
            "prompt": chance.choice(self.prompts),
            "negative_prompt": chance.choice(NEGATIVES),
            "model": some(MODELS, chance),
            "scheduler": some(SCHEDULERS, chance),
            "num_inference_steps": chance.choice((4, 8, 20, 50)),
            "guidance_scale": 7.5,
            "strength": 1.0,
            "seed": chance.getrandbits(32),
        }
        created_at = START + timedelta(seconds=n * EVERY_S, microseconds=chance.randrange(1_000_000))
        return params | {
            "number": number_at(created_at),
            "id": f"{n:012x}",
            "status": status,
            "created_at": created_at,
            "params": params,
            "source": _key(chance),
            "mask": _key(chance),
            "width": width,
            "height": height,
            "output": _key(chance) if status == "succeeded" else None,
            "thumbnail": _key(chance) + ".webp",
            "pixels_sha256": _key(chance),
            "device": some(DEVICES, chance),
            "runtime_s": chance.expovariate(0.1) if status == "succeeded" else None,
            "parent_id": f"{chance.randrange(max(0, n - 50), n):012x}" if n and chance.random() < 0.3 else None,
            "relation": None,
            "favourite": chance.random() < 0.02,
            "rating": chance.randint(1, 5) if chance.random() < 0.1 else None,
            "deleted_at": created_at if status != "running" and chance.random() < 0.01 else None,
            "tags": chance.sample(TAGS, chance.randint(1, 3)) if chance.random() < 0.1 else [],
            "verdict": some(VERDICTS, chance) if status == "succeeded" and chance.random() < 0.1 else None,
            "working_px": 512 * 512,
        }


def _key(chance: random.Random) -> str:
    return f"sha256:{chance.getrandbits(256):064x}"


# About as long as a real one.
RECORD = json.dumps(
    {
        "processing_version": 1,
        "crop": [100, 100, 612, 612],
        "working_size": [512, 512],
        "effective_steps": 20,
        "mask_coverage": 0.1,
        "outside_mask_unchanged": True,
        "model": {"key": "sd15-inpainting", "repository": "owner/name", "revision": "0" * 40, "native_px": 512},
        "inpainter": {
            "noise_sha256": "sha256:" + "0" * 64,
            "weights": {f"file-{n}.safetensors": "0" * 64 for n in range(6)},
            "scheduler": {f"option_{n}": n / 7 for n in range(20)},
        },
    }
)


# Ours ----------------------------------------------------------------------------------------------------------


def fill(engine, rows: Rows) -> None:
    """Goes on where it was interrupted."""
    with engine.begin() as connection:
        done = connection.scalar(select(func.count()).select_from(GenerationRow)) or 0
        if not done:
            connection.execute(insert(TagRow), [{"id": n, "name": t, "folded": t} for n, t in enumerate(TAGS, 1)])
    made: list[dict[str, Any]] = []
    for n in range(done, rows.count):
        made.append(rows.row(n))
        if len(made) == BATCH:
            _write(engine, made)
            made = []
    if made:
        _write(engine, made)
    with engine.begin() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _write(engine, rows: list[dict[str, Any]]) -> None:
    generations = [
        {k: v for k, v in row.items() if k not in ("params", "tags")}
        | {"params_json": canonical_json(InpaintParams(**row["params"]).to_dict()), "record_json": RECORD}
        | {"tags": "\n".join(sorted(row["tags"]))}
        for row in rows
    ]
    tagged = [{"tag_id": TAGS.index(t) + 1, "number": row["number"]} for row in rows for t in row["tags"]]
    with engine.begin() as connection:
        connection.execute(insert(GenerationRow), generations)
        connection.execute(insert(GenerationTagRow), tagged)


def our_questions(repo: GalleryRepo, rows: Rows, chance: random.Random) -> dict[str, Callable[[], Any]]:
    def browse(filter: GalleryFilter = EVERYTHING, cursor=None):
        return repo.browse(filter, cursor, PAGE_ROWS)

    def at_depth():
        return browse(cursor=Cursor(rows.row(chance.randrange(rows.count))["number"]))

    def three_filters() -> GalleryFilter:
        return GalleryFilter(
            models=(some(MODELS, chance),), schedulers=(some(SCHEDULERS, chance),), rating=chance.randint(1, 5)
        )

    def a_month() -> GalleryFilter:
        first = date(2025, 1, 1) + timedelta(days=chance.randrange(max(1, rows.count * EVERY_S // 86400 - 30)))
        return GalleryFilter(since=first, until=first + timedelta(days=30), statuses=(Status.SUCCEEDED,))

    def common(**more) -> GalleryFilter:
        return GalleryFilter(text=chance.choice(COMMON), **more)

    def rare(**more) -> GalleryFilter:
        return GalleryFilter(text=chance.choice(rows.rare[50:]), **more)

    def middling() -> GalleryFilter:
        return GalleryFilter(text=chance.choice(rows.rare[2:20]))

    def phrase() -> GalleryFilter:
        return GalleryFilter(text='"{}"'.format(" ".join(chance.choice(rows.prompts).split()[:2])))

    statistics, generations = Statistics(StatisticsRepo(repo._engine)), GenerationRepo(repo._engine)
    added = iter(range(rows.count, rows.count + 10_000))

    def a_new_one() -> Generation:
        row = rows.row(next(added))
        return Generation(
            id=f"{chance.getrandbits(48):012x}",
            status=Status.QUEUED,
            params=InpaintParams(**row["params"]),
            device="cpu",
            source=row["source"],
            mask=row["mask"],
            width=512,
            height=512,
            created_at=row["created_at"],
        )

    def any_id() -> str:
        return f"{chance.randrange(rows.count):012x}"

    return {
        "first page": browse,
        "page at depth": at_depth,
        "page, three filters (model, scheduler, rating)": lambda: browse(three_filters()),
        "page, a tag and favourites": lambda: browse(GalleryFilter(tags=(chance.choice(TAGS),), favourite=True)),
        "page, 30 days and status": lambda: browse(a_month()),
        "page, by rating": lambda: browse(GalleryFilter(sort=Sort.BEST)),
        "page, slowest of a model": lambda: browse(GalleryFilter(sort=Sort.SLOWEST, models=(some(MODELS, chance),))),
        "page, a verdict": lambda: browse(GalleryFilter(verdicts=(some(VERDICTS, chance),))),
        "page of the trash": lambda: browse(GalleryFilter(in_trash=True)),
        "search, common word": lambda: browse(common()),
        "search, middling word": lambda: browse(middling()),
        "search, rare word": lambda: browse(rare()),
        "search, beginning of a word": lambda: browse(GalleryFilter(text=chance.choice(COMMON[10:])[:3] + "*")),
        "search, phrase": lambda: browse(phrase()),
        "search, common word and three filters": lambda: browse(
            common(models=(some(MODELS, chance),), favourite=True, rating=chance.randint(1, 5))
        ),
        "search, common word by rating": lambda: browse(common(sort=Sort.BEST)),
        "search, middling word by runtime": lambda: browse(
            GalleryFilter(text=chance.choice(rows.rare[2:20]), sort=Sort.FASTEST)
        ),
        "count, all": lambda: repo.count(GalleryFilter()),
        "count, three filters": lambda: repo.count(three_filters()),
        "count, common word": lambda: repo.count(common()),
        "facets, all": lambda: repo.facets(GalleryFilter()),
        "facets, three filters": lambda: repo.facets(three_filters()),
        "facets, common word": lambda: repo.facets(common()),
        "facets, 30 days and status": lambda: repo.facets(a_month()),
        "statistics, durations": lambda: statistics.run_times(EVERYTHING),
        "statistics, days": lambda: statistics.daily_counts(EVERYTHING),
        "the estimate of a run": lambda: statistics.estimate_s(InpaintParams(model=some(MODELS, chance)), "cpu"),
        "open one": lambda: generations.get(any_id()),
        "rate one": lambda: repo.change([any_id()], rating=chance.randint(1, 5)),
        "add one": lambda: generations.add([a_new_one()]),
    }


# InvokeAI 6.14: its tables, its kind of questions --------------------------------------------------------------

PEER_TABLES = """
CREATE TABLE images (image_name TEXT NOT NULL PRIMARY KEY, image_origin TEXT NOT NULL, image_category TEXT NOT NULL,
  width INTEGER NOT NULL, height INTEGER NOT NULL, session_id TEXT, node_id TEXT, metadata TEXT,
  is_intermediate BOOLEAN DEFAULT FALSE, created_at DATETIME NOT NULL DEFAULT(STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')),
  updated_at DATETIME NOT NULL DEFAULT(STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')), deleted_at DATETIME,
  starred BOOLEAN DEFAULT FALSE, has_workflow BOOLEAN DEFAULT FALSE, user_id TEXT DEFAULT 'system',
  image_subfolder TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX idx_images_image_name ON images(image_name);
CREATE INDEX idx_images_image_origin ON images(image_origin);
CREATE INDEX idx_images_image_category ON images(image_category);
CREATE INDEX idx_images_created_at ON images(created_at);
CREATE INDEX idx_images_starred ON images(starred);
CREATE INDEX idx_images_user_id ON images(user_id);
CREATE TABLE boards (board_id TEXT NOT NULL PRIMARY KEY, board_name TEXT NOT NULL);
CREATE TABLE board_images (board_id TEXT NOT NULL, image_name TEXT NOT NULL PRIMARY KEY,
  created_at DATETIME NOT NULL DEFAULT(STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')));
CREATE INDEX idx_board_images_board_id ON board_images(board_id);
CREATE INDEX idx_board_images_board_id_created_at ON board_images(board_id, created_at);
"""
BOARDS = 20


def fill_peer(file: Path, rows: Rows) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    for pragma in ("foreign_keys=ON", "journal_mode=WAL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.executescript(PEER_TABLES)
    connection.executemany("INSERT INTO boards VALUES (?, ?)", [(str(n), f"board {n}") for n in range(BOARDS)])
    images, boards = [], []
    for row in rows:
        images.append(_peer_row(row))
        boards.append((str(row["seed"] % BOARDS), row["id"] + ".png"))
        if len(images) == BATCH:
            _write_peer(connection, images, boards)
            images, boards = [], []
    _write_peer(connection, images, boards)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return connection


def _peer_row(row: dict[str, Any]) -> tuple:
    metadata = {
        "app_version": "6.14.2",
        "generation_mode": "inpaint",
        "positive_prompt": row["prompt"],
        "negative_prompt": row["negative_prompt"],
        "width": 512,
        "height": 512,
        "seed": row["seed"],
        "steps": row["num_inference_steps"],
        "cfg_scale": 7.5,
        "scheduler": row["scheduler"],
        "model": {"key": row["id"], "hash": "blake3:" + "0" * 64, "name": row["model"], "base": "sd-1", "type": "main"},
    }
    at = row["created_at"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return (
        row["id"] + ".png",
        "internal",
        "general",
        row["width"],
        row["height"],
        row["id"],
        "n",
        json.dumps(metadata),
        False,
        row["favourite"],
        at,
        "user",
    )


PEER_INSERT = (
    "INSERT INTO images (image_name, image_origin, image_category, width, height, session_id, node_id, metadata, "
    "is_intermediate, starred, created_at, user_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def _write_peer(connection: sqlite3.Connection, images: list, boards: list) -> None:
    connection.executemany(PEER_INSERT, images)
    connection.executemany("INSERT INTO board_images (board_id, image_name) VALUES (?, ?)", boards)
    connection.commit()


def peer_questions(connection: sqlite3.Connection, rows: Rows, chance: random.Random) -> dict[str, Callable[[], Any]]:
    joined = "FROM images LEFT JOIN board_images ON board_images.image_name = images.image_name WHERE 1=1"

    def page(*, board: str | None = None, search: str | None = None, offset: int = 0, starred: bool = True):
        where, values = " AND images.image_category IN (?) AND images.is_intermediate = ?", ["general", False]
        if board is not None:
            where += " AND board_images.board_id = ?"
            values.append(board)
        if search is not None:
            where += " AND (images.metadata LIKE ? OR images.created_at LIKE ?)"
            values += [f"%{search.lower()}%"] * 2
        order = "images.starred DESC, images.created_at DESC" if starred else "images.created_at DESC"
        query = f"SELECT images.* {joined}{where} ORDER BY {order} LIMIT ? OFFSET ?"
        found = connection.execute(query, [*values, PAGE_ROWS, offset]).fetchall()
        return found, connection.execute(f"SELECT count(*) {joined}{where}", values).fetchone()

    def board() -> str:
        return str(chance.randrange(BOARDS))

    def count(search: str | None = None):
        where = " AND images.metadata LIKE ?" if search else ""
        return connection.execute(f"SELECT count(*) {joined}{where}", [f"%{search}%"] if search else []).fetchone()

    added = iter(range(rows.count, rows.count + 10_000))

    def add():
        row = rows.row(next(added))
        connection.execute(PEER_INSERT, _peer_row(row))
        connection.execute(
            "INSERT INTO board_images (board_id, image_name) VALUES (?, ?)", (board(), row["id"] + ".png")
        )
        connection.commit()

    def one():
        name = f"{chance.randrange(rows.count):012x}.png"
        return connection.execute("SELECT * FROM images WHERE image_name = ?", [name]).fetchone()

    return {
        "first page": page,
        "page at depth": lambda: page(offset=chance.randrange(rows.count)),
        "page, three filters (model, scheduler, rating)": lambda: page(board=board(), search=some(MODELS, chance)),
        "search, common word": lambda: page(search=chance.choice(COMMON)),
        "search, rare word": lambda: page(search=chance.choice(rows.rare[50:])),
        "count, all": lambda: count(),
        "count, common word": lambda: count(chance.choice(COMMON)),
        "open one": one,
        "add one": add,
    }


# Measuring -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds. wall: as a user waits, with whatever else the machine is doing. cpu: what it cost."""

    wall: list[float]
    cpu: list[float]

    def __str__(self) -> str:
        shown = (_at(taken, share) for taken in (self.wall, self.cpu) for share in (0.5, 0.95))
        return "".join(f" {ms:.1f} |" for ms in shown)


def _at(taken: list[float], share: float) -> float:
    return sorted(taken)[min(len(taken) - 1, round(share * len(taken)))]


def measure(ask: Callable[[], Any], times: int, longest_s: float = 30) -> Times:
    ask()
    taken = Times([], [])
    until = time.perf_counter() + longest_s
    while len(taken.wall) < times and (len(taken.wall) < 5 or time.perf_counter() < until):
        at, cpu = time.perf_counter(), time.process_time()
        ask()
        taken.wall.append((time.perf_counter() - at) * 1000)
        taken.cpu.append((time.process_time() - cpu) * 1000)
    return taken


def run(count: int, folder: Path, times: int, only: str, with_peer: bool) -> None:
    rows = Rows(count)
    engine = make_engine(f"sqlite:///{folder / f'ours-{count}.db'}")
    upgrade(engine)
    if GalleryRepo(engine).count(EVERYTHING) < 0.9 * count:
        at, cpu = time.perf_counter(), time.process_time()
        fill(engine, rows)
        print(
            f"ours: {count:,} rows in {time.perf_counter() - at:.0f} s (of the CPU {time.process_time() - cpu:.0f}), "
            f"{(folder / f'ours-{count}.db').stat().st_size / count:.0f} bytes a row",
            flush=True,
        )
    peers: dict[str, Callable[[], Any]] = {}
    if with_peer:
        at = time.perf_counter()
        connection = fill_peer(folder / f"peer-{count}.db", rows)
        size = (folder / f"peer-{count}.db").stat().st_size
        print(f"other: {count:,} rows in {time.perf_counter() - at:.0f} s, {size / count:.0f} bytes a row", flush=True)
        peers = peer_questions(connection, rows, random.Random(3))
    print(
        f"\n| {count:,} rows, ms | median | p95 | CPU | CPU p95 | InvokeAI median | p95 | CPU | CPU p95 |"
        "\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    for name, ask in our_questions(GalleryRepo(engine), rows, random.Random(2)).items():
        if only in name:
            line = f"| {name} |{measure(ask, times)}"
            print(line, measure(peers[name], times, longest_s=15) if name in peers else " | | | |", sep="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, action="append", help="may be given several times [100000]")
    parser.add_argument("--times", type=int, default=60, help="how often each question is asked")
    parser.add_argument("--only", default="", help="only questions with this in their name")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the databases, to measure them again")
    parser.add_argument("--alone", action="store_true", help="without the other side")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for count in options.rows or [100_000]:
            run(count, folder, options.times, options.only, not options.alone)


if __name__ == "__main__":
    main()
