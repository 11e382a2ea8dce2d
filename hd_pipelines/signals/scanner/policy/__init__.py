"""The numbers that decide about a candidate, as frozen data, and the enums that key them."""
