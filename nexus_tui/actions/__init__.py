"""What an operator can do: one class per action, with its key, words, question and deed in one place."""
