"""The one place where speed is measured: each name runs ours and its yardstick in turn, in the same run."""
