"""One engine process, from request to result."""
