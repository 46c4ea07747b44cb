"""The filter language: text, tree, meaning, SQL."""
