"""Jobs that are never lost: the record, the ledger that keeps it, the queue that hands it out, the worker that runs it."""
