"""Its place makes the helpers beside it importable from every test."""
