"""The models on this machine: what each is, whether it fits, how often it was used; and which others can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.domain.errors import StudioError, UnknownModel
from core.domain.hashing import canonical_json, sha256_of
from core.domain.model import ModelSpec
from core.domain.model_file import ModelFile
from core.domain.model_library import (
    BYTES,
    FLOAT32,
    PAINT,
    Checked,
    FileHash,
    Found,
    KindFilter,
    MemoryPlan,
    ModelEntry,
    ModelUse,
    Place,
    Told,
    Verified,
    gigabytes,
)
from core.ports import ModelCatalogue, ModelStore, OnDownload
from core.services.workers import Workers
from db.model_files import ModelFileRepo

LISTED = {
    KindFilter.LORA: "loras",
    KindFilter.EMBEDDING: "embeddings",
    KindFilter.VAE: "vae",
    KindFilter.CONTROLNET: "controlnet",
    KindFilter.IP_ADAPTER: "ip_adapter",
    KindFilter.IMAGE_ENCODER: "image_encoder",
}
"""Fields of records that list the files of a kind."""

NAMED = 10
"""Models that a sentence names."""


@dataclass(frozen=True, slots=True)
class Models:
    """free_memory: bytes of this machine's memory that are free. offloads: whether a card may hold a model in parts."""

    repo: ModelFileRepo
    store: ModelStore
    catalogue: ModelCatalogue
    workers: Workers
    free_memory: Callable[[], int]
    now: Callable[[], datetime]
    offloads: bool = True
    _seen: dict[tuple[str, int, int], ModelFile | None] = field(default_factory=dict)

    def here(self) -> Sequence[ModelEntry]:
        """All models on this machine, by name. Of a file that was not seen before, the header is read."""
        found = self.store.found()
        files = [one for one in found if one.path is not None and not one.is_folder]
        told = dict(self.repo.told(files, self.store.rules))
        news = {one: self.store.tell(one) for one in files if one.key not in told}
        if news:
            # It is only to be quick the next time.
            with suppress(StudioError):
                self.repo.learn(news, self.store.rules)
        told |= {one.key: about for one, about in news.items()}
        checked = self.repo.checked()
        return [self._entry(one, told.get(one.key) or self.store.tell(one), checked) for one in found]

    def about(self, path: Path) -> ModelFile:
        """What the header of a file tells, read only if it was never seen. Raises UnsafeWeights, DamagedModel."""
        with suppress(OSError):
            state = path.stat()
            seen = (str(path), state.st_size, state.st_mtime_ns)
            if seen not in self._seen:
                self._seen.update({_seen(entry.found): entry.told.about for entry in self.here()})
            if (about := self._seen.setdefault(seen, None)) is not None:
                return about
        return self.store.about(path)

    def find(self, name: str) -> ModelEntry:
        """By its key, or by its name where only one has it. Raises UnknownModel."""
        entries = self.here()
        wanted = name.strip()
        for called in (_keys, _names, _folded):
            fitting = [entry for entry in entries if wanted in called(entry) or wanted.casefold() in called(entry)]
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                keys = ", ".join(entry.key for entry in fitting[:NAMED])
                raise UnknownModel(f"{wanted} can be several models. Give one of: {keys}.")
        raise UnknownModel(f"There is no model {wanted[:200]} on this machine. See: python -m core models list")

    def available(self) -> Sequence[ModelSpec]:
        """Those of the tables that are not on this machine, or not whole: models, then what is added to them."""
        specs = (*self.catalogue.listed(), *self.catalogue.additions())
        return [spec for spec in specs if not self.catalogue.is_ready(spec.key)]

    def uses(self, entries: Iterable[ModelEntry]) -> Mapping[str, ModelUse]:
        """Of those that were used, by their keys. LoRAs and embeddings by the hash of the file, or else by its name."""
        entries = list(entries)
        uses = dict(self.repo.uses([entry.key for entry in entries if entry.kind in PAINT]))
        for kind, listed in LISTED.items():
            files = [entry for entry in entries if entry.kind is kind]
            of_files = self.repo.uses_of_files(listed) if files else {}
            for entry in files:
                if use := of_files.get(entry.sha256 or entry.found.title):
                    uses[entry.key] = use
        return uses

    def plan(self, entry: ModelEntry) -> MemoryPlan | None:
        """Whether its weights fit on the automatic device; None for what is not loaded alone, or not told."""
        told = entry.told
        return None if told.needs is None else self._plan(told.needs, bears_half=told.bears_half, of_unet=told.of_unet)

    def plan_for(self, spec: ModelSpec) -> MemoryPlan | None:
        """The same of a model that is not here yet, as far as the table says what it needs."""
        if spec.memory_gb is None:
            return None
        needs = int(spec.memory_gb * 1e9) * FLOAT32 // BYTES[spec.memory_dtype]
        return self._plan(needs, bears_half=spec.memory_dtype != "float32", native_px=spec.native_px)

    def free_disk(self) -> int:
        """Bytes that are free where downloads are kept."""
        return self.store.free_disk()

    def prepared(self) -> int:
        """Bytes of the copies of weights that are kept in eight bits."""
        return self.store.prepared()

    def remove_prepared(self) -> int:
        """Returns the bytes that are free again. Raises StorageFull."""
        return self.store.remove_prepared()

    def picture(self, entry: ModelEntry) -> bytes | None:
        """A small JPEG of what it does."""
        path = entry.found.path
        return None if path is None or entry.found.is_folder else self.store.picture(path)

    def trigger_words(self, entry: ModelEntry) -> Sequence[str]:
        """As its owner wrote them down, else as its trainer did."""
        path = entry.found.path
        written = () if path is None or entry.found.is_folder else self.store.words(path)
        return written or entry.trigger_words

    def verify(self, name: str, on_progress: OnDownload = lambda done, total: None) -> Verified:
        """Read all of it, and keep its hash. Raises UnknownModel, DamagedModel, or what on_progress raises."""
        return self.check(self.find(name), on_progress)

    def check(self, entry: ModelEntry, on_progress: OnDownload = lambda done, total: None) -> Verified:
        """As verify."""
        found, before = entry.found, entry.checked.hashed
        hashes = self.store.hashes(found, on_progress)
        sha256 = next(iter(hashes.values()))
        if found.is_folder:
            sha256 = sha256_of(canonical_json(sorted(hashes.items())).encode())
        self.repo.keep_hash(str(found.stored), FileHash(sha256, found.state, self.now()))
        if before is None:
            return Verified(sha256, None, f"{found.title} is readable. Its hash is kept for the next time.")
        if before.sha256 == sha256:
            return Verified(sha256, True, f"{found.title} is the same as on {before.at:%d %b %Y}.")
        return Verified(
            sha256,
            False,
            f"{found.title} is not the same as on {before.at:%d %b %Y}: pictures made with it before will verify "
            "as different.",
        )

    def add(self, path: Path, *, link: bool = False) -> ModelEntry:
        """Raises InvalidInput or ModelUnavailable for what cannot be used, StorageFull."""
        return self.find(str(self.store.add(path, link=link)))

    def loss(self, entry: ModelEntry) -> str:
        """What its removal would cost, in words. Raises UnknownModel for what is not to be removed from here."""
        if not entry.is_removable:
            where = "It is bundled" if entry.found.place is Place.BUNDLED else "It lies in a folder of another program"
            raise UnknownModel(f"{entry.found.title} cannot be removed here. {where}.")
        sentences = [f"This deletes {entry.found.title} ({gigabytes(entry.found.size)})"]
        use = self.uses([entry]).get(entry.key)
        if use is not None:
            sentences.append(
                f"{use.count:,} generations were made with it: their pictures stay, but they cannot be verified or run "
                "again without it"
            )
        if entry.found.place is Place.HUB:
            sentences.append(
                "It lies in the hub's cache, which other programs share. It can be downloaded again as long as the hub "
                "has it"
            )
        return ". ".join(sentences) + "."

    def remove(self, name: str) -> ModelEntry:
        """Returns what was deleted. Raises UnknownModel, InvalidInput or StorageFull."""
        entry = self.find(name)
        self.loss(entry)
        stored = entry.found.stored
        self.store.remove(entry.found)
        with suppress(StudioError):
            for path in (entry.found.path, stored):
                self.repo.forget(str(path))
        return entry

    def _entry(self, found: Found, told: Told, checked: Mapping[str, Checked]) -> ModelEntry:
        licence = url = None
        if found.is_folder or found.path is None or found.place is Place.HUB:
            with suppress(StudioError):
                spec = self.catalogue.find(found.key)
                licence, url = spec.licence, spec.licence_url or spec.url
        return ModelEntry(found, told, licence, url, checked.get(found.stored or "", Checked()))

    def _free(self) -> int:
        """With what the worker would give back for another model."""
        worker = self.workers.newest()
        given_back = worker.memory_mb if worker and worker.model and worker.memory_mb else 0
        return self.free_memory() + int(given_back * 1e6)

    def _plan(self, needs: int, *, bears_half: bool, of_unet: int = 0, native_px: int | None = None) -> MemoryPlan:
        machine = self.workers.machine()
        device = next((one for one in machine.devices if one.key == machine.automatic), None) if machine else None
        return MemoryPlan.of(
            needs,
            device,
            self._free(),
            bears_half=bears_half,
            of_unet=of_unet,
            native_px=native_px,
            offloads=self.offloads,
        )


def _seen(found: Found) -> tuple[str, int, int]:
    return str(found.path), found.size, found.mtime_ns


def _keys(entry: ModelEntry) -> Sequence[str]:
    return (entry.key, str(entry.found.path))


def _names(entry: ModelEntry) -> Sequence[str]:
    return (entry.found.title, entry.found.path.name) if entry.found.path else (entry.found.title,)


def _folded(entry: ModelEntry) -> Sequence[str]:
    return [name.casefold() for name in _names(entry)]
