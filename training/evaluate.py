"""How good the pocket model is: `python -m training.evaluate [--model FOLDER] [--work DIR] [--cases N]`.

Prompts, backgrounds, masks and seeds of its own, drawn from seeds no training run uses. Prints the
tables as Markdown and writes them to WORK/evaluation.md. `--sheet FILE` also saves a picture of
every word at three seeds.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image, ImageDraw

from training.classifier import CLASSES, accuracy, load_classifier, named, view_of
from training.data import S, Sample, SampleSource, sprites_in
from training.fetch import work_argument
from training.inpainter import RECOMMENDED
from training.stock import whole_cells
from training.words import COLOURS, OBJECTS

MODEL = Path(__file__).parents[1] / "assets" / "models" / "pocket-inpaint"
HELD_OUT_SEED = 424242
BATCH = 13


@dataclass(frozen=True)
class Case:
    """One picture to make: what is there, where to repaint, what to ask for, with which seed."""

    sample: Sample
    prompt: str
    seed: int


@dataclass(frozen=True)
class Settings:
    steps: int = RECOMMENDED["num_inference_steps"]
    guidance: float = RECOMMENDED["guidance_scale"]


def load(folder: Path) -> StableDiffusionInpaintPipeline:
    pipe = StableDiffusionInpaintPipeline.from_pretrained(folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def inpaint(pipe, cases: Sequence[Case], settings: Settings) -> np.ndarray:
    """(N, S, S, 3) uint8: the model's pictures pasted back, so that outside the mask nothing changes."""
    made = []
    for start in range(0, len(cases), BATCH):
        part = cases[start : start + BATCH]
        out = pipe(
            prompt=[c.prompt for c in part],
            image=[Image.fromarray(c.sample.background) for c in part],
            mask_image=[_mask_image(c.sample.mask) for c in part],
            height=S, width=S, num_inference_steps=settings.steps, guidance_scale=settings.guidance,
            generator=[torch.Generator().manual_seed(c.seed) for c in part], output_type="np",
        ).images  # fmt: skip
        made += [
            paste(c.sample, (picture * 255).round().astype(np.uint8)) for c, picture in zip(part, out, strict=True)
        ]
    return np.stack(made)


