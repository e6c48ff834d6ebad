"""Letters with which the post office pays: what it is ordered, what it reports, and the paper."""
