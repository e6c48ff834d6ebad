"""What of cases is shown."""
