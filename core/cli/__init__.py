"""The command line: the same services without a browser.

With --json, standard output carries one JSON object a line and nothing else. Bad input ends with exit code 2 and one
sentence on standard error; a generation that failed with 1; one that was cancelled by Ctrl+C with 130, by SIGTERM
with 143.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from core.bootstrap import Studio, build_studio, make_catalogue, make_loader
from core.cli import running
from core.cli.output import FORCE, OUTPUT, PLACE, Output, place_of, write_result
from core.cli.running import Running, complain, errors, exit_codes
from core.dispatch.none import NoDispatcher
from core.domain.areas import advice, shares
from core.domain.errors import EmptyMask, InvalidImage, InvalidInput, InvalidMask, StudioError
from core.domain.generation import Generation, Status
from core.domain.geometry import Size
from core.domain.given_mask import GivenMask, given_mask, own_transparency
from core.domain.mask import Mask
from core.domain.modes import MODES
from core.domain.outpaint import OVERLAP_PX, Extension, extended, mask_of_extension
from core.domain.params import PARAMETERS, SCHEDULERS, InpaintParams
from core.domain.picture import MAX_FILE_BYTES, Picture
from core.domain.request import InpaintRequest
from core.files import read_regular, why
from core.services.generations import MAX_COUNT, Origin
from core.services.model_cache import ModelCache
from core.services.patience import Patience
from core.services.pictures import read as read_picture
from core.settings import Settings

app = typer.Typer(
    name="python -m core",
    help="Inpaint Studio without a browser.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
gallery_app = typer.Typer(help="What was made.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(gallery_app, name="gallery")


def _number(name: str, *flags: str) -> Any:
    """An option whose limits and explanation come from the domain."""
    parameter = PARAMETERS[name]
    limits = f"{parameter.low:g} to {parameter.high:.10g} {parameter.unit}".strip()
    return typer.Option(*flags, help=f"{parameter.help} [{limits}; default: what suits the model]")


def _text(name: str, *flags: str) -> Any:
    return typer.Option(*flags, help=PARAMETERS[name].help)


def _choice(name: str, *flags: str) -> Any:
    return typer.Option(*flags, help=f"{PARAMETERS[name].help} [{', '.join(PARAMETERS[name].choices or ())}]")


STRIP = Annotated[bool, typer.Option("--strip", help="Write the file without a word on how it was made.")]
JSON = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output, and nothing else.")]


@app.command()
def inpaint(
    source: Annotated[Path, typer.Argument(help="The picture: PNG, JPEG, WEBP or AVIF.")],
    mask: Annotated[
        Path | None,
        typer.Argument(
            help="The mask, of the picture's size: white is repainted, in a coloured one everything that is not "
            "black. It can be left out with --extend, and for a picture with transparent parts: these are repainted."
        ),
    ] = None,
    prompt: Annotated[str, _text("prompt", "--prompt")] = "",
    negative_prompt: Annotated[str, _text("negative_prompt", "--negative-prompt")] = "",
    model: Annotated[str | None, _text("model", "--model")] = None,
    seed: Annotated[int | None, _number("seed", "--seed")] = None,
    steps: Annotated[int | None, _number("num_inference_steps", "--steps")] = None,
    guidance_scale: Annotated[float | None, _number("guidance_scale", "--guidance-scale")] = None,
    strength: Annotated[float | None, _number("strength", "--strength")] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help=f"{PARAMETERS['scheduler'].help} [{', '.join(SCHEDULERS)}]")
    ] = None,
    size: Annotated[int | None, _number("size", "--size")] = None,
    grow: Annotated[int | None, _number("mask_grow_px", "--grow")] = None,
    feather: Annotated[int | None, _number("mask_feather_px", "--feather")] = None,
    padding: Annotated[int | None, _number("crop_padding_px", "--padding")] = None,
    mode: Annotated[
        str | None,
        typer.Option("--mode", help=f"Sets what suits a task; other options go before it. [{', '.join(MODES)}]"),
    ] = None,
    fill: Annotated[str | None, _choice("fill", "--fill")] = None,
    area: Annotated[str | None, _choice("area", "--area")] = None,
    refine_strength: Annotated[float | None, _number("refine_strength", "--refine-strength")] = None,
    colour_match: Annotated[float | None, _number("colour_match", "--colour-match")] = None,
    keep: Annotated[float | None, _number("keep_threshold", "--keep")] = None,
    soft_mask: Annotated[bool, _text("soft_mask", "--soft-mask")] = False,
    prompt_weights: Annotated[bool, _text("prompt_weights", "--prompt-weights")] = False,
    long_prompt: Annotated[bool, _text("long_prompt", "--long-prompt")] = False,
    variation_strength: Annotated[float | None, _number("variation_strength", "--variation-strength")] = None,
    variation_seed: Annotated[int | None, _number("variation_seed", "--variation-seed")] = None,
    extend: Annotated[
        str | None,
        typer.Option("--extend", help="More canvas, which is repainted: a shape such as 16:9, or left=64,bottom=128."),
    ] = None,
    overlap: Annotated[
        int, typer.Option("--overlap", help="With --extend: how far the mask reaches into the picture. [px]", min=0)
    ] = OVERLAP_PX,
    count: Annotated[
        int, typer.Option("--count", help=f"Pictures, with the seeds SEED, SEED + 1, ... [1 to {MAX_COUNT}]")
    ] = 1,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps or xpu.")] = "auto",
    output: OUTPUT = None,
    force: FORCE = False,
    strip: STRIP = False,
    gps: PLACE = False,
    as_json: JSON = False,
) -> None:
    """Repaint the masked part of a picture; the generation is kept in the gallery."""
    with exit_codes():
        picture = _read_picture(source)
        studio = make_studio()
        params = _params(
            studio, model, mode, prompt=prompt, negative_prompt=negative_prompt, seed=seed, num_inference_steps=steps,
            guidance_scale=guidance_scale, strength=strength, scheduler=scheduler, size=size, mask_grow_px=grow,
            mask_feather_px=feather, crop_padding_px=padding, fill=fill, area=area, refine_strength=refine_strength,
            colour_match=colour_match, keep_threshold=keep, soft_mask=soft_mask, prompt_weights=prompt_weights,
            long_prompt=long_prompt, variation_strength=variation_strength, variation_seed=variation_seed,
        )  # fmt: skip
        given = None if mask is None and extend else _given_mask(mask, picture.image)
        request = InpaintRequest(*_picture_and_mask(picture, given, extend, overlap), params)
        keep = [source, *([mask] if mask else [])]
        place = place_of(studio, output, request.image.size, several=count > 1, force=force, keep=keep)
        for note in (
            *picture.notes,
            *(given.notes if given else ()),
            *_few_pixels(request),
            *_prompt_notes(studio, params),
        ):
            errors.print(note, markup=False)
        # Loads the engine the first time: seconds in which Ctrl+C should end the command at once.
        device = studio.device(device)
        exif = studio.pictures.keep_exif(picture)
        origin = Origin(session="command line", source_name=source.name, source_exif=exif)
        with running.running(studio) as run:
            ids = studio.generations.submit(request, device=device, count=count, origin=origin)
            _work_off(studio, run, ids, place, as_json, strip, gps)


@app.command()
def rerun(
    id: Annotated[str, typer.Argument(help="The generation to run again, with the same seed, picture and mask.")],
    output: OUTPUT = None,
    force: FORCE = False,
    device: Annotated[str | None, typer.Option("--device", help="Another device than before.")] = None,
    strip: STRIP = False,
    gps: PLACE = False,
    as_json: JSON = False,
) -> None:
    """Run a generation of the gallery again, as a new generation."""
    with exit_codes():
        studio = make_studio()
        original = studio.gallery.get(id)
        place = place_of(studio, output, (original.width, original.height), force=force)
        with running.running(studio) as run:
            ids = [studio.generations.rerun(id, device=device, session="command line")]
            _work_off(studio, run, ids, place, as_json, strip, gps)


@app.command()
def download(
    model: Annotated[str, typer.Argument(help="A key of the model table (see doctor), or a hub id owner/name.")],
    as_json: JSON = False,
) -> None:
    """Fetch a model from the hub. Nothing else ever downloads one."""
    with exit_codes():
        catalogue = make_catalogue(Settings())
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=errors, disable=as_json or not sys.stderr.isatty()) as bar:
            task = bar.add_task(model, total=None)
            catalogue.download(model, lambda done, total: bar.update(task, completed=done, total=total))
        if as_json:
            print_json({"model": model, "ready": catalogue.is_ready(model)})
        else:
            print(f"{model} is ready")


@app.command()
def doctor(as_json: JSON = False) -> None:
    """Whether this machine is ready: settings, data folder, device, models."""
    with exit_codes():
        found = _examine(make_studio())
        if as_json:
            print_json(found)
            return
        table = Table("", "", box=None, show_header=False)
        for name, value in found.items():
            shown = "\n".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            table.add_row(name, plain(shown))
        Console().print(table)


# What the commands are made of ---------------------------------------------------------------------------------


def make_studio() -> Studio:
    settings = Settings()
    studio = build_studio(
        settings,
        ModelCache(make_loader(settings)),
        dispatcher=lambda worker: NoDispatcher(),
        # Somebody waits for the command, and can make room and run it again.
        patience=Patience(otherwise_s=30),
    )
    # Where there is no dashboard, nobody else notices that a process died.
    with suppress(StudioError):
        studio.worker.clear_stale()
    return studio


def read_file(path: Path, max_bytes: int) -> bytes:
    """Never more than that, and nothing that has no end or must be waited for. Raises InvalidInput."""
    try:
        return read_regular(path, max_bytes)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {why(error)}.") from error


def _read_picture(path: Path) -> Picture:
    data = read_file(path, MAX_FILE_BYTES)
    try:
        return read_picture(data, int(Settings().max_megapixels * 1e6))
    except InvalidImage as error:
        raise InvalidImage(f"{path}: {error}") from error


def _given_mask(path: Path | None, picture: Image.Image) -> GivenMask | None:
    """What the file says; without one, what is transparent in the picture, if anything is."""
    if path is None:
        return own_transparency(picture)
    try:
        image = _read_picture(path).image
    except InvalidImage as error:
        raise InvalidMask(str(error)) from error
    try:
        return given_mask(image, picture)
    except EmptyMask as error:
        raise EmptyMask(f"{path}: {error}") from error
    except InvalidMask as error:
        raise InvalidMask(f"{path}: {error}") from error


def _few_pixels(request: InpaintRequest) -> list[str]:
    """What is to be told of a mask that the model sees in a few pixels only."""
    said = advice(shares(request.mask, Size(*request.image.size), request.params), request.params)
    if said is None:
        return []
    return [f"{said.words} Use --area {said.area}." if said.area else said.words]


def _picture_and_mask(
    picture: Picture, given: GivenMask | None, extend: str | None, overlap_px: int
) -> tuple[Image.Image, Mask]:
    """With more canvas if it is wanted; the mask is then on there, beside what it was on before."""
    if extend is None:
        if given is None:
            raise InvalidInput("A mask is needed, or --extend. White is repainted.")
        return picture.image, given.mask
    size = Size(*picture.image.size)
    extension = _extension(extend, size)
    larger = extended(picture.image, extension, max_pixels=int(Settings().max_megapixels * 1e6))
    on = mask_of_extension(size, extension, overlap_px)
    if given is not None:
        painted = Image.new("L", larger.size)
        # Through a request, which checks that the two agree.
        checked = InpaintRequest(picture.image, given.mask, InpaintParams()).mask
        painted.paste(checked.to_image(), extension.place(size).box)
        on = on.union(Mask.from_image(painted))
    return larger, on


def _extension(text: str, size: Size) -> Extension:
    try:
        if ":" in text:
            width, height = text.split(":")
            return Extension.to_ratio(size, float(width), float(height))
        return Extension(**{side.strip(): int(px) for side, px in (part.split("=") for part in text.split(","))})
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            f"--extend takes a shape such as 16:9, or pixels such as left=64,right=64,top=0,bottom=128, not {text!r}."
        ) from error


def _params(studio: Studio, model: str | None, mode: str | None, **chosen: Any) -> InpaintParams:
    """What was given, then what suits the mode and the model, then the defaults; a seed by chance if none was given."""
    chosen = {name: value for name, value in chosen.items() if value is not None}
    values = studio.recommendations.for_request(model, mode, chosen)
    if "seed" not in values:
        values["seed"] = studio.generations.random_seed()
    return InpaintParams(**values)


def _prompt_notes(studio: Studio, params: InpaintParams) -> Iterator[str]:
    """A sentence for each prompt that the model does not read to its end."""
    for name, length in studio.models.prompt_lengths(params).items():
        if length.is_cut and not params.long_prompt:
            yield (
                f"{PARAMETERS[name].title}: the model reads {length.limit} of {length.tokens} tokens. "
                f"Ignored: {length.unread!r}. Shorten it, or try --long-prompt."
            )


def _work_off(
    studio: Studio, run: Running, ids: Sequence[str], output: Output | None, as_json: bool, strip: bool, gps: bool
) -> None:
    """Work on the generations one after the other, and print each as it ends."""
    run.owns_generations(ids)
    failed, losses = False, ()
    for id in ids:
        generation = work_on(studio, run, id, show=not as_json and sys.stderr.isatty())
        path, told = None, {}
        try:
            if output is not None and generation.output is not None:
                path = str(write_result(studio, generation, output, strip, gps))
                losses = studio.exports.losses(generation, output.type)
                told = {"losses": list(losses)}
        except StudioError as error:
            # The others are painted all the same.
            failed = True
            complain(type(error)(f"{error} The picture is in the gallery as {id}."))
        if as_json:
            print_json(summary(studio, generation, path) | told)
        elif generation.status is Status.SUCCEEDED:
            lies_at = path or studio.gallery.location(generation.output)
            print(f"{generation.id} seed {generation.params.seed} {generation.runtime_s:.1f} s {lies_at}")
        if generation.status is not Status.SUCCEEDED:
            failed = True
            reason = generation.error or "The program that painted it ended. Run it again."
            errors.print(f"{generation.id} {generation.status}: {reason}", markup=False, soft_wrap=True)
    for loss in losses:
        errors.print(loss, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def work_on(studio: Studio, run: Running, id: str, *, show: bool) -> Generation:
    """Work on one of the generations that were asked for, until it has ended."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=errors, disable=not show, transient=True) as bar:
        task = bar.add_task(id, total=None)

        def follow() -> None:
            at = studio.generations.progress(id)
            bar.update(task, description=at.phase, completed=at.step, total=at.total or None)

        run.generation(id, follow)
    return run.answer(lambda: studio.gallery.get(id))


