"""Reports: records become a :class:`~workers.services.reports.content.Report`, which one renderer a format writes."""
