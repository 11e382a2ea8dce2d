"""One definition per table, and the vocabulary of its columns."""
