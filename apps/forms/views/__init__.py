"""The pages of forms, submissions and tasks."""
