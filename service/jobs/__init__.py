"""Jobs that are never lost: records, the ledger that keeps them, the queue that hands them out, the worker."""
