"""The transport: publishing, fetching, and remote control's channels."""
