"""How an application lies in Redis: its keys, its messages' bytes, connections and scripts."""
