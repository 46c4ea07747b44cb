"""What an operator can do: one class per action, with its keys, words, question, command and deed in one place.

What an action needs of broker and workers is loaded when it is done: dashboard and command line open before.
"""
