"""What the Slack app may do, and why; nothing that it does not need."""

SCOPES: dict[str, str] = {
    "commands": "people type the command, and use the shortcuts",
    "chat:write": "asks, tells, and keeps the card of an incident up to date",
    "channels:manage": "opens a public channel, where a playbook says so",
    "groups:write": "opens the private channel of an incident, and invites those who are asked there",
    "channels:read": "finds channels, and reads who is in them before anything is said there",
    "groups:read": "the same, for the private channels that it is a member of",
    "channels:history": "recognises its own messages, so that none comes twice",
    "groups:history": "the same, in private channels; and reads the message that a reaction puts on record",
    "pins:write": "pins the card of an incident",
    "reactions:read": "hears of the reaction that puts a message on record",
    "users:read": "sees whether an account was closed, before it takes an answer from it",
    "users:read.email": "finds people by their mail address",
}
"""Each scope of the bot token, and what it is for."""
