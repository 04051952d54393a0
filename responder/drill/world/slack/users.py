"""The methods of people: users.*."""

from responder.drill.world.slack.answers import Asked, Method, NotOk, ok, paged
from responder.drill.world.slack.app import BOT
from responder.drill.world.slack.desk import Desk
from responder.drill.world.web import Answer


class Users(Desk):
    """People, those whose account is deactivated too."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""
        return {"users.info": self.info, "users.list": self.list_all, "users.lookupByEmail": self.look_up}

    def info(self, asked: Asked) -> Answer:
        """Show somebody by their id; `deleted` says that the account is deactivated."""
        return ok(user=self.workspace.shown_person(self.user(asked.get("user"))))

    def list_all(self, asked: Asked) -> Answer:
        """List everybody, deactivated people and bots too."""
        found, following = paged([*self.workspace.people, BOT], asked)
        shown = [self.workspace.shown_person(each) for each in found]
        now = int(self.workspace.ground.clock.now().timestamp())
        return ok(members=shown, cache_ts=now, response_metadata={"next_cursor": following})

    def look_up(self, asked: Asked) -> Answer:
        """Find somebody by their mail address; Slack does not find whoever is deactivated."""
        for person in self.workspace.people.values():
            if person.email == asked.get("email") and person.chat_id not in self.workspace.gone:
                return ok(user=self.workspace.shown_person(person.chat_id))
        raise NotOk("users_not_found")
