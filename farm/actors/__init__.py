"""Ray at the edge: what runs where, with which resources, under which names. Decisions are made elsewhere."""
