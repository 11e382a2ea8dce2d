"""The five context engines: what the context makes of a score, with confidence, age and a reason."""
