"""Pages, and the guard before them."""
