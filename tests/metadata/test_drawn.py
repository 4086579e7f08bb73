"""A picture that carries only the drawing of its graph."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.metadata.carriers import Carried
from core.metadata.drawn import FIELDS, as_run
from core.metadata.read import read, understood
from tests.metadata import make_samples as made
from tests.metadata.graphs import PLAIN, SAID, Graph, encoded, graph, node, sampler
from tests.metadata.test_hostile import is_harmless, json_values


def drawn(run: Graph, *, named: bool = True, modes: dict[str, int] | None = None) -> dict[str, Any]:
    """The drawing of a graph. named: with its fields among the inputs, as files of late have them."""
    nodes, links = [], []
    for id, one in run.items():
        inputs, values = [], []
        for name, value in one["inputs"].items():
            if isinstance(value, list):
                links.append([len(links) + 1, value[0], value[1], id, len(inputs), "*"])
                inputs.append({"name": name, "type": "*", "link": len(links)})
                if name in FIELDS.get(one["class_type"], ()):
                    values.append("what stood here before it was linked")
                continue
            if named:
                inputs.append({"name": name, "type": "*", "link": None, "widget": {"name": name}})
            values += [value, "randomize"] if name in ("seed", "noise_seed") else [value]
        nodes.append(
            {
                "id": id,
                "type": one["class_type"],
                "inputs": inputs,
                "widgets_values": values,
                "mode": (modes or {}).get(id, 0),
            }
        )
    return {"nodes": nodes, "links": links, "version": 0.4}


def said_by(workflow: dict[str, Any]):
    return understood(Carried({"workflow": json.dumps(workflow)}))


@pytest.mark.parametrize("named", [True, False])
def test_a_drawing_alone_says_what_its_graph_says(named):
    found = said_by(drawn(PLAIN, named=named))

    assert found.tool == "comfyui"
    assert dict(found.params) == SAID
    assert found.raw["model"] == "oil.safetensors"
    assert json.loads(found.raw["workflow"]) == drawn(PLAIN, named=named)


def test_links_as_objects_and_values_by_name_are_read_too():
    workflow = drawn(PLAIN)
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    workflow["links"] = [dict(zip(names, link, strict=True)) for link in workflow["links"]]
    by_name = {"text": "a red barn"}
    next(one for one in workflow["nodes"] if one["id"] == "6")["widgets_values"] = by_name

    assert dict(said_by(workflow).params) == SAID


def test_fields_that_are_linked_take_what_they_are_linked_to():
    run = graph(
        n6=encoded(["20", 0]),
        n20=node("PrimitiveStringMultiline", value="a red barn"),
        n3=sampler(steps=["21", 0]),
        n21=node("PrimitiveInt", value=20),
    )

    assert dict(said_by(drawn(run)).params) == SAID


def test_what_is_muted_or_bypassed_does_not_count():
    run = graph(
        n10=node("LatentUpscaleBy", samples=["3", 0], upscale_method="nearest", scale_by=1.5),
        n11=sampler(seed=7, steps=12, denoise=0.5, latent_image=["10", 0]),
        n8=node("VAEDecode", samples=["11", 0], vae=["4", 2]),
        n12=sampler(seed=9, steps=1),
        n13=node("SaveImage", images=["12", 0]),
    )

    found = said_by(drawn(run, modes={"11": 4, "12": 2}))

    assert dict(found.params) == SAID
    assert "second pass" not in found.raw


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_a_drawing_is_found_in_files(format):
    text = json.dumps(drawn(PLAIN))

    data = made.png({"workflow": text}) if format == "PNG" else made.jpeg({0x010E: f"Workflow: {text}"}, format)

    assert dict(read(data).params) == SAID


def test_the_graph_that_was_run_counts_more():
    other = json.dumps(drawn(graph(n3=sampler(seed=5))))

    assert understood(Carried({"workflow": other, "prompt": json.dumps(PLAIN)})).params["seed"] == 42


@pytest.mark.parametrize("workflow", [{"nodes": []}, {"nodes": [], "links": []}, {"nodes": {}, "links": []}])
def test_what_is_no_drawing_is_none(workflow):
    assert as_run(workflow) is None
    assert said_by(workflow) is None


parts = st.fixed_dictionaries(
    {"id": st.sampled_from([1, 2, "3", None]), "type": st.sampled_from([*FIELDS, "X", "PrimitiveNode"])},
    optional={
        "inputs": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["model", "latent_image", "positive", "images", "x"])},
                optional={"link": st.integers(0, 4) | json_values, "widget": json_values},
            ),
            max_size=4,
        )
        | json_values,
        "widgets_values": st.lists(json_values, max_size=8) | json_values,
        "mode": json_values,
    },
)


@settings(deadline=None)
@given(
    st.lists(parts | json_values, max_size=5),
    st.lists(st.lists(st.integers(0, 4), max_size=5) | json_values, max_size=5),
)
def test_any_drawing_is_read_and_never_raises(nodes, links):
    is_harmless(said_by({"nodes": nodes, "links": links}))
