"""The one place that knows every class: it puts the studio together from settings and a loader of models."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from PIL.Image import Image
from sqlalchemy.engine import make_url

from core.dispatch.none import NoDispatcher
from core.dispatch.regularly import Regularly
from core.domain.environment import AUTOMATIC, Device, Environment
from core.domain.errors import StudioError
from core.domain.geometry import Bounds
from core.domain.model_file import FileKind, ModelFile
from core.domain.params import AUTO_DTYPE, MAX_SEED, InpaintParams
from core.domain.selecting import Selected, Selection
from core.memory import free_memory, own_memory_mb
from core.ports import Dispatcher, FileLibrary, Inpainter, KeptHashes, LoadInpainter, ModelCatalogue, ModelStore
from core.services.backups import Backups
from core.services.bundle import Bundles
from core.services.collector import Collector
from core.services.controlnets import ControlNets
from core.services.downloads import Downloads
from core.services.draft_files import DraftFiles
from core.services.drafts import Drafts
from core.services.embeddings import Embeddings
from core.services.exports import Exports
from core.services.families import Families
from core.services.file_hashes import FileHashes
from core.services.gallery import Gallery
from core.services.generations import Generations
from core.services.housekeeping import Housekeeping
from core.services.imports import Imports
from core.services.loras import Loras
from core.services.machine import Machine
from core.services.model_cache import ModelCache
from core.services.model_checks import ModelChecks
from core.services.models import Models
from core.services.patience import Patience
from core.services.pictures import Pictures
from core.services.presets import Presets
from core.services.prompts import Prompts
from core.services.queue import Queue
from core.services.recommendations import Recommendations
from core.services.references import References
from core.services.replays import Replays, ReplaySteps
from core.services.reproduction import Reproductions
from core.services.selections import Selections
from core.services.sheets import Sheets
from core.services.speeds import Speeds
from core.services.statistics import Statistics
from core.services.upscales import Upscales
from core.services.vaes import Vaes
from core.services.worker import Worker
from core.services.workers import Presence, Workers
from core.settings import Settings
from core.storage.local import LocalImageStore
from core.storage.reserve import LocalReserve
from db.connection import make_engine, sqlite_file
from db.downloads import DownloadRepo
from db.drafts import DraftRepo
from db.families import FamilyRepo
from db.files import FileRepo
from db.gallery import GalleryRepo
from db.generations import GenerationRepo
from db.imports import ImportRepo
from db.model_checks import ModelCheckRepo
from db.model_files import ModelFileRepo
from db.opening import open_database
from db.presets import PresetRepo
from db.queue import QueueRepo
from db.replays import ReplayRepo
from db.sheets import SheetRepo
from db.statistics import StatisticsRepo
from db.verifications import VerificationRepo
from db.workers import WorkerRepo

PATIENT = Patience()

WILDCARDS = Path(__file__).parents[1] / "assets" / "wildcards"


class Engine(StrEnum):
    """Which process imports the engine's libraries, and so knows the machine.

    HERE: this one. WORKER: never this one; a worker tells of the machine through its row. EITHER: a worker as long as
    one is there, else this one.
    """

    HERE = "here"
    WORKER = "worker"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Studio:
    """What pages and the command line talk to. It can be shared by all sessions of one process."""

    settings: Settings
    generations: Generations
    sheets: Sheets
    presets: Presets
    queue: Queue
    gallery: Gallery
    collector: Collector
    housekeeping: Regularly
    backups: Backups
    reproductions: Reproductions
    statistics: Statistics
    bundles: Bundles
    exports: Exports
    imports: Imports
    families: Families
    replays: Replays
    upscales: Upscales
    pictures: Pictures
    selections: Selections
    drafts: Drafts
    draft_files: DraftFiles
    recommendations: Recommendations
    speeds: Speeds
    models: ModelCatalogue
    library: Models
    model_checks: ModelChecks
    downloads: Downloads
    loras: Loras
    controlnets: ControlNets
    embeddings: Embeddings
    vaes: Vaes
    references: References
    machine: Machine
    workers: Workers
    worker: Worker
    presence: Presence
    dispatcher: Dispatcher

    @property
    def database_title(self) -> str:
        """Which database, without a password that its URL may hold."""
        return make_url(self.settings.url).render_as_string(hide_password=True)


def build_studio(
    settings: Settings,
    load_inpainter: LoadInpainter,
    *,
    catalogue: ModelCatalogue | None = None,
    store: ModelStore | None = None,
    dispatcher: Callable[[Worker], Dispatcher] = lambda worker: NoDispatcher(),
    resolve_device: Callable[[str], str] | None = None,
    engine: Engine = Engine.HERE,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    patience: Patience = PATIENT,
) -> Studio:
    """load_inpainter: a ModelCache around make_loader(settings). The rest has a default for real use.

    engine: which process knows the machine.
    """
    logging.getLogger("core").setLevel(settings.log_level)
    reserve = LocalReserve(settings.data / "reserve")
    database = open_database(settings.url, make_engine, reserve.give)
    repo, files, images = GenerationRepo(database), FileRepo(database), LocalImageStore(settings.images, now)
    verifications, queue = VerificationRepo(database), QueueRepo(database)
    families, replays = Families(FamilyRepo(database)), ReplayRepo(database)
    worker_rows = WorkerRepo(database)
    workers = Workers(worker_rows, repo, verifications, host_name(), now)
    here = _machine_here(settings, resolve_device)
    machine = _machine_for(engine, here, workers)
    replay_steps = ReplaySteps(replays, repo, images, now, new_id)
    worker = Worker(
        _worker_name(),
        repo,
        verifications,
        queue,
        images,
        load_inpainter,
        now,
        resolve_device=here.resolve,
        follow_up=replay_steps.advance,
        patience=patience,
    )
    dispatching = dispatcher(worker)
    statistics = Statistics(StatisticsRepo(database))
    models = catalogue or make_catalogue(settings)
    model_files = ModelFileRepo(database)
    library = Models(
        model_files, store or make_store(settings), models, workers, free_memory, now, settings.offload != "whole"
    )
    _keep_hashes(FileHashes(model_files, now))
    loras = Loras(make_file_library(settings, FileKind.LORA, library.about), models)
    control_files = make_file_library(settings, FileKind.CONTROLNET, library.about)
    controlnets = ControlNets(control_files, models, images, draw_hint)
    vaes = Vaes(make_file_library(settings, FileKind.VAE, library.about), models)
    adapter_files, encoder_files = (
        make_file_library(settings, kind, library.about) for kind in (FileKind.IP_ADAPTER, FileKind.IMAGE_ENCODER)
    )
    references = References(adapter_files, models, images, encoder_files)
    embeddings = Embeddings(make_file_library(settings, FileKind.EMBEDDING, library.about), models)
    prompts = Prompts(
        (WILDCARDS, settings.wildcards),
        lambda params: _check(params, loras, vaes, controlnets, references),
        embeddings.resolved,
    )
    generations = Generations(repo, images, dispatching, machine.resolve, now, new_id, random_seed, prompts, references)
    sheets = SheetRepo(database)
    recommendations = Recommendations(models, settings.model)
    speeds = Speeds(recommendations, models, loras.library, vaes.library, machine.devices, images)
    pictures = Pictures(images, settings.max_pixels)
    drafts = Drafts(DraftRepo(database), images, pictures, recommendations, now, new_id)
    collector = Collector(files, images, now, new_id)
    bundles = Bundles(repo, files, sheets, images, now, new_id)
    gallery = Gallery(GalleryRepo(database), repo, files, images, collector, reserve, now)
    backups = make_backups(settings, now)
    # Where it cannot be said now, it is said before anything is thrown away.
    with suppress(StudioError):
        collector.check_owner()
    return Studio(
        settings=settings,
        generations=generations,
        sheets=Sheets(sheets, repo, images, generations, speeds, now, new_id),
        presets=Presets(PresetRepo(database), now),
        queue=Queue(queue, repo, dispatching, now, statistics.estimates_s),
        gallery=gallery,
        collector=collector,
        housekeeping=Regularly(Housekeeping(gallery, collector, images, backups, reserve).run),
        backups=backups,
        reproductions=Reproductions(verifications, repo, images, dispatching, now, new_id),
        statistics=statistics,
        bundles=bundles,
        exports=Exports(images),
        imports=Imports(
            repo,
            ImportRepo(database),
            images,
            bundles,
            lambda: [spec.key for spec in models.listed()],
            now,
            new_id,
            pictures,
        ),
        pictures=pictures,
        selections=Selections(select),
        families=families,
        replays=Replays(
            repo=replays,
            steps=replay_steps,
            families=families,
            generations=repo,
            images=images,
            dispatcher=dispatching,
            resolve_device=machine.resolve,
            now=now,
            new_id=new_id,
        ),
        upscales=Upscales(generations, library, models, settings.max_pixels),
        drafts=drafts,
        draft_files=DraftFiles(drafts, repo, files, settings.max_pixels),
        recommendations=recommendations,
        speeds=speeds,
        models=models,
        downloads=Downloads(DownloadRepo(database), models, worker.name, now, patience),
        library=library,
        model_checks=ModelChecks(ModelCheckRepo(database), library, worker.name, now, patience),
        loras=loras,
        controlnets=controlnets,
        embeddings=embeddings,
        vaes=vaes,
        references=references,
        machine=machine,
        workers=workers,
        worker=worker,
        presence=Presence(
            name=worker.name,
            host=host_name(),
            pid=os.getpid(),
            repo=worker_rows,
            machine=here,
            models=load_inpainter if isinstance(load_inpainter, ModelCache) else ModelCache(load_inpainter),
            memory_mb=own_memory_mb,
            now=now,
        ),
        dispatcher=dispatching,
    )


def make_backups(settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Backups:
    """Apart from the studio, which a damaged database keeps from opening. Raises InvalidSettings."""
    return Backups(sqlite_file(settings.url), settings.backup_folder, settings.backups, now)


def make_catalogue(settings: Settings) -> ModelCatalogue:
    from core.engine.models.catalogue import Catalogue

    return Catalogue(settings)


def make_store(settings: Settings) -> ModelStore:
    from core.engine.models.catalogue import Catalogue
    from core.engine.models.library import LocalModels

    return LocalModels(settings, Catalogue(settings))


def make_file_library(settings: Settings, kind: FileKind, read: Callable[[Path], ModelFile]) -> FileLibrary:
    """read: what a file is, by its header."""
    from core.engine.models.named_files import NamedFiles

    return NamedFiles.watched(settings, kind, read)


def _keep_hashes(kept: KeptHashes) -> None:
    from core.engine.models import fingerprint

    fingerprint.keep_in(kept)


def make_loader(settings: Settings) -> LoadInpainter:
    """Loads a model each time it is called; put a ModelCache around it."""

    def load(model: str, device: str, *, dtype: str = AUTO_DTYPE, smaller: bool = False) -> Inpainter:
        from core.engine.loading import load as load_model
        from core.engine.models.catalogue import Catalogue

        return load_model(model, device, Catalogue(settings), settings, dtype=dtype, smaller=smaller)

    return load


def find_devices() -> Sequence[Device]:
    from core.engine.device import devices

    return devices()


def environment_of(device: Device) -> Environment:
    from core.engine.device import environment

    return environment(device)


def check_weights(params: InpaintParams) -> None:
    from core.engine.run.prompts import check

    check(params)


def draw_hint(picture: Image, kind: str) -> Image:
    from core.engine.control.hints import drawn

    return drawn(picture, kind)


def select(picture: Image, kind: Selection, box: Bounds | None) -> Sequence[Selected]:
    from core.engine.selecting.select import select as select_in

    return select_in(picture, kind, box)


def warm_up() -> None:
    """Import the engine's libraries, so that the first picture does not wait for them."""
    from core.engine.loading import warm_up as import_libraries

    import_libraries()


