"""Tables of the views: columns, cells, groups and sort order."""
