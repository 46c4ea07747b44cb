"""A presentation with a SmartArt diagram as PowerPoint writes it: its data, and the shapes drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pptx
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml

from tests.unit.files.packages import NAMESPACES, REL

OFFICE = "http://schemas.microsoft.com/office"
SPACES = (
    f'{NAMESPACES} xmlns:dsp="{OFFICE}/drawing/2008/diagram" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
CONTENT = "application/vnd.openxmlformats-officedocument.drawingml.diagram{}+xml"


@dataclass
class _Slide:
    slide: Any

    def add(self, name: str, kind: str, xml: str) -> str:
        """Add a part of the diagram; the id of the slide's link to it."""
        part: Any = Part(
            PackURI(f"/ppt/diagrams/{name}1.xml"), CONTENT.format(kind), self.slide.part.package, xml.encode()
        )
        folder = f"{OFFICE}/2007/relationships" if kind == "Drawing" else REL
        return self.slide.part.relate_to(part, f"{folder}/diagram{kind}")


def write(path: Path, *texts: str) -> None:
    """Write a presentation whose only slide has a diagram with these texts."""
    made: Any = pptx.Presentation()
    slide = _Slide(made.slides.add_slide(made.slide_layouts[6]))
    root = '<dsp:nvGrpSpPr><dsp:cNvPr id="0" name=""/><dsp:cNvGrpSpPr/></dsp:nvGrpSpPr><dsp:grpSpPr/>'
    shapes = "".join(_shape(at, text) for at, text in enumerate(texts))
    drawn = slide.add(
        "drawing", "Drawing", f"<dsp:drawing {SPACES}><dsp:spTree>{root}{shapes}</dsp:spTree></dsp:drawing>"
    )
    ids = [
        slide.add("data", "Data", _data(texts, drawn)), slide.add("layout", "Layout", f"<dgm:layoutDef {SPACES}/>"),
        slide.add("quickStyle", "QuickStyle", f"<dgm:styleDef {SPACES}/>"),
        slide.add("colors", "Colors", f"<dgm:colorsDef {SPACES}/>"),
    ]  # fmt: skip
    links = " ".join(f'r:{name}="{id_}"' for name, id_ in zip(("dm", "lo", "qs", "cs"), ids, strict=True))
    frame = (
        f'<p:graphicFrame {SPACES}><p:nvGraphicFramePr><p:cNvPr id="9" name="d"/><p:cNvGraphicFramePr/><p:nvPr/>'
        '</p:nvGraphicFramePr><p:xfrm><a:off x="500000" y="500000"/><a:ext cx="8000000" cy="4000000"/></p:xfrm>'
        f'<a:graphic><a:graphicData uri="{DIAGRAM}"><dgm:relIds {links}/></a:graphicData></a:graphic></p:graphicFrame>'
    )
    slide.slide.shapes._spTree.append(parse_xml(frame))
    made.save(str(path))


def _shape(at: int, text: str) -> str:
    place = f'<a:xfrm><a:off x="{at * 2_000_000}" y="0"/><a:ext cx="1800000" cy="900000"/></a:xfrm>'
    return (
        f'<dsp:sp modelId="{{{at}}}"><dsp:nvSpPr><dsp:cNvPr id="0" name=""/><dsp:cNvSpPr/></dsp:nvSpPr><dsp:spPr>'
        f'{place}<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></dsp:spPr><dsp:txBody><a:bodyPr/><a:lstStyle/>'
        f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p></dsp:txBody></dsp:sp>"
    )


def _data(texts: tuple[str, ...], drawn: str) -> str:
    points = "".join(
        f'<dgm:pt modelId="{{{at}}}"><dgm:t><a:bodyPr/><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>'
        for at, text in enumerate(texts)
    )
    ext = f'<a:ext uri="{OFFICE}/drawing/2008/diagram"><dsp:dataModelExt relId="{drawn}" minVer="{DIAGRAM}"/></a:ext>'
    return (
        f'<dgm:dataModel {SPACES}><dgm:ptLst><dgm:pt modelId="{{D}}" type="doc"/>{points}</dgm:ptLst><dgm:cxnLst/>'
        f"<dgm:bg/><dgm:whole/><dgm:extLst>{ext}</dgm:extLst></dgm:dataModel>"
    )
