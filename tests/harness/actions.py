"""What an artist does, drawn by chance, and what is said of it: before, what may go; after, what is acknowledged."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import StudioError
from core.domain.files.picture import Picture
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Origin, Status
from core.services.presets import KIND
from tests.harness.common import Say, in_short
from tests.harness.studio import Clock, a_bundle, a_picture, a_request, a_sheet, grow_old

UNTOUCHED_S = 20.0
"""An action of another process takes less: what it has just stored does not grow old under its hands."""

TAGS = ("portrait", "night", "sea")


@dataclass
class Artist:
    """clock: moved by days, if days may pass. say: heard by whoever checks afterwards."""

    studio: Studio
    chance: random.Random
    say: Say
    folder: Path
    template: bytes
    clock: Clock | None = None

    def do(self, name: str) -> None:
        """One action. A refusal in words is an answer; anything else is not."""
        try:
            ACTIONS[name](self)
        except StudioError as error:
            self.say(refused=f"{name}: {error.code}: {error}")
        except Exception as error:
            self.say(traceback=f"{name}: {in_short(error)}")

    def submit(self) -> None:
        seed, count = self._seed(), self.chance.randint(1, 2)
        ids = self.studio.generations.submit(a_request(seed), count=count, origin=Origin(source_name="photo.png"))
        self.say(submitted=ids, seeds=[seed + number for number in range(count)])

    def paint(self) -> None:
        waiting = self.studio.queue.view().waiting
        if self.studio.worker.run_next() and waiting:
            id = waiting[0].generation.id
            if (row := self.studio.gallery.get(id)).status is Status.SUCCEEDED:
                self.say(finished={id: [row.finished_at.isoformat(), row.output]})

    def rerun(self) -> None:
        for row in self._some(1, Status.SUCCEEDED):
            self.say(submitted=[self.studio.generations.rerun(row.id)], seeds=[row.params.seed])

    def trash(self) -> None:
        ids = [row.id for row in self._some(2)]
        self.say(trashing=ids)
        self.studio.gallery.trash(ids)

    def delete(self) -> None:
        ids = [row.id for row in self._some(2, in_trash=True)]
        self.say(deleting=ids)
        self.studio.gallery.delete_for_good(ids)
        self.say(deleted=ids)

    def trash_and_delete(self) -> None:
        """The original of a re-run that is being painted, say."""
        ids = [row.id for row in self._some(1, Status.SUCCEEDED)]
        self.say(trashing=ids, deleting=ids)
        self.studio.gallery.trash(ids)
        self.studio.gallery.delete_for_good(ids)
        self.say(deleted=ids)

    def be_rid_of(self) -> None:
        """The same, with everything that lies in the trash, and the files at once."""
        ids = [row.id for row in self._some(1, Status.SUCCEEDED)]
        self.say(trashing=ids, deleting=ids)
        self.studio.gallery.trash(ids)
        self.free()

    def empty_trash(self) -> None:
        ids = [row.id for row in self._some(200, in_trash=True)]
        self.say(deleting=ids, emptying=True)
        self.studio.gallery.empty_trash(all=True)

    def collect(self) -> None:
        """What is done every now and then, beside all work."""
        self.studio.collector.collect()

    def free(self) -> None:
        """Delete permanently what lies in the trash, and its files at once."""
        ids = [row.id for row in self._some(200, in_trash=True)]
        self.say(deleting=ids, emptying=True)
        self.studio.gallery.empty_trash(all=True, at_once=True)

    def restore(self) -> None:
        ids = [row.id for row in self._some(2, in_trash=True)]
        self.say(restoring=ids)
        self.studio.gallery.restore(ids)

    def draft(self) -> None:
        """A picture opened, painted on, and opened over: what it used is let go."""
        drafts = self.studio.drafts
        id = drafts.start()
        mask = drafts.images.put(a_request(self._seed()).mask.to_image())
        picture = Picture(a_picture(self.chance.randrange(100)))
        drafts.save(id, drafts.open_picture(drafts.get(id) or Draft(), picture, "photo.png").changed(base_mask=mask))
        self.say(draft=id)
        self.days_pass()
        other = Picture(a_picture(self.chance.randrange(100)))
        drafts.save(id, drafts.open_picture(drafts.get(id) or Draft(), other, "other.png"))

    def import_bundle(self) -> None:
        bundle = a_bundle(self.template, self.chance)
        about = {"ids": bundle.ids, "sheet": bundle.sheet, "tag": bundle.tag}
        self.say(importing=about)
        done = self.studio.imports.import_(io.BytesIO(bundle.data), "bundle.zip")
        if done.reason:
            raise StudioError(done.reason)
        self.say(imported=about)

    def sheet(self) -> None:
        seed = self._seed()
        made = a_sheet(self.studio, seed)
        ids = [row.id for row in made.generations]
        self.say(submitted=ids, seeds=[seed] * len(ids), sheet=made.id)

    def tag(self) -> None:
        ids = [row.id for row in self._some(2)]
        name = self.chance.choice(TAGS) if self.chance.random() < 0.5 else f"tag {self.chance.randrange(4)}"
        self.studio.gallery.tag(ids, [name])
        self.say(tagged=ids, tag=name)

    def untag(self) -> None:
        self.studio.gallery.tag([row.id for row in self._some(1)], ["passing"])
        self.studio.gallery.untag([row.id for row in self._some(3)], ["passing"])

    def verify(self) -> None:
        rows = self._some(1, Status.SUCCEEDED)
        self.studio.reproductions.verify([row.id for row in rows])
        self.say(verifying=[row.id for row in rows], seeds=[row.params.seed for row in rows])

    def check(self) -> None:
        self.studio.gallery.check(repair=True)

    def presets(self) -> None:
        names = [f"preset {self.chance.getrandbits(32):08x}" for _ in range(3)]
        values = {name: {"num_inference_steps": 5 + number} for number, name in enumerate(names)}
        self.say(presets=names)
        self.studio.presets.import_(json.dumps({"kind": KIND, "schema": 1, "presets": values}).encode())
        self.say(presets_taken=names)

    def replay(self) -> None:
        for row in self._some(1, Status.SUCCEEDED):
            self.say(replay=self.studio.replays.start(row.id), seeds=[row.params.seed])

    def days_pass(self) -> None:
        """One day, for this process's clock and for every file of the store."""
        if self.clock is not None:
            self.say(days=1)
            self.clock.ahead += timedelta(days=1)
            grow_old(self.folder)

    def files_grow_old(self) -> None:
        grow_old(self.folder, untouched_s=UNTOUCHED_S)

    def _seed(self) -> int:
        """Of one row, or a few in a row."""
        return self.chance.randrange(2**31) // 8 * 8

    def _some(self, most: int, *statuses: Status, in_trash: bool = False):
        filter = GalleryFilter(statuses=statuses, in_trash=in_trash)
        rows = [row for row in self.studio.gallery.browse(filter).generations if not row.is_imported_picture]
        return self.chance.sample(rows, min(most, len(rows)))


