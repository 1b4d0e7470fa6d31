"""Errors that a user can act on.

Bad input is data and never raises; these are for what cannot go on: a broken configuration, a file that
is no records file, an output that is damaged. The message is one line that names the thing and the way out.
"""


class BioscanError(Exception):
    """One line for the user: what is wrong, where, and what to do."""


class SettingsError(BioscanError):
    """A setting is missing, unknown or out of range."""


class SourceError(BioscanError):
    """An input cannot be used at all: absent, empty, or of an unknown layout."""


class SchemaError(BioscanError):
    """A table does not have the columns or types that `bioscan_etl.schema` gives it."""


class InvariantError(BioscanError):
    """A blocking check on the corpus failed; nothing is released."""


class LakeError(BioscanError):
    """An output in the lake is missing, damaged or made from other inputs than asked for."""
