"""A theory-verification toolkit for masked autoencoders."""

__version__ = "0.1.0"