def summary(studio: Studio, generation: Generation, output: str | None = None) -> dict[str, Any]:
    if output is None and generation.output is not None:
        output = studio.gallery.location(generation.output)
    return {
        "id": generation.id,
        "status": generation.status,
        "seed": generation.params.seed,
        "model": generation.params.model,
        "device": generation.device,
        "runtime_s": generation.runtime_s,
        "source_sha256": generation.source,
        "mask_sha256": generation.mask,
        "pixels_sha256": generation.pixels_sha256,
        "output": output,
        "prompt": generation.params.prompt,
        "error": generation.error,
        "created_at": generation.created_at.isoformat(),
        "parent_id": generation.parent_id,
    }


def _examine(studio: Studio) -> dict[str, Any]:
    from core.engine.device import environment

    settings, chosen = studio.settings, studio.device()
    device = next(d for d in studio.devices() if d.key == chosen)
    return {
        "data": str(settings.data.absolute()),
        "database": studio.database_title,
        "generations": studio.gallery.count(),
        "device": chosen,
        "devices": {d.key: f"{d.title}, {d.dtype}" for d in studio.devices()},
        "token": "set" if settings.token else "not set",
        "models": {
            s.key: "ready" if studio.models.is_ready(s.key) else "not downloaded" for s in studio.models.listed()
        },
        "environment": dict(environment(device).facts),
    }


def plain(text: str):
    from rich.text import Text

    return Text(text)


def print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


from core.cli import files, gallery, presets, queue, storage, verify  # noqa: E402, F401 - of the above
