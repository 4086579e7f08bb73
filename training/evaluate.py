"""How good a pocket model is: `python -m training.evaluate [--model FOLDER] [--work DIR] [--cases N]`.

Prompts, photographs, masks and seeds of its own, which no training run uses. Models for pictures of any size get the
same cases, so two can be compared. Prints the tables as Markdown and writes them to WORK/evaluation-FOLDER.md.
`--only WORD ...` makes only the tables whose titles hold one of the words. `--sheet FILE` also saves a picture of
every word at three seeds.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from training.classifier import CLASSES, accuracy, load_classifier, named, view_of
from training.data import Sample, SampleSource, held_out_source
from training.fetch import work_argument
from training.masks import S, eroded_at_the_edge
from training.pictures import BATCH, Case, Model, cases_for, inpaint, sheet
from training.words import COLOURS, OBJECTS

MODEL = Path(__file__).parents[1] / "assets" / "models" / "pocket-inpaint"
HELD_OUT_SEED = 424242
BAND = 8  # pixels of 256 along the mask's edge that belong to the surroundings: objects keep to the middle


def names_of(judge, pictures: np.ndarray, cases: Sequence[Case]) -> np.ndarray:
    return named(judge, np.stack([view_of(p, c.sample.mask) for p, c in zip(pictures, cases, strict=True)]))


def recognised(judge, pictures: np.ndarray, cases: Sequence[Case]) -> np.ndarray:
    """(N,) bool: the judge names the word the case asked for."""
    wanted = [CLASSES.index(c.sample.word or "nothing") for c in cases]
    return names_of(judge, pictures, cases) == np.array(wanted)


def recognition(model: Model, judge, cases: Sequence[Case], sheet_file: Path | None) -> str:
    pictures = inpaint(model, cases)
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


def settings_table(model: Model, judge, cases: Sequence[Case]) -> str:
    default = model.settings
    tried = [replace(default, guidance=g) for g in (1.0, default.guidance, 4.0)]
    tried += [replace(default, steps=n) for n in (4, 8, 20, 50)]
    lines = ["| guidance | steps | recognised | seconds a picture |", "|---|---|---|---|"]
    for settings in tried:
        begin = time.time()
        right = recognised(judge, inpaint(model, cases, settings), cases).mean()
        seconds = (time.time() - begin) / len(cases)
        lines.append(f"| {settings.guidance:g} | {settings.steps} | {right:.1%} | {seconds:.2f} |")
    return f"On {len(cases)} pictures, in batches of {BATCH}.\n\n" + "\n".join(lines)


def prompt_against_seed(model: Model, judge, source: SampleSource, places: int = 8) -> str:
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
        pictures = inpaint(model, cases)
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


def removal(model: Model, source: SampleSource, count: int) -> str:
    """Error of the filled region against the true background, beside OpenCV's two classic methods."""
    cases = [Case(source.draw(None), ("background", "", "remove", "nothing")[i % 4], 7000 + i) for i in range(count)]
    fills = {"pocket model": inpaint(model, cases)}
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


def colours_kept(model: Model, source: SampleSource, count: int) -> str:
    """How often the asked colour is the nearest of ours to the object's middle colour, against the real renderings."""
    words = [name for name, word in OBJECTS.items() if word.recoloured]
    cases = []
    for i in range(count):
        word, colour = words[i % len(words)], list(COLOURS)[i % len(COLOURS)]
        cases.append(Case(source.draw(word, colour), f"a {colour} {word}", 8000 + i))
    made = inpaint(model, cases)
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


def surroundings(model: Model, source: SampleSource, count: int) -> str:
    """How near to the photograph the fill is, where the photograph is what belongs there."""
    words = list(OBJECTS)
    asked = cases_for(source, [words[i % len(words)] for i in range(count)], 9000)
    removed = cases_for(source, [None] * count, 9500)
    around = [
        _decibels(picture, case.sample.background, eroded_at_the_edge(case.sample.mask, BAND))
        for picture, case in zip(inpaint(model, asked), asked, strict=True)
    ]
    inside = [
        _decibels(picture, case.sample.background, case.sample.mask)
        for picture, case in zip(inpaint(model, removed), removed, strict=True)
    ]
    return (
        f"{count} cases each, on held-out photographs at {S} px, mean over pictures.\n\n"
        "| where | PSNR, dB |\n|---|---|\n"
        f"| within {BAND} px of the mask's edge, around an object | {np.mean(around):.2f} |\n"
        f"| in the whole mask, when nothing is asked for | {np.mean(inside):.2f} |"
    )


