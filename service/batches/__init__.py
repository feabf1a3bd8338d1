"""Batches: many pictures as one job. What is in an archive, what is done with a chunk of it, and what came out."""
