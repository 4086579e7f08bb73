"""python -m core replay: the chain that led to a generation, painted again from its first picture."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from core.cli.common import JSON, SESSION, make_studio, print_json
from core.cli.exits import exit_codes
from core.cli.running import running
from core.domain.generation import Verdict
from core.domain.replay import Replay, ReplayStep

app = typer.Typer()


@app.command()
def replay(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Id of the last generation of the chain.")],
    as_json: JSON = False,
) -> None:
    """Run the whole chain behind a generation again, from its first picture. Ends with 1 unless it is EXACT."""
    with exit_codes():
        studio = make_studio(context)
        with running(studio) as run:
            replay_id = studio.replays.start(id, session=SESSION)
            run.owns(replay_id, partial(studio.replays.stop, replay_id))
            while (replay := run.answer(lambda: studio.replays.get(replay_id))).ended_at is None:
                active = [step.again.id for step in replay.steps if step.again and step.again.status.is_active]
                for step_id in active:
                    run.generation(step_id)
                if not run.answer(studio.replays.advance) and not active:
                    break
            run.done(replay_id)
        verdict = studio.replays.verdict(replay)
        if as_json:
            print_json(_replayed(id, replay, verdict))
        else:
            for n, step in enumerate(replay.steps, 1):
                print(f"{n} {step.again.id if step.again else 'not painted'} {_describe(step)}")
            print(f"{id} {verdict or 'not replayed to its end'}")
        if verdict is not Verdict.EXACT:
            raise typer.Exit(1)


def _replayed(id: str, replay: Replay, verdict: Verdict | None) -> dict[str, Any]:
    steps = [
        {
            "original": step.original.id if step.original else None,
            "id": step.again.id if step.again else None,
            "status": step.again.status if step.again else None,
            "exact": step.is_exact,
        }
        for step in replay.steps
    ]
    return {"id": id, "replay": replay.id, "verdict": verdict, "steps": steps}


def _describe(step: ReplayStep) -> str:
    if step.is_exact is None:
        return step.again.status if step.again else ""
    return "EXACT" if step.is_exact else "not the same"
