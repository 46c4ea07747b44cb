"""Tools for AI assistants (Model Context Protocol), beside the screens: they look as those do, and change by the
dashboard's actions, which the library knows nothing of.
"""
