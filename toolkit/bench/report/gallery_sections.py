"""The heads of the page as HTML: the gallery, the best and the worst pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.bench.records.schema import Results
from toolkit.bench.report.pictures import Case, Pictures, cases
from toolkit.bench.report.sections import choice_html, escape
from toolkit.bench.report.tables import number


def gallery_html(
    pictures: Pictures,
    data: str,
    methods: Sequence[str],
    numbers: Mapping[tuple[str, str], str],
    names: Mapping[str, str],
) -> str:
    """Heads side by side: the truth and every method, seen from the input, from the side and from behind.

    Args:
        pictures: Where pictures come from.
        data: Name of the data set.
        methods: From left to right.
        numbers: What to write below a head, by (method, item).
        names: What to call an item.
    """
    sections = []
    for item in pictures.shown(data):
        columns = []
        for method in (None, *methods):
            name = pictures.whole(data, item, method)
            title = "photo / truth" if method is None else method
            views = "".join(_view(name, turn) for turn in (0, 90, 180))
            said = numbers.get((method or "", item), "")
            columns.append(
                f'<div class="head"><h4>{escape(title)}</h4>{views}<p class="said">{escape(said)}</p></div>'
            )  # fmt: skip
        start = pictures.yaw(data, item)
        sections.append(
            f'<section class="heads turning" data-yaw="{start:g}"><h3>{escape(names.get(item, item))}</h3>'
            f'<label class="turn">turn <input type="range" min="-180" max="180" step="10" value="0"></label>'
            f'<div class="scroll"><div class="strip">{"".join(columns)}</div></div></section>'
        )
    return "".join(sections)


def cases_html(results: Results, pictures: Pictures, data: str, methods: Sequence[str]) -> str:
    """Best and worst cases of every method, one metric shown at a time."""
    found = [case for case in cases(results) if case.data == data]
    figures = {}
    for key in dict.fromkeys((case.protocol, case.metric) for case in found):
        cards = []
        for method in methods:
            mine = [case for case in found if (case.protocol, case.metric, case.method) == (*key, method)]
            cards += [_case_html(case, pictures, data) for case in mine]
        figures[f"{key[0]}: {key[1]}"] = f'<div class="cases">{"".join(cards)}</div>'
    return choice_html(figures, "Metric") if figures else ""


def _case_html(case: Case, pictures: Pictures, data: str) -> str:
    truth, made = pictures.few(data, case.item, None), pictures.few(data, case.item, case.method)
    views = [_view(truth, 0), *(_view(made, turn) for turn in (0, 90, 180))]
    return (
        f'<div class="case heads {escape(case.rank)}" data-yaw="{pictures.yaw(data, case.item):g}">'
        f"<p><b>{escape(case.method)}</b> <span>{escape(case.rank)}</span> {number(case.value)}</p>"
        f'<div class="row">{"".join(views)}</div><small>{escape(case.item)}</small></div>'
    )


def _view(name: str | None, turn: int) -> str:
    if name is None:
        return '<span class="nothing">–</span>'
    alt = {0: "from the input's side", 90: "from the side", 180: "from behind"}[turn]
    return f'<img data-head="{escape(name)}" data-turn="{turn}" alt="{alt}" width="128" height="128" draggable="false">'