def new_id() -> str:
    """12 hex digits: short enough for an address bar; a million rows collide with a chance below 0.2 %."""
    return secrets.token_hex(6)


def random_seed() -> int:
    return secrets.randbelow(MAX_SEED + 1)


def host_name() -> str:
    return socket.gethostname()[:40]


def _check(params: InpaintParams, *further: Loras | ControlNets | Vaes | References) -> None:
    check_weights(params)
    for files in further:
        files.check(params)


def _worker_name() -> str:
    return f"{host_name()}-{os.getpid()}-{secrets.token_hex(4)}"


def _machine_here(settings: Settings, resolve_device: Callable[[str], str] | None) -> Machine:
    def resolve(wish: str) -> str:
        from core.engine.device import resolve as resolve_device

        return resolve_device(settings.device if wish == AUTOMATIC else wish).key

    return Machine(find_devices, environment_of, resolve_device or resolve)


def _machine_for(engine: Engine, here: Machine, workers: Workers) -> Machine:
    told = Machine(workers.devices, workers.environment, workers.resolve)
    if engine is not Engine.EITHER:
        return here if engine is Engine.HERE else told

    def known() -> Machine:
        return told if workers.is_there() and workers.machine() is not None else here

    return Machine(
        lambda: known().devices(), lambda device: known().environment(device), lambda wish: known().resolve(wish)
    )
