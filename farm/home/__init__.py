"""The embedded farm of a ``FARM_HOME``: one host process owns it, commands are its clients."""
