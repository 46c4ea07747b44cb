"""Workbooks: rows and cells of every format of spreadsheets, their figures and conversions."""
