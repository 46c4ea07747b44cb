"""The transport: publishing, fetching, and what goes over a channel."""
