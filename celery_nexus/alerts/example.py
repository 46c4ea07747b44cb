"""Example of a rules file: the usual rules and each type of channel, commented out."""

from __future__ import annotations

EXAMPLE = """\
# Alert rules of Nexus. The usual rules hold without a line here; [rule.NAME] changes one of them, or adds another.
# nexus-tui alerts lists them all, nexus-tui alerts test CHANNEL tries a channel.

# [rule.depth]               # one of the usual rules
# kind = "depth"
# above = 500                # raised when more wait than these …
# clears = 300               # … and cleared when no more than these do
# for = "2m"                 # and only when that lasts
# severity = "critical"      # or "warning"
# queues = ["mail_*"]
# channels = ["ops"]         # without it: every channel

# [rule.import-failures]     # a rule of your own
# kind = "failure rate"
# above = 5                  # per cent
# over = "15m"
# least = 50                 # ended runs, below which nothing is concluded
# tasks = ["shop.imports.*"]

# [rule.disk]
# enabled = false

# [slo.mail]                 # runs of this queue are to start within 30 s, 99 of 100
# starts_within = "30s"
# target = 0.99

# [channel.ops]
# type = "webhook"
# url = "https://hooks.example.com/nexus"
# headers = { Authorization = "Bearer ${HOOK_TOKEN}" }

# [channel.mail]             # by NEXUS_SMTP_URL, unless smtp names another server
# type = "mail"
# to = ["ops@example.com"]

# [channel.pager]            # gets the JSON document on its standard input
# type = "command"
# command = ["/usr/local/bin/page", "--team", "ops"]
# timeout = "20s"

# [channel.chat]             # pip install 'celery-nexus[notify]'
# type = "apprise"
# url = "slack://${SLACK_TOKENS}"
"""
