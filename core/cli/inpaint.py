"""python -m core inpaint and rerun: generations that are painted while the command runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from core.bootstrap import Studio
from core.cli.common import JSON, SESSION, errors, make_studio, print_json, summary
from core.cli.control import control_pictures, controls_of, in_any_folder
from core.cli.exits import complain, exit_codes
from core.cli.options import takes_parameters
from core.cli.output import FORCE, GPS, OUTPUT, STRIP, Output, place_of, write_result
from core.cli.pictures import mask_of, picture_and_mask, read_picture
from core.cli.reference import reference_pictures, with_adapter
from core.cli.running import Running, running, work_on
from core.domain.control import HINTS
from core.domain.errors import StudioError
from core.domain.generation import Origin, Status
from core.domain.geometry import Size
from core.domain.lora import values_of
from core.domain.modes import MODES
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.pixels.areas import advice, shares
from core.domain.pixels.outpaint import OVERLAP_PX
from core.domain.request import InpaintRequest
from core.domain.speed import BALANCED, DRAFT, NOTHING, SPEEDS
from core.domain.working_size import sized_by_mask
from core.services.generations import MAX_COUNT

app = typer.Typer()


@app.command()
@takes_parameters
def inpaint(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="The picture: PNG, JPEG, WEBP or AVIF.")],
    mask: Annotated[
        Path | None,
        typer.Argument(
            help="The mask, of the same size as the picture. White is repainted; in a coloured mask, everything that "
            "is not black. Optional with --extend, and for a picture with transparent parts: these are repainted."
        ),
    ] = None,
    *,
    chosen: dict[str, Any],
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode", help=f"Recommended values for a task; other options override them. [{', '.join(MODES)}]"
        ),
    ] = None,
    extend: Annotated[
        str | None,
        typer.Option(
            "--extend",
            help="Extend the canvas and paint there: an aspect ratio such as 16:9, or left=64,bottom=128. [px]",
        ),
    ] = None,
    overlap: Annotated[
        int, typer.Option("--overlap", help="With --extend: how far the mask overlaps the picture. [px]", min=0)
    ] = OVERLAP_PX,
    speed: Annotated[
        str | None,
        typer.Option("--speed", help=f"Sets what costs time; options of your own win. [{', '.join(SPEEDS)}]"),
    ] = None,
    auto_size: Annotated[
        bool,
        typer.Option(
            "--auto-size",
            help="Let --size be the most: less for small masks, down to half. On with --speed draft and balanced.",
        ),
    ] = False,
    count: Annotated[
        int,
        typer.Option(
            "--count", help=f"How many pictures to paint, with the seeds SEED, SEED + 1, ... [1 to {MAX_COUNT}]"
        ),
    ] = 1,
    control_image: Annotated[
        list[Path] | None,
        typer.Option(
            "--control-image",
            help="What the ControlNet is shown in place of the picture: of the same proportions. [one for each]",
        ),
    ] = None,
    control_hint: Annotated[
        list[str] | None,
        typer.Option(
            "--control-hint",
            help="What is made of it; none: it is a hint already, such as a depth map. Default: by the ControlNet's "
            f"name. [{', '.join(HINTS)}; one for each]",
        ),
    ] = None,
    control_guidance_start: Annotated[
        list[float] | None,
        typer.Option("--control-guidance-start", help="The share of the steps where it starts. [0 to 1; one for each]"),
    ] = None,
    control_guidance_end: Annotated[
        list[float] | None,
        typer.Option("--control-guidance-end", help="The share of the steps where it ends. [0 to 1; one for each]"),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            help="A picture to look at: by an IP-Adapter with Stable Diffusion 1 and XL, by FLUX.2 klein and FLUX.1 "
            "Kontext themselves. [can be given several times]",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="The device to paint on: auto, cpu, cuda, cuda:1, mps, xpu or openvino.")
    ] = "auto",
    output: OUTPUT = None,
    force: FORCE = False,
    strip: STRIP = False,
    gps: GPS = False,
    as_json: JSON = False,
) -> None:
    """Repaint the masked part of a picture; the generation is kept in the gallery."""
    with exit_codes():
        picture = read_picture(source)
        studio = make_studio(context)
        if chosen.get("controlnet"):
            further = {
                "hint": control_hint,
                "control_guidance_start": control_guidance_start,
                "control_guidance_end": control_guidance_end,
            }
            chosen["controlnet"] = controls_of(chosen["controlnet"], further)
        references = reference_pictures(reference or ())
        params = _params(studio, mode, chosen, references, _of_speed(studio, speed, device, chosen, mode))
        given = None if mask is None and extend else mask_of(mask, picture.image)
        guides = control_pictures(control_image or (), picture.image, extend, most=len(params.controlnet))
        guides = (*guides, *references)
        request = InpaintRequest(*picture_and_mask(picture, given, extend, overlap), params, guides)
        if auto_size or (speed in (DRAFT, BALANCED) and "size" not in chosen):
            params = sized_by_mask(params, request.painted, Size(*request.image.size))
            request = replace(request, params=params)
        place = None
        if output is not None:
            sources = [source, *([mask] if mask else []), *(control_image or ()), *(reference or ())]
            place = place_of(studio, output, Size(*request.image.size), several=count > 1, force=force, keep=sources)
        for note in (
            *picture.notes,
            *(given.notes if given else ()),
            *_mask_notes(request),
            *_prompt_notes(studio, params),
        ):
            errors.print(note, markup=False, soft_wrap=True)
        # Loads the engine the first time: seconds in which Ctrl+C should end the command at once.
        device = studio.machine.device(device)
        exif = studio.pictures.keep_exif(picture)
        origin = Origin(session=SESSION, source_name=source.name, source_exif=exif)
        with running(studio) as run:
            ids = studio.generations.submit(request, device=device, count=count, origin=origin)
            work_off(studio, run, ids, place, as_json, strip, gps)


@app.command()
def rerun(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Id of the generation to run again, with the same seed, picture and mask.")],
    output: OUTPUT = None,
    force: FORCE = False,
    device: Annotated[str | None, typer.Option("--device", help="A different device.")] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            "--speed", help=f"With the parameters of another speed: best finishes a draft. [{', '.join(SPEEDS)}]"
        ),
    ] = None,
    strip: STRIP = False,
    gps: GPS = False,
    as_json: JSON = False,
) -> None:
    """Run a generation from the gallery again, as a new generation."""
    with exit_codes():
        studio = make_studio(context)
        original = studio.gallery.get(id)
        place = None
        if output is not None:
            place = place_of(studio, output, Size(original.width, original.height), force=force)
        changes = None
        if speed is not None:
            original.check_can_run_again()
            changes = studio.speeds.of_generation(speed, original, studio.machine.device(device) if device else None)
        with running(studio) as run:
            if changes is None:
                ids = [studio.generations.rerun(id, device=device, session=SESSION)]
            else:
                ids = studio.generations.vary(original, [changes], device=device, session=SESSION)
            work_off(studio, run, ids, place, as_json, strip, gps)


def _of_speed(
    studio: Studio, speed: str | None, device: str, chosen: Mapping[str, Any], mode: str | None
) -> Mapping[str, Any]:
    """The parameters that a speed sets. Raises InvalidInput for one that there is not."""
    if speed is None:
        return {}
    model = str(studio.recommendations.for_request(chosen.get("model"), mode, {})["model"])
    values = studio.speeds.values(speed, model, studio.machine.device(device), NOTHING)
    return {name: value for name, value in values.items() if name in PARAMETERS}


def _params(
    studio: Studio,
    mode: str | None,
    chosen: Mapping[str, Any],
    references: Sequence[Any],
    of_speed: Mapping[str, Any],
) -> InpaintParams:
    """What was given, then the speed, the mode, the model, the defaults; a seed by chance if none was given."""
    # The model as the catalogue names it, however it was given.
    others = {name: value for name, value in chosen.items() if name != "model"}
    values = studio.recommendations.for_request(chosen.get("model"), mode, others)
    if "loras" in values:
        values["loras"] = [in_any_folder(values_of(text)) for text in values["loras"]]
    loras = [*values.get("loras", ()), *of_speed.get("loras", ())]
    values |= {name: value for name, value in of_speed.items() if name not in others}
    if loras:
        values["loras"] = loras
    if values.get("vae") and (path := Path(values["vae"]).expanduser()).is_file():
        values["vae"] = str(path.absolute())
    values = with_adapter(studio, values, values["model"], references)
    if "seed" not in values:
        values["seed"] = studio.generations.random_seed()
    return InpaintParams(**values)


def _mask_notes(request: InpaintRequest) -> list[str]:
    """What is to be told of a mask that the model sees in a few pixels only."""
    said = advice(shares(request.mask, Size(*request.image.size), request.params), request.params)
    if said is None:
        return []
    return [f"{said.words} Use --area {said.area}." if said.area else said.words]


def _prompt_notes(studio: Studio, params: InpaintParams) -> Iterator[str]:
    """A sentence for each name of an embedding that is read as a word, and each prompt that is not read to its end."""
    named = studio.embeddings.named(params)
    yield from named.notes
    params = params.changed(embeddings=[file.name for file in named.read])
    for name, length in studio.models.prompt_lengths(params).items():
        if length.is_cut and not params.long_prompt:
            yield (
                f"{PARAMETERS[name].title}: the model reads {length.limit} of {length.tokens} tokens. "
                f"Ignored: {length.unread!r}. Shorten it, or try --long-prompt."
            )


def work_off(
    studio: Studio, run: Running, ids: Sequence[str], output: Output | None, as_json: bool, strip: bool, gps: bool
) -> None:
    """Work on the generations one after the other, and print each as it ends."""
    run.owns_generations(ids)
    failed = False
    losses: tuple[str, ...] = ()
    for id in ids:
        generation = work_on(studio, run, id, show=not as_json and sys.stderr.isatty())
        path: str | None = None
        told: dict[str, Any] = {}
        try:
            if output is not None and generation.output is not None:
                path = str(write_result(studio, generation, output, strip, gps))
                losses = studio.exports.losses(generation, output.type)
                told = {"losses": list(losses)}
        except StudioError as error:
            # The others are painted all the same.
            failed = True
            complain(type(error)(f"{error} The picture is in the gallery as {id}."))
        found = summary(studio, generation, path)
        if as_json:
            print_json(found | told)
        elif generation.status is Status.SUCCEEDED:
            print(f"{generation.id} seed {generation.params.seed} {generation.runtime_s:.1f} s {found['output']}")
        if generation.status is not Status.SUCCEEDED:
            failed = True
            reason = generation.error or "The program that painted it ended. Run it again."
            errors.print(f"{generation.id} {generation.status}: {reason}", markup=False, soft_wrap=True)
    for loss in losses:
        errors.print(loss, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)
