"""The schedule of any application: what beat sends, from wherever it is kept, and what became of it."""
