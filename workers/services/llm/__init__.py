"""Language models: what is asked, how providers are spoken to, and what is made of long texts and answers.

``asking`` puts one question to a provider (``claude``, ``gpt``) and turns every outcome into an answer or a typed
error; ``completion``, ``analysis``, ``content``, ``translation`` and ``batch`` are built on it; ``kept`` holds
paid answers so that a second run of the same task doesn't pay again.
"""
