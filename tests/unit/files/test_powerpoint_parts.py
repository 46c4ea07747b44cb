"""What a viewer of a presentation sees is in its text: charts with data, diagrams, comments, what layouts show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pptx
import pytest
from pptx.chart.data import BubbleChartData, CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from tests.harness.documents import Read
from tests.unit.files import packages
from tests.unit.files.hostile import save

BOX = (0, 0, Inches(4), Inches(3))
SHAPE = (
    "<p:sp><p:nvSpPr><p:cNvPr id='2' name='x' {}/>{}</p:nvSpPr>"
    "<p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody></p:sp>"
)
NAMES = packages.NAMESPACES + ' xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'


def show(shapes: str, links: dict[str, tuple[str, str]], parts: dict[str, str | bytes], attributes: str = "") -> bytes:
    """A presentation of one slide, whose parts lie in no usual folder."""
    tree = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
    own: dict[str, str | bytes] = {
        "a/main.xml": f"<p:presentation {NAMES}><p:sldIdLst><p:sldId r:id='s'/></p:sldIdLst></p:presentation>",
        "a/_rels/main.xml.rels": packages.relationships({"s": ("slide", "../b/one.xml")}),
        "b/one.xml": f"<p:sld {NAMES} {attributes}>{tree}</p:sld>",
        "b/_rels/one.xml.rels": packages.relationships(links),
    }
    return packages.package("a/main.xml", "ppt", own | parts)


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (XL_CHART_TYPE.BAR_CLUSTERED, ["\tEast\tWest", "Q1\t1.5\t3", "Q2\t2.5\t4"]),
        (XL_CHART_TYPE.LINE, ["\tEast\tWest", "Q1\t1.5\t3", "Q2\t2.5\t4"]),
        (XL_CHART_TYPE.PIE, ["\tEast", "Q1\t1.5", "Q2\t2.5"]),
    ],
)
def test_a_charts_categories_series_and_values_are_read(uploads: Path, read: Read, kind: Any, lines: list[str]) -> None:
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("East", (1.5, 2.5))
    data.add_series("West", (3, 4))
    assert _charted(uploads, read, kind, data) == lines


def test_the_points_of_a_scatter_chart_are_read(uploads: Path, read: Read) -> None:
    data = XyChartData()
    points = data.add_series("Trial")
    points.add_data_point(0.5, 10)
    points.add_data_point(1.5, 20)
    assert _charted(uploads, read, XL_CHART_TYPE.XY_SCATTER, data) == ["\tTrial", "0.5\t10", "1.5\t20"]


def test_the_sizes_of_bubbles_are_read(uploads: Path, read: Read) -> None:
    data = BubbleChartData()
    data.add_series("Trial").add_data_point(1, 2, 30)
    assert _charted(uploads, read, XL_CHART_TYPE.BUBBLE, data) == ["\tTrial\tsize", "1\t2\t30"]


def test_categories_in_levels_are_read_with_both(uploads: Path, read: Read) -> None:
    data = CategoryChartData()
    year = data.add_category("2026")
    year.add_sub_category("spring")
    year.add_sub_category("autumn")
    data.add_series("East", (1, 2))
    lines = _charted(uploads, read, XL_CHART_TYPE.BAR_CLUSTERED, data)
    assert lines == ["\tEast", "2026 spring\t1", "autumn\t2"]


def _charted(uploads: Path, read: Read, kind: Any, data: Any) -> list[str]:
    made: Any = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    slide.shapes.add_chart(kind, *BOX, data)
    made.save(str(uploads / "x.pptx"))
    result = read("powerpoint", "x.pptx", ["extract_text"])
    assert result["warnings"] == []
    return result["content"].splitlines()[1:]


def test_what_stands_on_a_slide_is_read_in_its_order(uploads: Path, read: Read) -> None:
    frame = "<p:graphicFrame><a:graphic><a:graphicData>{}</a:graphicData></a:graphic></p:graphicFrame>"
    shapes = (
        SHAPE.format("", "", "first")
        + frame.format('<c:chart r:id="c"/>')
        + SHAPE.format("descr='A red barn'", "", "second")
        + frame.format('<dgm:relIds r:dm="d"/>')
    )
    links = {"c": ("chart", "../c/chart.xml"), "d": ("diagramData", "../c/data.xml"), "k": ("comments", "k.xml")}
    comments = f"<p:cmLst {NAMES}><p:cm><p:text>one remark</p:text></p:cm><p:cm><p:text>other</p:text></p:cm></p:cmLst>"
    parts: dict[str, str | bytes] = {"c/chart.xml": packages.chart(), "c/data.xml": packages.diagram("Plan", "Do")}
    save(uploads, "x.pptx", show(shapes, links, parts | {"b/k.xml": comments}))
    lines = read("powerpoint", "x.pptx", ["extract_text"])["content"].splitlines()
    assert lines == [
        "Slide 1", "first", *packages.CHART_LINES, "[A red barn]", "second", "Plan", "Do", "one remark", "other",
    ]  # fmt: skip


def test_a_hidden_slide_is_said(uploads: Path, read: Read) -> None:
    save(uploads, "x.pptx", show(SHAPE.format("", "", "secret"), {}, {}, "show='0'"))
    assert read("powerpoint", "x.pptx", ["extract_text"])["content"] == "Slide 1 (hidden)\nsecret"


def test_what_a_layout_shows_on_every_slide_is_read_once(uploads: Path, read: Read) -> None:
    placeholder = SHAPE.format("", "<p:nvPr><p:ph type='title'/></p:nvPr>", "Click to edit")
    tree = f"<p:cSld name='L'><p:spTree>{placeholder}{SHAPE.format('', '', 'Confidential')}</p:spTree></p:cSld>"
    layout = f"<p:sldLayout {NAMES}>{tree}</p:sldLayout>"
    links = {"l": ("slideLayout", "layout.xml")}
    save(uploads, "x.pptx", show(SHAPE.format("", "", "text"), links, {"b/layout.xml": layout}))
    content = read("powerpoint", "x.pptx", ["extract_text"])["content"]
    assert content == "Slide 1\ntext\n\nOn every slide\nConfidential"


def test_an_equation_and_a_symbol_of_a_slide_are_read(uploads: Path, read: Read) -> None:
    fraction = "<m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    math = f"<a14:m xmlns:a14='x'><m:oMath>{fraction}</m:oMath></a14:m>"
    sign = "<a:r><a:rPr><a:sym typeface='Wingdings'/></a:rPr><a:t>\uf0fc</a:t></a:r>"
    shape = f"<p:sp><p:txBody><a:p>{math}{sign}</a:p></p:txBody></p:sp>"
    save(uploads, "x.pptx", show(shape, {}, {}))
    assert read("powerpoint", "x.pptx", ["extract_text"])["content"] == "Slide 1\na/2✓"
