"""Pictures: designs decoded and composed into textures, renders judged. Arrays in, arrays out; no I/O."""
