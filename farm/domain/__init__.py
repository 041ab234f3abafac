"""What the farm talks about: values without I/O, clocks or Ray."""
