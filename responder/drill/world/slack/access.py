"""The methods of tokens and connections: auth.*, apps.connections.open."""

from importlib.util import find_spec

from responder.drill.world.ledger import Effect
from responder.drill.world.slack.answers import Asked, Method, NotOk, ok, truth
from responder.drill.world.slack.app import BOT, TEAM
from responder.drill.world.slack.courier import Courier
from responder.drill.world.slack.desk import Desk
from responder.drill.world.slack.workspace import Workspace
from responder.drill.world.web import Answer


class Access(Desk):
    """Who the token is, its end, and where the app may connect."""

    def __init__(self, workspace: Workspace, courier: Courier, address: str) -> None:
        super().__init__(workspace)
        self._courier = courier
        self._address = address

    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""
        return {"auth.test": self.test, "auth.revoke": self.revoke, "apps.connections.open": self.open}

    def test(self, asked: Asked) -> Answer:
        """Tell whose token it is; an app-level token is an app's, and no user's."""
        told = {"url": f"https://{self.app.domain}.slack.example/", "team": self.workspace.ground.inventory.chat_team}
        if asked.get("token") == "app":
            return ok(app_name=self.app.name, app_id=self.app.id)
        return ok(**told, team_id=TEAM, user=self.app.name, user_id=BOT, bot_id=self.app.bot_id,
                  is_enterprise_install=False)  # fmt: skip

    def revoke(self, asked: Asked) -> Answer:
        """End the token that asks; its WebSockets are closed, and the app hears of it no more."""
        if truth(asked.get("test")):
            return ok(revoked=False)
        label = "slack-app" if asked.get("token") == "app" else self.app.bot_label
        self.app.revoked.add(label)
        self._courier.board.disconnect("link_disabled")
        return ok(Effect("token_revoked", label, TEAM), revoked=True)

    def open(self, _: Asked) -> Answer:
        """Return an address that admits one WebSocket, soon."""
        if self._courier.board.link_enabled is False:
            raise NotOk("socket_mode_not_enabled")
        if find_spec("wsproto") is None:
            raise NotOk("internal_error", messages=("the drill needs wsproto for this: install responder[drill]",))
        url = f"{self._address}?ticket={self._courier.board.ticket()}&app_id={self.app.id}"
        return ok(url=url)
