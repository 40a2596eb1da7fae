"""The supervisor of the one-command run: its own servers, then web and worker, and one signal that stops all."""
