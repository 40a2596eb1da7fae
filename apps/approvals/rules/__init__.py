"""Pure decisions about paths, quorums and deadlines; no database."""
