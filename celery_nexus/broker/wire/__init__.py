"""The wire format of an application in Redis: keys, message bytes, connections and scripts."""
