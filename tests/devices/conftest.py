"""Left for tests that take the name from here."""

from tests.phone.fixtures import Connect  # noqa: F401
