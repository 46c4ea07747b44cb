"""What earlier versions left in Redis, and how it is taken over."""
