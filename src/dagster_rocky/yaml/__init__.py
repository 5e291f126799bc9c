"""What a person writes."""