ACTIONS: dict[str, Callable[[Artist], None]] = {
    name: action for name, action in vars(Artist).items() if callable(action) and name[0] != "_" and name != "do"
}

ALONE = {
    "submit": 5,
    "paint": 8,
    "rerun": 3,
    "trash": 3,
    "delete": 2,
    "trash_and_delete": 1,
    "empty_trash": 1,
    "restore": 1,
    "draft": 2,
    "import_bundle": 2,
    "sheet": 2,
    "tag": 2,
    "untag": 1,
    "verify": 1,
    "check": 1,
    "presets": 1,
    "replay": 1,
    "days_pass": 1,
    "collect": 2,
    "free": 1,
}
"""How often each, by one artist whose clock may run."""

TOGETHER = {
    "submit": 5,
    "paint": 9,
    "rerun": 5,
    "trash": 3,
    "delete": 3,
    "trash_and_delete": 3,
    "empty_trash": 1,
    "restore": 1,
    "draft": 2,
    "import_bundle": 2,
    "sheet": 1,
    "tag": 4,
    "untag": 3,
    "verify": 1,
    "check": 2,
    "files_grow_old": 1,
    "collect": 2,
    "free": 1,
    "be_rid_of": 2,
}
"""By several processes on one folder."""


def drawn(chance: random.Random, weights: dict[str, int], count: int) -> list[str]:
    return chance.choices(list(weights), list(weights.values()), k=count)
