"""One module per derived table, and the refresh that they share."""
