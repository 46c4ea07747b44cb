"""Figures that the project claims, each measured beside what it is compared with in one run."""
