"""Whole catalogues: a manifest's rows, the plan of a run, the run itself, its batches and its report."""
