"""sieveav: a Sieve interpreter that knows about viruses."""

__version__ = "0.1"
