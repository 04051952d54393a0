"""What `init` writes: a configuration to fill in, and a playbook to read and change."""

CONFIGURATION = """\
# responder.yaml: who we are, whom to ask, what we may act on, and which credentials are ours.
# No secret stands in here. A secret is named by its place: env:NAME, file:PATH or keyring:NAME.
# Check it with `responder doctor`; practise, without touching anything real, with `responder drill`.

organisation:
  name: Example Ltd
  contact: security@example.com          # whom notices name
  time_zone: UTC

# People who may be asked, told or made responsible. A login speaks for a person by `os_user`;
# a login that speaks for nobody may only look.
people:
  ana:
    name: Ana Example
    email: ana@example.com
    os_user: {user}
    roles: [oncall]
  ben:
    name: Ben Example
    email: ben@example.com
    roles: [commander, comms]            # an approver is never the one who asked, and never a holder

# Accounts that we act on. `account` is what the provider must say that we are; any other is refused.
connections: {{}}
#  gateway:                              # your own API, described here: it needs no code
#    provider: http
#    account: platform-team
#    secret: env:GATEWAY_ADMIN           # our own credential there
#    control: env:GATEWAY_CONTROL        # a known-good key of the leaked one's kind, for proofs of death
#    ...                                 # its requests: see `docs/providers`
#  chat: {{provider: slack, account: T0EXAMPLE, secret: env:SLACK_BOT}}
#  mail: {{provider: email, account: responder@example.com, host: smtp.example.com, secret: env:MAIL}}

# Our credentials. Only what stands here counts as ours, and only what is ours is presented or ended.
inventory: []
#  - id: partner-token
#    connection: gateway
#    known_by: env:PARTNER_TOKEN         # or `fingerprint:`, or `key_id:`
#    owner: ben
#    shared: true
#    holders_file: holders.csv           # columns: id, name, email; and person, for one of us
#    consumers:
#      - {{id: website, connection: gateway, secret: website/api-token, owner: ana}}

# Traps: key ids, fingerprints, or regular expressions between slashes. Never presented, never ended.
canaries: []

# Named lists of addresses.
audiences:
  executives: []
  press: []

# What notices may say of us, and what a template asks for by name.
facts: {{}}
"""

PLAYBOOK = """\
# An example to read aloud and to change. Check it with `responder playbook lint example`, play it through with
# `responder playbook test example`, see what it would do with `responder plan example`, and draw it with
# `responder playbook graph example`.
playbook: example                        # equals the file's name
title: A key of ours is where it should not be
version: 1
summary: >
  Look at the key, ask whether it may be switched off, switch it off, and present it from outside
  until it is refused everywhere.

roles:
  commander: {help: decides and approves; never a holder of the credential}
  oncall: {help: does what no API can do}

deadlines:
  contained: {from: incident.aware_at, within: 1h, role: commander}

steps:
  - id: look
    title: Is it live, and what does it reach?
    phase: analysis
    action: credential.inspect           # the provider that issued the key is found by itself

  - id: kill
    title: Switch it off
    phase: containment
    action: credential.disable
    needs: [look]
    if: ${{ steps.look.state != 'dead' }}
    approval:
      role: commander
      within: 5m
      on_timeout: proceed                # only a change that can be taken back may go on without an answer
      reason: it is public; kill, then ask

  - id: dead
    title: Present it from outside until it is refused everywhere
    phase: containment
    action: credential.prove_dead
    needs: [kill]
    limit: 30m
    meets: contained

  - id: remove
    title: Remove the key from where it was found
    phase: eradication
    action: human.task
    needs: [dead]
    with:
      role: oncall
      instructions: "Remove the key from ${{ incident.exposure.url }}. It is dead: nothing breaks by it."
      within: 1d
      on_timeout: abort

exit:                                    # the run counts as contained only when all of these hold
  - ${{ steps.dead.verdict == 'dead' }}
"""


SCENARIO = """\
# What must come of the example, with nobody's system: `responder playbook test example` plays it.
scenario: Nobody answers; the key is switched off and proven dead all the same
people:
  kill: silent
expect: {state: ended, contained: true, exit: 0}
order:
  - [look, kill]
  - [kill, dead]
  - [dead, remove]
deadlines: {contained: met}
"""


def files(user: str) -> dict[str, str]:
    """Return what a new installation begins with, by path; `user` is the login of whoever makes it."""
    return {
        "responder.yaml": CONFIGURATION.format(user=user),
        "playbooks/example.yaml": PLAYBOOK,
        "playbooks/tests/example/nobody-answers.yaml": SCENARIO,
    }