def _decibels(made: np.ndarray, true: np.ndarray, where: np.ndarray) -> float:
    """Peak signal-to-noise ratio of the pixels `where`, at 8 bits."""
    gap = made[where].astype(float) - true[where]
    return float(10 * np.log10(255**2 / max(1e-6, np.square(gap).mean())))


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
    model = Model.load(folder)
    loaded, times, side = time.time() - begin, [], model.side
    picture, mask = Image.new("RGB", (side, side), (90, 120, 150)), Image.new("L", (side, side), 255)
    for seed in range(4):
        begin, worked = time.time(), time.process_time()
        model.pipe(
            prompt="a cat", image=picture, mask_image=mask, height=side, width=side,
            num_inference_steps=model.settings.steps, guidance_scale=model.settings.guidance,
            generator=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        times.append((time.time() - begin, time.process_time() - worked))
    seconds, worked = np.median(times, 0)
    peak = peak_memory_mb()
    return (
        f"Loads in {loaded:.2f} s (libraries already imported); a picture at the default settings takes "
        f"{seconds:.2f} s on {torch.get_num_threads()} threads ({worked:.2f} s of processor time); peak memory "
        f"{peak:.0f} MB, of which {base:.0f} MB are the imported libraries."
    )


def evaluate(folder: Path, work: Path, per_word: int, thinned: int, sheet_file: Path | None, only: list[str]) -> None:
    """Print the tables as Markdown. thinned: divides the number of pictures behind all tables but the first."""
    model, judge = Model.load(folder), load_classifier(work)

    def source(number: int, photograph_share: float = 0.75) -> SampleSource:
        return held_out_source(work, HELD_OUT_SEED + number, photograph_share)

    cases = cases_for(source(1), list(OBJECTS) * per_word, 1000)
    tables = {
        "Recognition": lambda: recognition(model, judge, cases, sheet_file),
        "The judge": lambda: judge_table(judge, work),
        "Surroundings": lambda: surroundings(model, source(6, 1.0), 104 // thinned),
        "Prompt against seed": lambda: prompt_against_seed(model, judge, source(2), 8 // thinned),
        "Removal": lambda: removal(model, source(4), 80 // thinned),
        "Size and speed": lambda: speed_and_size(folder),
        "Colours": lambda: colours_kept(model, source(3), 60 // thinned),
        "Guidance and steps": lambda: settings_table(model, judge, cases[: len(OBJECTS) // thinned]),
    }
    written = ""
    for title, table in tables.items():  # each is kept as soon as it is known: the whole takes long on a busy machine
        if only and not any(word.lower() in title.lower() for word in only):
            continue
        written += f"### {title}\n\n{table()}\n\n"
        print(written[written.rindex("### ") :], flush=True)
        (work / f"evaluation-{folder.name}.md").write_text(written)


def judge_table(judge, work: Path) -> str:
    clean, worn = accuracy(judge, work, False), accuracy(judge, work, True)
    return f"Right on {clean:.1%} of held-out real renderings ({worn:.1%} with blur, noise and shifted colours)."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--cases", type=int, default=8, help="pictures a word")
    parser.add_argument("--thinned", type=int, default=1, help="2: half the pictures for all tables but the first")
    parser.add_argument("--only", nargs="*", default=[], help="only the tables whose titles hold one of these words")
    parser.add_argument("--sheet", type=Path, help="also save a contact sheet of every word")
    parser.add_argument("--measure-speed", action="store_true", help="only print load time, speed and memory")
    options = parser.parse_args()
    if options.measure_speed:
        print(measure_speed(options.model))
    else:
        evaluate(options.model, options.work, options.cases, options.thinned, options.sheet, options.only)


if __name__ == "__main__":
    main()
