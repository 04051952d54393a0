"""The methods of tokens and connections: auth.*, apps.connections.open."""

from datetime import timedelta
from importlib.util import find_spec

from responder.drill.world.ledger import Effect
from responder.drill.world.slack.answers import Asked, Method, NotOk, ok, truth
from responder.drill.world.slack.app import BOT, TEAM
from responder.drill.world.slack.courier import Courier
from responder.drill.world.slack.desk import Desk
from responder.drill.world.slack.tokens import Token
from responder.drill.world.slack.workspace import Workspace
from responder.drill.world.web import Answer


class Access(Desk):
    """Who the token is, its end, and where the app may connect."""

    def __init__(self, workspace: Workspace, courier: Courier, address: str) -> None:
        super().__init__(workspace)
        self._courier = courier
        self._address = address
        self.propagation = 0.0
        """Seconds for which another app's revoked token is still taken, on the world's clock."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""
        return {"auth.test": self.test, "auth.revoke": self.revoke, "apps.connections.open": self.open}

    def test(self, asked: Asked) -> Answer:
        """Tell whose token it is; an app-level token is an app's, and no user's."""
        told = {"url": f"https://{self.app.domain}.slack.example/", "team": self.workspace.ground.inventory.chat_team}
        if asked.get("token") == "app":
            return ok(app_name=self.app.name, app_id=self.app.id)
        other = self.app.others.get(str(asked.get("token")))
        if other is not None:
            bot = {"bot_id": other.bot_id} if other.bot_id else {}
            user = self.workspace.people[other.user].id
            return ok(**told, team_id=TEAM, user=user, user_id=other.user, **bot, is_enterprise_install=False)
        return ok(**told, team_id=TEAM, user=self.app.name, user_id=BOT, bot_id=self.app.bot_id,
                  is_enterprise_install=False)  # fmt: skip

    def revoke(self, asked: Asked) -> Answer:
        """End the token that asks; a bot leaves its channels with it, and the app hears of it no more."""
        if truth(asked.get("test")):
            return ok(revoked=False)
        other = self.app.others.get(str(asked.get("token")))
        if other is not None:
            return self._revoke_other(other)
        label = "slack-app" if asked.get("token") == "app" else self.app.bot_label
        self.app.revoked.add(label)
        if label == self.app.bot_label:
            self.workspace.retire(BOT)
        self._courier.board.disconnect("link_disabled")
        return ok(Effect("token_revoked", label, TEAM), revoked=True)

    def _revoke_other(self, token: Token) -> Answer:
        token.end = "token_revoked"
        token.ends_at = self.workspace.ground.clock.now() + timedelta(seconds=self.propagation)
        if token.bot_id:
            self.workspace.retire(token.user)
            self.workspace.gone.add(token.user)
        return ok(Effect("token_revoked", token.label, TEAM), revoked=True)

    def open(self, _: Asked) -> Answer:
        """Return an address that admits one WebSocket, soon."""
        if self._courier.board.link_enabled is False:
            raise NotOk("socket_mode_not_enabled")
        if find_spec("wsproto") is None:
            raise NotOk("internal_error", messages=("the drill needs wsproto for this: install responder[drill]",))
        url = f"{self._address}?ticket={self._courier.board.ticket()}&app_id={self.app.id}"
        return ok(url=url)
