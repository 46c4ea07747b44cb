"""Workers: questions, answers, orders, and who is alive."""
