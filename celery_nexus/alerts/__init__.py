"""Alerts: rules over what is known of an application, and the channels that are told.

``rules`` and ``kinds`` declare, ``facts`` are what was read, ``evaluation`` compares them without side effects,
``book`` remembers across restarts, ``watcher`` does all of it again and again.
"""
