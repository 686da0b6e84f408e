"""Modules of one wing."""