def _mask_image(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(whole_cells(mask).astype(np.uint8) * 255)


def paste(sample: Sample, made: np.ndarray) -> np.ndarray:
    return np.where(sample.mask[..., None], made, sample.background)


def cases_for(source: SampleSource, words: Sequence[str | None], seed: int) -> list[Case]:
    """A case for each word (None: remove), with a plain prompt: "cat", "a cat", "a photo of a cat" in turn."""
    forms = ("{}", "a {}", "a photo of a {}")
    cases = []
    for i, word in enumerate(words):
        sample = source.draw(word, None)
        cases.append(Case(sample, forms[i // len(OBJECTS) % 3].format(word) if word else "background", seed + i))
    return cases


def names_of(judge, pictures: np.ndarray, cases: Sequence[Case]) -> np.ndarray:
    return named(judge, np.stack([view_of(p, c.sample.mask) for p, c in zip(pictures, cases, strict=True)]))


def recognised(judge, pictures: np.ndarray, cases: Sequence[Case]) -> np.ndarray:
    """(N,) bool: the judge names the word the case asked for."""
    wanted = [CLASSES.index(c.sample.word or "nothing") for c in cases]
    return names_of(judge, pictures, cases) == np.array(wanted)


# ---------------------------------------------------------------- the tables


def recognition(pipe, judge, cases: Sequence[Case], sheet_file: Path | None) -> str:
    pictures = inpaint(pipe, cases, Settings())
    if sheet_file:
        sheet(pictures, cases, sheet_file)
    said = names_of(judge, pictures, cases)
    words = np.array([c.sample.word for c in cases])
    right = np.array([CLASSES[i] for i in said]) == words
    lines = ["| word | recognised | taken for |", "|---|---|---|"]
    for word in sorted(OBJECTS, key=lambda w: (right[words == w].mean(), w)):
        wrong = sorted({CLASSES[i] for i in said[(words == word) & ~right]})
        lines.append(f"| {word} | {right[words == word].mean():.0%} | {', '.join(wrong)} |")
    shares = [right[words == w].mean() for w in OBJECTS]
    head = (
        f"Top-1 over {len(cases)} pictures of {len(OBJECTS)} words: **{right.mean():.1%}**, "
        f"worst word {min(shares):.0%}, words under 50 %: {sum(s < 0.5 for s in shares)}."
    )
    return head + "\n\n" + "\n".join(lines)


def settings_table(pipe, judge, cases: Sequence[Case]) -> str:
    default = Settings()
    tried = [replace(default, guidance=g) for g in (1.0, default.guidance, 4.0)]
    tried += [replace(default, steps=n) for n in (4, 8, 20, 50)]
    lines = ["| guidance | steps | recognised | seconds a picture |", "|---|---|---|---|"]
    for settings in tried:
        begin = time.time()
        right = recognised(judge, inpaint(pipe, cases, settings), cases).mean()
        seconds = (time.time() - begin) / len(cases)
        lines.append(f"| {settings.guidance:g} | {settings.steps} | {right:.1%} | {seconds:.2f} |")
    return f"On {len(cases)} pictures, in batches of {BATCH}.\n\n" + "\n".join(lines)


def prompt_against_seed(pipe, judge, source: SampleSource, places: int = 8) -> str:
    """Same place and seed with other prompts; same place and prompt with other seeds."""
    words = list(source.rng.choice(list(OBJECTS), 4, replace=False))
    by_prompt, by_seed = [], []
    for place in range(places):
        sample = source.draw(None)
        by_prompt += [Case(replace(sample, word=str(w)), f"a {w}", 5000 + place) for w in words]
        one = str(words[place % len(words)])
        by_seed += [Case(replace(sample, word=one), f"a {one}", 6000 + 10 * place + k) for k in range(4)]
    lines = ["| changed | object is the one asked for | pictures differ (mean of 255, in the mask) |", "|---|---|---|"]
    for label, cases in (("prompt", by_prompt), ("seed", by_seed)):
        pictures = inpaint(pipe, cases, Settings())
        right = recognised(judge, pictures, cases).mean()
        lines.append(f"| {label} | {right:.0%} | {_spread(pictures, cases):.1f} |")
    return f"{places} places, 4 prompts and 4 seeds each.\n\n" + "\n".join(lines)


def _spread(pictures: np.ndarray, cases: Sequence[Case]) -> float:
    """Mean absolute difference, inside the mask, between pictures of one place (groups of four)."""
    gaps = []
    for i in range(0, len(cases), 4):
        mask = cases[i].sample.mask
        group = pictures[i : i + 4, mask].astype(float)
        gaps += [np.abs(group[a] - group[b]).mean() for a in range(4) for b in range(a)]
    return float(np.mean(gaps))


def removal(pipe, source: SampleSource, count: int) -> str:
    """Error of the filled region against the true background, beside OpenCV's two classic methods."""
    cases = [Case(source.draw(None), ("background", "", "remove", "nothing")[i % 4], 7000 + i) for i in range(count)]
    fills = {"pocket model": inpaint(pipe, cases, Settings())}
    for name, method in (("OpenCV Telea", cv2.INPAINT_TELEA), ("OpenCV Navier-Stokes", cv2.INPAINT_NS)):
        fills[name] = np.stack(
            [cv2.inpaint(_emptied(c.sample), c.sample.mask.astype(np.uint8), 3, method) for c in cases]
        )
    lines = ["| method | mean absolute error of 255 | root mean square error |", "|---|---|---|"]
    for name, pictures in fills.items():
        gaps = [(p.astype(float) - c.sample.background)[c.sample.mask] for p, c in zip(pictures, cases, strict=True)]
        mean = np.mean([np.abs(g).mean() for g in gaps])
        lines.append(f"| {name} | {mean:.1f} | {np.mean([np.sqrt((g**2).mean()) for g in gaps]):.1f} |")
    return f"{count} cases.\n\n" + "\n".join(lines)


def _emptied(sample: Sample) -> np.ndarray:
    return np.where(sample.mask[..., None], 127, sample.background).astype(np.uint8)


def colours_kept(pipe, source: SampleSource, count: int) -> str:
    """How often the asked colour is the nearest of ours to the object's middle colour, against the real renderings."""
    words = [name for name, word in OBJECTS.items() if word.recoloured]
    cases = []
    for i in range(count):
        word, colour = words[i % len(words)], list(COLOURS)[i % len(COLOURS)]
        cases.append(Case(source.draw(word, colour), f"a {colour} {word}", 8000 + i))
    made = inpaint(pipe, cases, Settings())
    ours = np.mean([_near(p, c) for p, c in zip(made, cases, strict=True)])
    true = np.mean([_near(c.sample.picture, c) for c in cases])
    return (
        f"The asked colour is the one seen, where the true rendering has it: {ours:.0%} of {count} pictures "
        f"(real renderings by the same measure: {true:.0%})."
    )


def _near(picture: np.ndarray, case: Case) -> bool:
    """Of the pixels that the true rendering has in the asked colour, most are nearest to it here as well."""
    wanted = np.array(COLOURS[case.sample.colour], float)
    palette = np.array(list(COLOURS.values()), float)
    drawn = case.sample.mask & (np.abs(case.sample.picture.astype(float) - wanted).sum(-1) < 120)
    if not drawn.any():
        return True
    middle = np.median(picture[drawn].astype(float), 0)
    return bool(np.abs(palette - middle).sum(-1).argmin() == list(COLOURS).index(case.sample.colour))


def outside_share(pipe, source: SampleSource, count: int = 8) -> str:
    """The share of pixels outside the mask that our paste-back leaves bit-identical."""
    try:
        from core.domain.compositing import composite
        from core.domain.geometry import Bounds
        from core.domain.mask import Mask
    except ImportError:
        return "core.domain.compositing is not there: not measured."
    kept = []
    for i in range(count):
        case = Case(source.draw(str(source.rng.choice(list(OBJECTS)))), "a cat", 9000 + i)
        raw = pipe(
            prompt=case.prompt, image=Image.fromarray(case.sample.background),
            mask_image=_mask_image(case.sample.mask), height=S, width=S,
            num_inference_steps=4, guidance_scale=2.0, generator=torch.Generator().manual_seed(case.seed),
        ).images[0]  # fmt: skip
        mask = Mask(np.where(case.sample.mask, 255, 0).astype(np.uint8))
        out = composite(Image.fromarray(case.sample.background), raw, Bounds(0, 0, S, S), mask)
        kept.append((np.asarray(out) == case.sample.background).all(-1)[~case.sample.mask].mean())
    return f"Pixels outside the mask left alone after the paste-back of core.domain.compositing: {np.mean(kept):.2%}."


def speed_and_size(folder: Path) -> str:
    """Measured in a process of its own, so that memory counts only what inference needs."""
    out = subprocess.run(
        [sys.executable, "-m", "training.evaluate", "--model", str(folder), "--measure-speed"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
    return f"Folder {size:.1f} MB. {out}"


def peak_memory_mb() -> float:
    """Of this process (Linux). Not getrusage: that counts what the starting process held as well."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure_speed(folder: Path) -> str:
    base = peak_memory_mb()
    begin = time.time()
    pipe = load(folder)
    loaded = time.time() - begin
    picture, mask = Image.new("RGB", (S, S), (90, 120, 150)), Image.new("L", (S, S), 255)
    times = []
    for seed in range(4):
        begin = time.time()
        pipe(
            prompt="a cat", image=picture, mask_image=mask, height=S, width=S,
            num_inference_steps=RECOMMENDED["num_inference_steps"], guidance_scale=RECOMMENDED["guidance_scale"],
            generator=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        times.append(time.time() - begin)
    peak = peak_memory_mb()
    return (
        f"Loads in {loaded:.2f} s (libraries already imported); a picture at the default settings takes "
        f"{np.median(times):.2f} s on {torch.get_num_threads()} threads; peak memory {peak:.0f} MB, of which "
        f"{base:.0f} MB are the imported libraries."
    )


# ---------------------------------------------------------------- the contact sheet


def sheet(pictures: np.ndarray, cases: Sequence[Case], path: Path, columns: int = 4, cell: int = 112) -> None:
    """Every word with three of the pictures made for it, each of its own seed, background and mask."""
    rows = -(-len(OBJECTS) // columns)
    canvas = Image.new("RGB", (columns * (3 * cell + 8), rows * (cell + 16)), "white")
    pen = ImageDraw.Draw(canvas)
    for i, word in enumerate(OBJECTS):
        x, y = i % columns * (3 * cell + 8), i // columns * (cell + 16)
        pen.text((x + 2, y + 1), word, fill="black")
        made = [picture for picture, case in zip(pictures, cases, strict=True) if case.sample.word == word]
        for k, picture in enumerate(made[:3]):
            canvas.paste(Image.fromarray(picture).resize((cell - 2, cell - 2)), (x + k * cell, y + 14))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, quality=85)


def evaluate(folder: Path, work: Path, per_word: int, thinned: int, sheet_file: Path | None) -> None:
    """Print all tables as Markdown. thinned: divides the number of pictures behind all tables but the first."""
    pipe, judge = load(folder), load_classifier(work)
    sprites = sprites_in(work)

    def source(number: int) -> SampleSource:
        return SampleSource(sprites, HELD_OUT_SEED + number, backgrounds=300)

    cases = cases_for(source(1), list(OBJECTS) * per_word, 1000)
    tables = {
        "Recognition": lambda: recognition(pipe, judge, cases, sheet_file),
        "The judge": lambda: judge_table(judge, work),
        "Prompt against seed": lambda: prompt_against_seed(pipe, judge, source(2), 8 // thinned),
        "Removal": lambda: removal(pipe, source(4), 80 // thinned),
        "Outside the mask": lambda: outside_share(pipe, source(5)),
        "Size and speed": lambda: speed_and_size(folder),
        "Colours": lambda: colours_kept(pipe, source(3), 60 // thinned),
        "Guidance and steps": lambda: settings_table(pipe, judge, cases[: len(OBJECTS) // thinned]),
    }
    written = ""
    for title, table in tables.items():  # each is kept as soon as it is known: the whole takes long on a busy machine
        written += f"### {title}\n\n{table()}\n\n"
        print(written[written.rindex("### ") :], flush=True)
        (work / "evaluation.md").write_text(written)


def judge_table(judge, work: Path) -> str:
    clean, worn = accuracy(judge, work, False), accuracy(judge, work, True)
    return f"Right on {clean:.1%} of held-out real renderings ({worn:.1%} with blur, noise and shifted colours)."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--cases", type=int, default=8, help="pictures a word")
    parser.add_argument("--thinned", type=int, default=1, help="2: half the pictures for all tables but the first")
    parser.add_argument("--sheet", type=Path, help="also save a contact sheet of every word")
    parser.add_argument("--measure-speed", action="store_true", help="only print load time, speed and memory")
    options = parser.parse_args()
    if options.measure_speed:
        print(measure_speed(options.model))
    else:
        evaluate(options.model, options.work, options.cases, options.thinned, options.sheet)


if __name__ == "__main__":
    main()
