"""Contents of the pane beside a list: rows told in full."""
