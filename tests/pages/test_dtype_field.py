"""The precision in the form: kept and submitted, and refused in words on a device that does not bear it."""

from __future__ import annotations

from dataclasses import replace

from core.domain.environment import OPENVINO, Device
from tests.fakes import CPU
from tests.pages.test_inpaint import draft, generate, widget, words_on

REFUSED = "does not compute in bfloat16"


def test_a_precision_is_submitted_where_the_processor_bears_it(ready, studio, dispatcher, monkeypatch):
    monkeypatch.setattr("core.engine.device.devices", lambda: (replace(CPU, takes_bfloat16=True),))
    widget(ready, "selectbox", "dtype").set_value("bfloat16").run()
    assert REFUSED not in words_on(ready)

    generate(ready)
    dispatcher.drain()

    assert studio.gallery.get(draft(studio, ready).generations[0]).params.dtype == "bfloat16"


def test_elsewhere_a_sentence_says_so_and_nothing_is_submitted_until_another_is_chosen(ready, studio):
    widget(ready, "selectbox", "dtype").set_value("bfloat16").run()

    assert REFUSED in words_on(ready)
    generate(ready)
    assert studio.gallery.count() == 0

    widget(ready, "selectbox", "dtype").set_value("float32").run()
    assert REFUSED not in words_on(ready)
    generate(ready)
    assert studio.gallery.count() == 1


def test_what_the_chosen_device_cannot_do_is_told_in_a_sentence_and_nothing_is_submitted(ready, studio, monkeypatch):
    by_openvino = Device(OPENVINO, "OpenVINO: a processor", "float32")
    monkeypatch.setattr("core.engine.device.devices", lambda: (CPU, by_openvino))
    widget(ready.run(), "selectbox", "device").set_value(OPENVINO).run()
    widget(ready, "slider", "cache_interval").set_value(2).run()

    assert "OpenVINO computes a model as it is" in words_on(ready)
    generate(ready)
    assert studio.gallery.count() == 0

    widget(ready, "selectbox", "device").set_value("cpu").run()
    generate(ready)
    assert studio.gallery.count() == 1
