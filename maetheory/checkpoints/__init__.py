"""Any checkpoint of a Vision Transformer becomes an encoder and a report, and no code from the file ever runs."""
