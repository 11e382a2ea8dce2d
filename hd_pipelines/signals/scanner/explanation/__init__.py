"""The JSON that is stored with every signal, and the text made of it."""
