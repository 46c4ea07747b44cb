"""Mail: building messages, the SMTP conversation and its outcomes, the outbox, templates, mail for later."""
