"""Errors in declared settings and addresses.

::

    ConfigError            a setting that can't be used: names it, says what is wrong and what would be right
    ├── UnusableFolder     a file or folder of the stack that can't be read or made
    └── BrokerUrlError     a Redis URL that can't be parsed
"""


class ConfigError(Exception):
    """A setting can't be used; the message names it and says what would be right."""


class BrokerUrlError(ConfigError):
    """A Redis URL can't be parsed."""


class UnusableFolder(ConfigError):
    """A file or folder of a stack can't be read or made; the message names it."""
