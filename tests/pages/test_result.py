"""What came out of one press of Generate, as the Inpaint page shows it."""

from __future__ import annotations

from tests.pages.test_inpaint import draft, draft_id, generate, widget
from tests.pages.test_inpaint_session import finished


def test_results_keep_their_numbers_when_one_before_them_was_cancelled(studio, ready, dispatcher):
    widget(ready, "number_input", "count").set_value(4).run()
    generate(ready)
    ids = draft(studio, ready).generations
    state = draft(studio, ready).changed(has_simple_canvas=True)
    studio.drafts.save(draft_id(ready), state)
    studio.generations.cancel(ids[1])

    page = finished(ready, dispatcher)

    titles = page.segmented_control(key=f"result-{ids[0]}").options
    assert [title.split(" · ")[0] for title in titles] == ["1", "3", "4"]
    assert "Image 2: Cancelled." in page.info[0].value
