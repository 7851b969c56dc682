"""What leaves the database: events as lines, ceilings as a gateway takes them."""
