"""Check an installation from outside: read it, and compare it with what operations need."""
