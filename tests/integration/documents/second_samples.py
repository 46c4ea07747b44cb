"""Documents that both we and a second program read: each kind of what readers of documents used to lose."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import openpyxl
import pptx
import pypdf
from openpyxl.comments import Comment
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.hyperlink import Hyperlink
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.chart.xmlwriter import ChartXmlWriter
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from pypdf.annotations import FreeText
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from tests.unit.files import packages
from tests.unit.files.packages import paragraph, run

TRACKED = 'w:id="1" w:author="Ada" w:date="2026-01-01T00:00:00Z"'
FIELD = '<w:r><w:fldChar w:fldCharType="{}">{}</w:fldChar></w:r>'
PLACE = (
    '<w:r><w:drawing><wp:inline><wp:extent cx="4000000" cy="2500000"/><wp:docPr id="{0}" name="x{0}" descr="{1}"/>'
    '<a:graphic><a:graphicData uri="{2}">{3}</a:graphicData></a:graphic></wp:inline></w:drawing></w:r>'
)
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
SHAPE = "http://schemas.microsoft.com/office/word/2010/wordprocessingShape"
WEB = b"<html><body><p>imported from a page</p><table><tr><td>left</td><td>right</td></tr></table></body></html>"


def _form(data: str, result: str) -> str:
    begin = FIELD.format("begin", f'<w:ffData><w:name w:val="f"/><w:enabled/>{data}</w:ffData>')
    code = "<w:r><w:instrText> FORMTEXT </w:instrText></w:r>"
    return begin + code + FIELD.format("separate", "") + result + FIELD.format("end", "")


def _data() -> CategoryChartData:
    data = CategoryChartData()
    data.categories = ["Northern", "Southern"]
    data.add_series("Revenue", (3, 5))
    return data


def _chart() -> str:
    writer: Any = ChartXmlWriter(XL_CHART_TYPE.COLUMN_CLUSTERED, _data())
    return writer.xml


def word() -> bytes:
    """Tracked moves and changes, an imported page, symbols, a form field, a chart, a text box, nested tables."""
    box = (
        '<wps:wsp><wps:cNvSpPr txBox="1"/><wps:spPr>'
        '<a:xfrm><a:off x="0" y="0"/><a:ext cx="4000000" cy="900000"/></a:xfrm>'
        f'<a:prstGeom prst="rect"/></wps:spPr><wps:txbx><w:txbxContent>{paragraph(run("inside a box"))}</w:txbxContent>'
        "</wps:txbx><wps:bodyPr/></wps:wsp>"
    )
    choice = f'<mc:Choice Requires="wps">{PLACE.format(2, "", SHAPE, box)}</mc:Choice>'
    cell = "<w:tc><w:tcPr/>{}</w:tc>"
    inner = f"<w:tbl><w:tr>{cell.format(paragraph(run('nested words')))}</w:tr></w:tbl>{paragraph('')}"
    body = [
        paragraph(f"<w:moveFrom {TRACKED}>{run('moved clause ')}</w:moveFrom>{run('stays here')}"),
        paragraph(f"<w:moveTo {TRACKED}>{run('moved clause')}</w:moveTo>"),
        paragraph(f"<w:ins {TRACKED}>{run('inserted words')}</w:ins>"),
        paragraph(run("symbol alpha ") + '<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>'),
        paragraph(run("answer ") + _form('<w:textInput><w:default w:val="none"/></w:textInput>', run("filled answer"))),
        paragraph(PLACE.format(1, "a chart of sales", CHART, f'<c:chart xmlns:c="{CHART}" r:id="c"/>')),
        paragraph(f"<w:r><mc:AlternateContent>{choice}</mc:AlternateContent></w:r>"),
        f"<w:tbl><w:tr>{cell.format(paragraph(run('outer words')) + inner)}</w:tr></w:tbl>",
        '<w:altChunk r:id="h"/>',
        paragraph("<w:sdt><w:sdtPr/><w:sdtContent>" + run("content control") + "</w:sdtContent></w:sdt>"),
        paragraph('<w:fldSimple w:instr=" TITLE ">' + run("field result") + "</w:fldSimple>"),
        paragraph(run("the last words")),
    ]
    links = {"c": ("chart", "chart.xml"), "h": ("aFChunk", "page.html")}
    parts: dict[str, str | bytes] = {"word/chart.xml": _chart(), "word/page.html": WEB}
    return packages.word("".join(body), links, parts, {"html": "text/html"})


def show(path: Path) -> None:
    """A chart, a table, a group and notes."""
    made: Any = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Where we stand"
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, Inches(2), Inches(5), Inches(4), _data()).chart
    chart.has_legend = chart.has_title = True
    chart.chart_title.text_frame.text = "Turnover chart"
    table = slide.shapes.add_table(1, 2, Inches(5), Inches(2), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "left cell", "right cell"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(5), Inches(4), Inches(3), Inches(1)).text_frame.text = "grouped words"
    slide.notes_slide.notes_text_frame.text = "speak slowly"
    made.save(str(path))


def cells(path: Path) -> None:
    """Days from 1904 on, times before zero, errors, a comment, a hidden sheet and merged cells."""
    made = openpyxl.Workbook()
    made.epoch = dt.datetime(1904, 1, 1)
    sheet: Any = made.active
    sheet.append(["day", "delay", "rate", "by"])
    sheet.append([dt.date(1904, 4, 10), -0.5, "#N/A", "card"])
    sheet.append([dt.date(2026, 3, 31), 1.25, "#DIV/0!", "cash"])
    for row in (2, 3):
        sheet.cell(row, 1).number_format = "yyyy-mm-dd"
        sheet.cell(row, 2).number_format = "[h]:mm:ss"
    sheet["A5"] = "merged words"
    sheet.merge_cells("A5:C6")
    sheet["D2"].comment = Comment("ask Ada", "Ada")
    hidden: Any = made.create_sheet("Hidden")
    hidden["A1"] = "in a hidden sheet"
    hidden.sheet_state = "hidden"
    made.save(path)


def linked_cells(path: Path) -> None:
    """Headers and footers, links to the outside and inside, a formula's link, and what is to be entered."""
    made = openpyxl.Workbook()
    sheet: Any = made.active
    for row in (["Item", "Amount"], ["shop", 3], ["mail us", 4], ["up", 5]):
        sheet.append(row)
    sheet["A5"] = '=HYPERLINK("https://formula.example/f","formula link")'
    sheet.oddHeader.center.text = "Top && secret"
    sheet.oddFooter.right.text = '&"Arial,Bold"&12Sheet &P of &N'
    sheet["A2"].hyperlink = "https://shop.example/a?b=1&c=2"
    sheet["A3"].hyperlink = "mailto:ada@example.org"
    sheet["A4"].hyperlink = Hyperlink(ref="A4", location="'Sheet'!A1")
    rule = DataValidation("whole", formula1="1", formula2="9", promptTitle="Amount", prompt="Between one and nine")
    rule.showInputMessage = True
    rule.add("B2:B4")
    sheet.add_data_validation(rule)
    made.save(path)


def paper(path: Path) -> None:
    """A form that is filled in, free text, words broken at line ends, two columns, a turned page, pictures."""
    page = canvas.Canvas(str(path))
    page.setTitle("A paper")
    for at, line in enumerate(["They decided to pur-", "chase a differ-", "ent estate"]):
        page.drawString(60, 780 - 14 * at, line)
    for at in range(3):
        page.drawString(330, 780 - 14 * at, f"right column line {at}")
    fields: Any = page.acroForm
    fields.textfield(name="surname", value="SMITHFILLED", x=60, y=600)
    fields.choice(name="country", value="Belgium", options=["Austria", "Belgium"], x=60, y=500)
    page.drawImage(ImageReader(Image.effect_noise((60, 40), 80)), 100, 300)
    page.showPage()
    page.setPageRotation(90)
    page.drawString(100, 400, "on a turned page")
    page.drawImage(ImageReader(Image.effect_noise((50, 40), 80)), 100, 300)
    page.save()
    writer = pypdf.PdfWriter(clone_from=path)
    writer.add_annotation(0, FreeText(rect=(60, 400, 260, 440), text="FREETEXTNOTE"))
    target = io.BytesIO()
    writer.write(target)
    path.write_bytes(target.getvalue())
