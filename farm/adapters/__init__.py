"""The ports' real parts: Redis, S3, folders, the built-in catalogue; each proved by its port's contract suite."""
