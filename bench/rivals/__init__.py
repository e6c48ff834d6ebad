"""What accepting is measured against: the same work as it is usually written, and the least that any must do."""
