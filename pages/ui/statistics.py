"""The gallery in numbers: durations, days, endings and verdicts. Each picture of numbers is also there as a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery.filter import FILTERS, UNVERIFIED, GalleryFilter
from core.domain.gallery.statistics import DailyCount, Durations, RunTimes
from core.domain.generation import Status
from pages.ui.components.gallery_grid import STATUS_TITLES
from pages.ui.shell import address, state
from pages.ui.shell.chart import chart
from pages.ui.shell.links import GALLERY_PAGE, INPAINT_PAGE
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.table import table
from pages.ui.shell.wording import VERDICT_TITLES, duration

PERIODS = {7: "Last 7 days", 30: "Last 30 days", 90: "Last 90 days", 365: "Last year", 0: "All time"}
PERIOD = "days"
STEPS = "num_inference_steps"
"""In the address, beside model and device: only what is so many days old."""

SERIES = 6
"""Lines in a chart; more cannot be told apart."""

FRESH_S = 30
"""Counting a million rows takes two seconds: the numbers of half a minute ago are shown as long."""

WIDE_RANGE = 30
"""From this ratio on, the larger values of a chart would press the smaller ones flat: its scale is logarithmic."""

LEGEND = {"orient": "bottom", "columns": 1, "labelLimit": 280}
COLOURS = {
    Status.SUCCEEDED: "#0e857a",
    Status.FAILED: "#d9483b",
    Status.CANCELLED: "#9aa5a3",
    Status.INTERRUPTED: "#e0952f",
    Status.QUEUED: "#5b8def",
    Status.RUNNING: "#3566c9",
}


def statistics_view(studio: Studio) -> None:
    if not studio.gallery.count():
        _nothing_yet()
        return
    asked = _asked_for(studio)
    daily, run_times = _counted(studio, asked, studio.database_title, studio.gallery.count())
    if not daily:
        st.info("Nothing matches. Choose a longer period or other models.", icon=":material/search:")
        return
    _totals(daily, run_times)
    _durations(studio, run_times)
    _days(daily)
    _endings(daily)
    st.caption("Without the trash; times without imported pictures. Days are in UTC.")


@st.cache_data(ttl=FRESH_S, max_entries=32, show_spinner="Counting", hash_funcs={GalleryFilter: repr})
def _counted(
    _studio: Studio, asked: GalleryFilter, database: str, count: int
) -> tuple[Sequence[DailyCount], Sequence[RunTimes]]:
    """database, count: another gallery, or one with a new row, is counted anew."""
    return _studio.statistics.daily_counts(asked), _studio.statistics.run_times(asked)


def _nothing_yet() -> None:
    st.info(
        "Nothing to count yet. Once you have made something, this page shows how long it took by model, steps and "
        "size, what was made when, and how much of it could be reproduced.",
        icon=":material/bar_chart:",
    )
    st.page_link(INPAINT_PAGE, label="Make your first one", icon=":material/arrow_forward:")


def _asked_for(studio: Studio) -> GalleryFilter:
    asked, days = GalleryFilter(), _period()
    with shown_errors():
        asked = GalleryFilter(models=tuple(address.get_all("model")), devices=tuple(address.get_all("device")))
    facets = studio.gallery.facets()
    with st.container(horizontal=True):
        for name, chosen in (("models", asked.models), ("devices", asked.devices)):
            label, key = FILTERS[name].title, FILTERS[name].key
            options = dict.fromkeys((*(value for value, _ in facets[name]), *chosen))
            state.set_value(f"statistics-{key}", list(chosen))
            st.multiselect(label, list(options), placeholder="Any", key=f"statistics-{key}", on_change=_ask, width=300)
        state.set_value("statistics-days", days)
        st.selectbox(
            "Time", list(PERIODS), format_func=PERIODS.__getitem__, key="statistics-days", on_change=_ask, width=160
        )
    since = datetime.now(UTC).date() - timedelta(days=days - 1) if days else None
    return GalleryFilter(models=asked.models, devices=asked.devices, since=since)


def _period() -> int:
    days = address.get(PERIOD) or ""
    return int(days) if days.isascii() and days.isdigit() and int(days) in PERIODS else 0


def _ask() -> None:
    days = state.widget_value("statistics-days")
    address.put(
        model=list(state.widget_value("statistics-model")),
        device=list(state.widget_value("statistics-device")),
        **{PERIOD: [str(days)] if days else []},
    )


def _totals(daily: Sequence[DailyCount], run_times: Sequence[RunTimes]) -> None:
    statuses = _summed(daily, lambda m: m.status)
    all_of_it, succeeded = sum(statuses.values()), statuses[Status.SUCCEEDED]
    ended = sum(n for status, n in statuses.items() if not status.is_active)
    durations = Durations.together(times.durations for times in run_times)
    with st.container(horizontal=True):
        st.metric("Generations", f"{all_of_it:,}", width=160)
        st.metric("Succeeded", f"{succeeded / ended:.1%}" if ended else "none ended yet", width=160)
        if durations.count:
            st.metric("Median time", duration(durations.within_s(0.5)), width=160)
            st.metric("Time painted", duration(durations.total_s), width=200)


def _durations(studio: Studio, run_times: Sequence[RunTimes]) -> None:
    st.header("Run time")
    if not run_times:
        st.caption("No finished runs yet.")
        return
    rows = _grouped(run_times, lambda times: (times.model, times.device))
    left, right = st.columns(2, gap="large")
    with left:
        # One without steps, such as content fill, has a number of them on record all the same.
        without = {
            model for model in {times.model for times in run_times} if STEPS in studio.recommendations.unused(model)
        }
        stepped = [times for times in run_times if times.model not in without]
        _run_time_chart(stepped, "Steps", lambda times: times.steps, "By steps")
    with right:
        sized = [times for times in run_times if times.working_px]
        _run_time_chart(
            sized, "Processing resolution (px, side of a square)", lambda p: round(sqrt(p.working_px or 0)), "By size"
        )
    if len(rows) > SERIES:
        st.caption(f"The charts show the {SERIES} most used combinations; the table shows all.")
    times = {
        "Median": [duration(durations.within_s(0.5)) for durations in rows.values()],
        "90th percentile": [duration(durations.within_s(0.9)) for durations in rows.values()],
        "Total": [duration(durations.total_s) for durations in rows.values()],
    }
    columns = {
        "Model": [model for model, _ in rows],
        "Device": [device for _, device in rows],
        "Runs": [durations.count for durations in rows.values()],
    }
    table("Run times by model and device", columns | times, right=times)


def _run_time_chart(run_times: Sequence[RunTimes], title: str, x: Callable[[RunTimes], int], heading: str) -> None:
    """The median of each model on each device, over what x takes from its run times."""
    shown = list(_grouped(run_times, _series))[:SERIES]
    found = _grouped(
        [times for times in run_times if _series(times) in shown], lambda times: (_series(times), x(times))
    )
    points = [
        {"of": series, "x": at, "seconds": round(durations.within_s(0.5), 3), "runs": durations.count}
        for (series, at), durations in sorted(found.items())
    ]
    st.markdown(f"**{heading}**: the median of each model and device")
    if not points:
        st.caption("Not recorded.")
        return
    seconds = [point["seconds"] for point in points]
    scale = {"type": "log"} if min(seconds) * WIDE_RANGE < max(seconds) else {"zero": True}
    spec = {
        "data": {"values": points},
        "mark": {"type": "line", "point": {"size": 70, "filled": True}},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": title, "axis": {"format": "d", "tickMinStep": 1}},
            "y": {"field": "seconds", "type": "quantitative", "title": "Seconds", "scale": scale},
            "color": {"field": "of", "type": "nominal", "title": None, "legend": LEGEND},
            "tooltip": [
                {"field": "of", "title": "Model"},
                {"field": "x", "title": title},
                {"field": "seconds", "title": "Median, s"},
                {"field": "runs", "title": "Runs"},
            ],
        },
    }
    chart(spec, height=400, alt=f"Seconds a run took. {heading}. As a table below.")
    with st.expander("As a table"):
        columns = {"Model": "of", title: "x", "Seconds": "seconds", "Runs": "runs"}
        cells = {column: [point[name] for point in points] for column, name in columns.items()}
        table(heading, cells, sortable=True)


def _series(times: RunTimes) -> str:
    return f"{times.model}, {times.device}"


def _days(daily: Sequence[DailyCount]) -> None:
    first, last = daily[0].day, daily[-1].day
    unit, begins = _unit(first, last)
    counts = _summed(daily, lambda m: (begins(m.day), m.status))
    st.header("Activity")
    bars = [
        {"day": day.isoformat(), "status": STATUS_TITLES[status], "n": n} for (day, status), n in sorted(counts.items())
    ]
    titles = {
        STATUS_TITLES[status]: colour for status, colour in COLOURS.items() if any(s is status for _, s in counts)
    }
    spec = {
        "data": {"values": bars},
        "mark": {"type": "bar", "width": {"band": 0.85}},
        "encoding": {
            "x": {"field": "day", "type": "temporal", "timeUnit": f"utc{unit}", "title": None, "bandPosition": 0.5},
            "y": {"field": "n", "type": "quantitative", "title": "Generations", "aggregate": "sum"},
            "color": {
                "field": "status",
                "type": "nominal",
                "title": None,
                "legend": LEGEND | {"columns": 3},
                "scale": {"domain": list(titles), "range": list(titles.values())},
            },
            "tooltip": [
                {"field": "day", "type": "temporal", "timeUnit": f"utc{unit}", "title": "Day"},
                {"field": "status", "title": "Status"},
                {"field": "n", "title": "Generations", "aggregate": "sum"},
            ],
        },
    }
    chart(
        spec,
        height=320,
        alt=f"Generations from {first:%d %b %Y} to {last:%d %b %Y} by how they ended. As a table below.",
    )
    with st.expander("As a table"):
        begun = sorted({day for day, _ in counts}, reverse=True)
        columns: dict[str, list[Any]] = {"From": [day.isoformat() for day in begun]}
        columns |= {STATUS_TITLES[s]: [counts[day, s] for day in begun] for s in COLOURS if STATUS_TITLES[s] in titles}
        table("Days", columns, sortable=True)


def _unit(first: date, last: date) -> tuple[str, Callable[[date], date]]:
    """As many bars as can be told apart. Weeks begin on Sunday, as the chart has them."""
    days = (last - first).days
    if days <= 120:
        return "yearmonthdate", lambda day: day
    if days <= 730:
        return "yearweek", lambda day: day - timedelta(days=(day.weekday() + 1) % 7)
    return "yearmonth", lambda day: day.replace(day=1)


def _endings(daily: Sequence[DailyCount]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Outcomes")
        # Of those that ended, as above: what still waits has not succeeded, and has not failed either.
        statuses = _summed([m for m in daily if not m.status.is_active], lambda m: m.status)
        _shares([(STATUS_TITLES[s], statuses[s], {"status": s}) for s in Status if statuses[s]])
    with right:
        st.header("Verification results")
        verdicts = _summed([m for m in daily if m.status is Status.SUCCEEDED], lambda m: m.verdict or UNVERIFIED)
        _shares(
            [
                (title, verdicts[v], {"status": Status.SUCCEEDED, "verdict": v})
                for v, title in VERDICT_TITLES.items()
                if verdicts[v]
            ]
        )


def _shares(values: Sequence[tuple[str, int, Mapping[str, str]]]) -> None:
    """Each with its share and the way to those of all time in the gallery."""
    if not values:
        st.caption("No finished runs yet.")
    total = sum(n for _, n, _ in values)
    for title, n, query in sorted(values, key=lambda value: -value[1]):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(GALLERY_PAGE, label=escaped(title), query_params=_with_choices(query), width=140)
            st.progress(n / total, width="stretch")
            st.markdown(f"{n:,} ({n / total:.1%})", width=130)


def _with_choices(query: Mapping[str, str]) -> dict[str, str | list[str]]:
    chosen = {key: address.get_all(key) for key in ("model", "device")}
    return {key: values for key, values in chosen.items() if values} | dict(query)


def _summed(daily: Sequence[DailyCount], key: Callable[[DailyCount], Hashable]) -> Counter[Any]:
    counts: Counter[Any] = Counter()
    for m in daily:
        counts[key(m)] += m.count
    return counts


def _grouped(run_times: Sequence[RunTimes], key: Callable[[RunTimes], Any]) -> dict[Any, Durations]:
    """The most used first."""
    groups: dict[Any, list[Durations]] = defaultdict(list)
    for times in run_times:
        groups[key(times)].append(times.durations)
    together = {group: Durations.together(durations) for group, durations in groups.items()}
    return dict(sorted(together.items(), key=lambda item: -item[1].count))
