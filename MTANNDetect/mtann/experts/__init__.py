"""Several experts: one MTANN a type of false alarm, and how their scores are put together."""
