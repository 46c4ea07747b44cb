"""Office packages put together part by part, as other programs than the usual ones write them."""

from __future__ import annotations

import io
import zipfile

TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN_TYPES = {
    "word": "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "xl": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
    "xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.main",
    "ppt": "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
}
NAMESPACES = " ".join(
    f'xmlns:{prefix}="{name}"'
    for prefix, name in {
        "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main", "r": REL,
        "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
        "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
        "pic": "http://schemas.openxmlformats.org/drawingml/2006/picture",
        "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
        "w14": "http://schemas.microsoft.com/office/word/2010/wordml", "v": "urn:schemas-microsoft-com:vml",
        "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    }.items()
)  # fmt: skip


def relationships(links: dict[str, tuple[str, str]]) -> str:
    """A part's links: id → kind and target."""
    items = "".join(f'<Relationship Id="{id_}" Type="{REL}/{kind}" Target="{target}"/>'
                    for id_, (kind, target) in links.items())  # fmt: skip
    return f'<Relationships xmlns="{LINKS}">{items}</Relationships>'


def package(main: str, kind: str, parts: dict[str, str | bytes], defaults: dict[str, str] | None = None) -> bytes:
    """A package whose main part has this name; ``kind`` is ``word``, ``xl``, ``xlsb`` or ``ppt``."""
    endings = {"rels": "application/vnd.openxmlformats-package.relationships+xml", "xml": "application/xml"}
    types = "".join(f'<Default Extension="{ending}" ContentType="{type_}"/>'
                    for ending, type_ in (endings | (defaults or {})).items())  # fmt: skip
    override = f'<Override PartName="/{main}" ContentType="{MAIN_TYPES[kind]}"/>'
    about: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}">{types}{override}</Types>',
        "_rels/.rels": relationships({"main": ("officeDocument", main)}),
    }
    return zipped(about | parts)


def zipped(members: dict[str, str | bytes]) -> bytes:
    """A ZIP of these members, in order."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def word(
    body: str,
    links: dict[str, tuple[str, str]] | None = None,
    parts: dict[str, str | bytes] | None = None,
    defaults: dict[str, str] | None = None,
) -> bytes:
    """A Word document with this body, and parts that it links to."""
    own: dict[str, str | bytes] = {
        "word/document.xml": f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": relationships(links or {}),
    }
    return package("word/document.xml", "word", own | (parts or {}), defaults)


def paragraph(xml: str) -> str:
    """A paragraph of a Word document with this content."""
    return f"<w:p>{xml}</w:p>"


def run(text: str) -> str:
    """A run of text."""
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def chart(series: str = "Sales", kind: str = "barChart") -> str:
    """A chart's part with a title, an axis title, two categories and one series."""
    points = '<c:pt idx="0"><c:v>{}</c:v></c:pt><c:pt idx="1"><c:v>{}</c:v></c:pt>'
    name = f'<c:tx><c:strRef><c:strCache><c:pt idx="0"><c:v>{series}</c:v></c:pt></c:strCache></c:strRef></c:tx>'
    cat = f"<c:cat><c:strRef><c:strCache>{points.format('North', 'South')}</c:strCache></c:strRef></c:cat>"
    val = f"<c:val><c:numRef><c:numCache>{points.format('12.5', '7')}</c:numCache></c:numRef></c:val>"
    title = "<c:title><c:tx><c:rich><a:p><a:r><a:t>{}</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    plot = (
        f"<c:plotArea><c:{kind}><c:ser>{name}{cat}{val}</c:ser></c:{kind}><c:catAx>{title.format('Regions')}</c:catAx>"
    )
    return f"<c:chartSpace {NAMESPACES}><c:chart>{title.format('Turnover')}{plot}</c:plotArea></c:chart></c:chartSpace>"


CHART_LINES = ["Turnover", "Regions", "\tSales", "North\t12.5", "South\t7"]
"""What :func:`chart` says."""


def diagram(*texts: str) -> str:
    """The data of a SmartArt diagram with these points."""
    points = "".join(f"<dgm:pt><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>" for text in texts)
    return f"<dgm:dataModel {NAMESPACES}><dgm:ptLst>{points}</dgm:ptLst></dgm:dataModel>"
