"""Pure rules of forms: what a schema may say, what a page shows, and what answers hold."""
