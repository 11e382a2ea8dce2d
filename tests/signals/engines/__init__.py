"""Tests of the context engines; `made` makes contexts, prints and rows."""
