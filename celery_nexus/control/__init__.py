"""Workers: remote control and its replies, liveness, standing orders."""
