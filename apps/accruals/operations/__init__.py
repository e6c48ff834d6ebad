"""What changes accruals: starting years, counting batches, archiving entries, counting years anew."""
