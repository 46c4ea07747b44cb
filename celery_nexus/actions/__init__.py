"""Actions of operators: one class each, with its keys, words, question, command and deed.

What an action needs of broker and workers is loaded when it is done: dashboard and command line open before.
"""
