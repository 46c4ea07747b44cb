"""What stands in the pane beside a list: rows told in full."""
