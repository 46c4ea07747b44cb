"""Apparatus of the benchmarks: reports, load, samples, and the applications that are measured."""
