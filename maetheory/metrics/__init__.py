"""The room metrics."""
