"""What a report tells of one subject: a module each, data only."""
