"""What LibreOffice is given to make documents of: flat OpenDocument files, written as text."""

from __future__ import annotations

import base64
import io

from PIL import Image

_NAMESPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "style": "style", "text": "text", "table": "table", "draw": "drawing",
        "fo": "xsl-fo-compatible", "svg": "svg-compatible", "meta": "meta", "number": "datastyle",
        "presentation": "presentation",
    }.items()
)  # fmt: skip
_OUTSIDE = 'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2"'

SENTENCE = "Grüße aus Žilina, 漢字 und €."


def picture() -> str:
    """A red picture of 40 × 20 pixels, in base64."""
    target = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(target, "PNG")
    return base64.b64encode(target.getvalue()).decode()


def text() -> str:
    """A letter: heading, paragraphs, list, table with a merged cell, footnote, header, footer, picture."""
    frame = (
        '<draw:frame text:anchor-type="as-char" svg:width="2cm" svg:height="1cm"><draw:image>'
        f"<office:binary-data>{picture()}</office:binary-data></draw:image></draw:frame>"
    )
    note = (
        '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>'
        "<text:note-body><text:p>The words of a footnote.</text:p></text:note-body></text:note>"
    )
    body = f"""<office:text>
<text:h text:outline-level="1" text:style-name="Heading_20_1">Quarterly letter</text:h>
<text:p>{SENTENCE}{note}</text:p>
<text:list><text:list-item><text:p>first point</text:p></text:list-item>
<text:list-item><text:p>second point</text:p></text:list-item></text:list>
<table:table table:name="Prices"><table:table-column table:number-columns-repeated="3"/>
<table:table-row>{_text_cells("Item", "Amount", "Price")}</table:table-row>
<table:table-row>{_text_cells("apples", "3", "1.50")}</table:table-row>
<table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>together</text:p></table:table-cell>
<table:covered-table-cell/>{_text_cells("4.50")}</table:table-row></table:table>
<text:p>{frame}</text:p></office:text>"""
    page = (
        '<office:automatic-styles><style:page-layout style:name="pm"><style:page-layout-properties '
        'fo:page-width="21cm" fo:page-height="29.7cm" fo:margin="2cm"/><style:header-style/><style:footer-style/>'
        '</style:page-layout></office:automatic-styles><office:master-styles><style:master-page style:name="Standard" '
        'style:page-layout-name="pm"><style:header><text:p>Words of the header</text:p></style:header>'
        "<style:footer><text:p>Words of the footer</text:p></style:footer></style:master-page></office:master-styles>"
    )
    return _document("text", page, body)


def _text_cells(*words: str) -> str:
    return "".join(f"<table:table-cell><text:p>{word}</text:p></table:table-cell>" for word in words)


def sheet() -> str:
    """Two sheets: amounts with a date, a formula and yes/no; and a hidden one with two far corners."""
    rows = "".join(_row(name, amount) for name, amount in (("apples", 3), ("pears", 4.5), ("plums", -1)))
    heads = "".join(_string(word) for word in ("Item", "Amount", "Day", "Paid"))
    total = _formula("of:=SUM([.B2:.B4])", 6.5)
    far = f"{_number(1)}<table:table-cell table:number-columns-repeated='254'/>{_number(2)}"
    body = f"""<office:spreadsheet>
<table:table table:name="Orders"><table:table-row>{heads}</table:table-row>{rows}
<table:table-row>{_string("=1+1")}{total}</table:table-row></table:table>
<table:table table:name="Far" table:style-name="hidden">
<table:table-row table:number-rows-repeated="60000"><table:table-cell/></table:table-row>
<table:table-row>{far}</table:table-row></table:table></office:spreadsheet>"""
    styles = (
        '<office:automatic-styles><style:style style:name="hidden" style:family="table">'
        '<style:table-properties table:display="false"/></style:style>'
        "<number:date-style style:name='d'><number:year number:style='long'/><number:text>-</number:text>"
        "<number:month number:style='long'/><number:text>-</number:text><number:day number:style='long'/>"
        "</number:date-style><number:boolean-style style:name='b'><number:boolean/></number:boolean-style>"
        '<style:style style:name="day" style:family="table-cell" style:data-style-name="d"/>'
        '<style:style style:name="yes" style:family="table-cell" style:data-style-name="b"/>'
        "</office:automatic-styles>"
    )
    return _document("spreadsheet", styles, body)


def _row(name: str, amount: float) -> str:
    day = '<table:table-cell table:style-name="day" office:value-type="date" office:date-value="2026-03-31"/>'
    paid = '<table:table-cell table:style-name="yes" office:value-type="boolean" office:boolean-value="true"/>'
    return f"<table:table-row>{_string(name)}{_number(amount)}{day}{paid}</table:table-row>"


def _string(word: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{word}</text:p></table:table-cell>'


def _number(value: float) -> str:
    return f'<table:table-cell office:value-type="float" office:value="{value}"/>'


def _formula(formula: str, value: float) -> str:
    return f'<table:table-cell table:formula="{formula}" office:value-type="float" office:value="{value}"/>'


def show() -> str:
    """Two slides: a title with notes, a text box with a picture."""
    slide = '<draw:page draw:name="s{0}" draw:master-page-name="m">{1}{2}</draw:page>'
    title = (
        '<draw:frame presentation:class="title" svg:x="1cm" svg:y="1cm" svg:width="20cm" svg:height="3cm">'
        "<draw:text-box><text:p>Where we stand</text:p></draw:text-box></draw:frame>"
    )
    notes = (
        '<presentation:notes><draw:frame presentation:class="notes" svg:x="2cm" svg:y="14cm" svg:width="17cm" '
        'svg:height="10cm"><draw:text-box><text:p>Speak slowly here.</text:p></draw:text-box></draw:frame>'
        "</presentation:notes>"
    )
    box = (
        '<draw:frame svg:x="1cm" svg:y="5cm" svg:width="20cm" svg:height="3cm"><draw:text-box>'
        f"<text:p>{SENTENCE}</text:p></draw:text-box></draw:frame>"
        '<draw:frame svg:x="1cm" svg:y="9cm" svg:width="4cm" svg:height="2cm"><draw:image>'
        f"<office:binary-data>{picture()}</office:binary-data></draw:image></draw:frame>"
    )
    pages = slide.format(1, title, notes) + slide.format(2, box, "")
    page = (
        '<office:automatic-styles><style:page-layout style:name="pm"><style:page-layout-properties '
        'fo:page-width="28cm" fo:page-height="21cm"/></style:page-layout></office:automatic-styles>'
        '<office:master-styles><style:master-page style:name="m" style:page-layout-name="pm"/></office:master-styles>'
    )
    return _document("presentation", page, f"<office:presentation>{pages}</office:presentation>")


def _document(kind: str, styles: str, body: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {_NAMESPACES} {_OUTSIDE} office:version="1.3" '
        f'office:mimetype="application/vnd.oasis.opendocument.{kind}"><office:meta>'
        "<dc:title>A title</dc:title><meta:initial-creator>Ada Example</meta:initial-creator></office:meta>"
        f"{styles}<office:body>{body}</office:body></office:document>"
    )
