"""Presentations are read slide by slide, with tables, groups, notes, charts and pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pptx
import pytest
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from tests.harness.documents import Read


@pytest.fixture
def talk(uploads: Path) -> str:
    show: Any = pptx.Presentation()
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "Opening"
    first.placeholders[1].text = "one\ntwo"
    first.notes_slide.notes_text_frame.text = "say hello"
    second = show.slides.add_slide(show.slide_layouts[5])
    second.shapes.title.text = "Figures"
    second.shapes.add_table(1, 2, 0, 0, 99, 99).table.cell(0, 1).text = "in a cell"
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "in a group"
    target = io.BytesIO()
    Image.new("RGB", (4, 3)).save(target, "PNG")
    target.seek(0)
    second.shapes.add_picture(target, 0, 0)
    data = CategoryChartData()
    data.categories = ["a"]
    data.add_series("s", (1,))
    chart = second.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, Inches(1), Inches(1), data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "a chart's title"
    show.save(str(uploads / "talk.pptx"))
    return "talk.pptx"


def test_slides_are_read_in_order_with_everything_on_them(talk: str, read: Read) -> None:
    text = read("powerpoint", talk, ["extract_text"])["content"]
    first, second = text.split("\n\nSlide 2\n")
    assert first == "Slide 1\nOpening\none\ntwo\n\nNotes:\nsay hello"
    assert set(second.splitlines()) >= {"Figures", "\tin a cell", "in a group", "a chart's title"}


def test_the_structure_is_described(talk: str, read: Read) -> None:
    slides = read("powerpoint", talk, ["analyze_structure"])["structure"]["slides"]
    assert (slides[0]["title"], slides[0]["layout"], slides[0]["has_notes"]) == ("Opening", "Title and Content", True)
    assert slides[1]["shapes"] == {"shape": 2, "table": 1, "group": 1, "picture": 1, "chart": 1}


def test_the_order_of_the_show_counts_and_not_the_files(talk: str, uploads: Path, read: Read) -> None:
    show: Any = pptx.Presentation(str(uploads / talk))
    order = show.slides._sldIdLst
    order.insert(0, order[1])
    show.save(str(uploads / "turned.pptx"))
    slides = read("powerpoint", "turned.pptx", ["analyze_structure"])["structure"]["slides"]
    assert [slide["title"] for slide in slides] == ["Figures", "Opening"]


def test_pictures_are_written(talk: str, read: Read) -> None:
    images = read("powerpoint", talk, ["extract_images"])["outputs"]["images"]
    assert [Path(path).suffix for path in images] == [".png"]
