"""What screens have in common: frame, keys, lists with panes, filters, readings of their own."""
