"""The room spectra."""
