"""Webhooks: what happened to jobs, told to whoever asked to be told; never on a job's path."""
