"""Checks of the doctor: small pure functions over the evidence, each with the kinds of findings that it makes."""
