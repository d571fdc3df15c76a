"""What users may use."""
