"""What a file of weights says: its tensors and settings, read without running a word of it."""
