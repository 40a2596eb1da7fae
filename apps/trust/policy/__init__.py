"""The Content Security Policy: what is sent with a page, what browsers say about it, and a candidate beside it."""
