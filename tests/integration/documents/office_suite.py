"""LibreOffice as a maker of documents: many conversions in one start of the program."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness.programs import program
from tests.integration.documents.office_sources import sheet, show, text

PACKAGES = "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui"

_MACRO = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1" script:language="StarBasic">
Sub ConvertAll(list As String)
  On Error GoTo Failed
  number = FreeFile
  Open list For Input As #number
  Do While Not Eof(number)
    Line Input #number, entry
    words = Split(entry, "|")
    Convert words(0), words(1), words(2), words(3)
  Loop
  Close #number
  Exit Sub
Failed:
  number = FreeFile
  Open list &amp; ".failed" For Output As #number
  Print #number, entry &amp; ": " &amp; Error$
  Close #number
  StarDesktop.terminate()
End Sub

Sub Convert(source, target, filter, password)
  Dim unseen(0) As New com.sun.star.beans.PropertyValue
  unseen(0).Name = "Hidden" : unseen(0).Value = True
  Dim how(1) As New com.sun.star.beans.PropertyValue
  how(0).Name = "FilterName" : how(0).Value = filter
  how(1).Name = "Overwrite" : how(1).Value = True
  If password &lt;&gt; "" Then
    Dim secret(1) As New com.sun.star.beans.NamedValue
    secret(0).Name = "CryptoType" : secret(0).Value = "Standard"
    secret(1).Name = "OOXPassword" : secret(1).Value = password
    how(1).Name = "EncryptionData" : how(1).Value = secret()
  End If
  document = StarDesktop.loadComponentFromURL(ConvertToURL(source), "_blank", 0, unseen())
  document.storeToURL(ConvertToURL(target), how())
  document.close(True)
End Sub
</script:module>
"""
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Conversion:
    """One document to make: of which source, under which name, by which of LibreOffice's filters."""

    source: str
    target: str
    export: str
    password: str = ""


CONVERSIONS = (
    Conversion("text.fodt", "letter.docx", "MS Word 2007 XML"),
    Conversion("text.fodt", "letter.dotx", "MS Word 2007 XML Template"),
    Conversion("text.fodt", "letter.docm", "MS Word 2007 XML VBA"),
    Conversion("text.fodt", "secret.docx", "MS Word 2007 XML", "a password"),
    Conversion("text.fodt", "letter.doc", "MS Word 97"),
    Conversion("text.fodt", "letter.rtf", "Rich Text Format"),
    Conversion("text.fodt", "letter.odt", "writer8"),
    Conversion("text.fodt", "letter.pdf", "writer_pdf_Export"),
    Conversion("sheet.fods", "orders.xlsx", "Calc MS Excel 2007 XML"),
    Conversion("sheet.fods", "orders.xltx", "Calc MS Excel 2007 XML Template"),
    Conversion("sheet.fods", "orders.xlsm", "Calc MS Excel 2007 VBA XML"),
    Conversion("sheet.fods", "secret.xlsx", "Calc MS Excel 2007 XML", "a password"),
    Conversion("sheet.fods", "orders.xls", "MS Excel 97"),
    Conversion("sheet.fods", "orders.ods", "calc8"),
    Conversion("sheet.fods", "orders.pdf", "calc_pdf_Export"),
    Conversion("show.fodp", "show.pptx", "Impress MS PowerPoint 2007 XML"),
    Conversion("show.fodp", "show.potx", "Impress MS PowerPoint 2007 XML Template"),
    Conversion("show.fodp", "show.ppsx", "Impress MS PowerPoint 2007 XML AutoPlay"),
    Conversion("show.fodp", "secret.pptx", "Impress MS PowerPoint 2007 XML", "a password"),
    Conversion("show.fodp", "show.ppt", "MS PowerPoint 97"),
    Conversion("show.fodp", "show.odp", "impress8"),
    Conversion("show.fodp", "show.pdf", "impress_pdf_Export"),
)


class Suite:
    """LibreOffice with a profile of its own.

    Args:
        made: Where its documents go.
    """

    def __init__(self, made: Path) -> None:
        self.made = made
        self._folder = made.parent / "office"
        self._folder.mkdir()
        self._command = [program("soffice", PACKAGES), "--headless", f"-env:UserInstallation={self._profile.as_uri()}"]
        self._run("--terminate_after_init")
        (self._profile / "user/basic/Standard/Module1.xba").write_text(_MACRO)
        for name, source in {"text.fodt": text, "sheet.fods": sheet, "show.fodp": show}.items():
            (self._folder / name).write_text(source())

    @property
    def _profile(self) -> Path:
        return self._folder / "profile"

    def make(self, conversions: Sequence[Conversion]) -> None:
        """Make documents in one start of the program."""
        orders = self._folder / "orders.txt"
        lines = (
            f"{self._folder / item.source}|{self.made / item.target}|{item.export}|{item.password}"
            for item in conversions
        )
        orders.write_text("\n".join(lines))
        self._run(f'macro:///Standard.Module1.ConvertAll("{orders}")')
        failed = self._folder / "orders.txt.failed"
        assert not failed.exists(), failed.read_text()

    def _run(self, argument: str) -> None:
        # The program hands over to a child: without a group of its own a hanging one would stay
        process = subprocess.Popen(
            [*self._command, argument], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            assert process.wait(_TIMEOUT_S) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
